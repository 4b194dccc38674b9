/** Where this program is: in its sources, or in a bundle made of them. The launcher, outpost.mjs, knows. */
export interface Program {
  /** The folder of the clone. */
  readonly clone: string;
  /** Files that Cucumber imports, in this order: parameter types, world, hooks, then the steps. */
  readonly vocabulary: readonly string[];
  /** The module of allure-cucumberjs that writes results. */
  readonly allureReporter: string;
}

let started: Program | undefined;

export function startAs(program: Program): void {
  started = program;
}

export function program(): Program {
  if (started === undefined) throw new Error('the program was not started by outpost.mjs');
  return started;
}
