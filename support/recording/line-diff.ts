/** A line of a comparison: in both texts, or in one of them. */
export interface DiffLine {
  readonly kind: 'same' | 'removed' | 'added';
  readonly text: string;
}

/** Beyond this many differing lines a minimal comparison is not worth its time: the rest is told as one block. */
const mostEdits = 2_000;

/** The shortest way from one list of lines to another (E. Myers, "An O(ND) Difference Algorithm and Its Variations"). */
export function diffLines(a: readonly string[], b: readonly string[]): readonly DiffLine[] {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const same = (text: string): DiffLine => ({ kind: 'same', text });
  return [
    ...a.slice(0, start).map(same),
    ...diffMiddle(a.slice(start, a.length - end), b.slice(start, b.length - end)),
    ...a.slice(a.length - end).map(same),
  ];
}

function diffMiddle(a: readonly string[], b: readonly string[]): readonly DiffLine[] {
  const whole = (): DiffLine[] => [
    ...a.map((text): DiffLine => ({ kind: 'removed', text })),
    ...b.map((text): DiffLine => ({ kind: 'added', text })),
  ];
  if (a.length === 0 || b.length === 0) return whole();
  const trail: Map<number, number>[] = [];
  let reach = new Map<number, number>([[1, 0]]);
  for (let edits = 0; edits <= Math.min(a.length + b.length, mostEdits); edits++) {
    trail.push(reach);
    const next = new Map(reach);
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      let x = isDown(reach, diagonal, edits) ? (reach.get(diagonal + 1) ?? 0) : (reach.get(diagonal - 1) ?? 0) + 1;
      while (x < a.length && x - diagonal < b.length && a[x] === b[x - diagonal]) x++;
      next.set(diagonal, x);
      if (x >= a.length && x - diagonal >= b.length) return backtrack(a, b, trail, edits);
    }
    reach = next;
  }
  return whole();
}

function isDown(reach: ReadonlyMap<number, number>, diagonal: number, edits: number): boolean {
  return diagonal === -edits || (diagonal !== edits && (reach.get(diagonal - 1) ?? -1) < (reach.get(diagonal + 1) ?? -1));
}

function backtrack(a: readonly string[], b: readonly string[], trail: readonly ReadonlyMap<number, number>[], found: number): DiffLine[] {
  const lines: DiffLine[] = [];
  let x = a.length;
  let y = b.length;
  for (let edits = found; edits >= 0; edits--) {
    const reach = trail[edits] as ReadonlyMap<number, number>;
    const diagonal = x - y;
    const down = isDown(reach, diagonal, edits);
    const before = down ? diagonal + 1 : diagonal - 1;
    const fromX = reach.get(before) ?? 0;
    const fromY = fromX - before;
    while (x > fromX && y > fromY && x > 0 && y > 0) {
      lines.push({ kind: 'same', text: a[--x] as string });
      y--;
    }
    if (edits === 0) break;
    if (down) lines.push({ kind: 'added', text: b[--y] as string });
    else lines.push({ kind: 'removed', text: a[--x] as string });
  }
  return lines.reverse();
}

/** The differing lines with `context` lines around them; `…` stands for what is left out. Empty when nothing differs. */
export function hunks(lines: readonly DiffLine[], context = 2): readonly (DiffLine | 'gap')[] {
  const near = (index: number) => lines.slice(Math.max(0, index - context), index + context + 1).some(({ kind }) => kind !== 'same');
  const kept: (DiffLine | 'gap')[] = [];
  lines.forEach((line, index) => {
    if (near(index)) kept.push(line);
    else if (kept.at(-1) !== 'gap' && kept.length > 0) kept.push('gap');
  });
  return kept.at(-1) === 'gap' ? kept.slice(0, -1) : kept;
}
