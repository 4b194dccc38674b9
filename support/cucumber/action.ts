/** Marks a step that changes the lab: `When(pattern, action, code)`. `check` leaves it to the learner, `solve` does nothing else. */
export const action = { wrapperOptions: { changesLab: true } } as const;

export function isAction(options: unknown): boolean {
  return typeof options === 'object' && options !== null && 'changesLab' in options && options.changesLab === true;
}
