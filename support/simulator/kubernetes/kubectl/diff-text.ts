/** A unified diff as `diff -u` prints it: hunks with three lines of context. */
export function unifiedDiff(before: string, after: string): string {
  const a = linesOf(before);
  const b = linesOf(after);
  const edits = editsOf(a, b);
  const context = 3;
  let text = '';
  for (let index = 0; index < edits.length; ) {
    if (edits[index]?.kind === ' ') {
      index++;
      continue;
    }
    const start = Math.max(0, index - context);
    let end = index;
    let quiet = 0;
    for (let next = index; next < edits.length && quiet <= 2 * context; next++) {
      if (edits[next]?.kind === ' ') quiet++;
      else {
        quiet = 0;
        end = next + 1;
      }
    }
    const hunk = edits.slice(start, Math.min(edits.length, end + context));
    const first = hunk[0] as Edit;
    const left = hunk.filter((edit) => edit.kind !== '+').length;
    const right = hunk.filter((edit) => edit.kind !== '-').length;
    text += `@@ -${range(first.left, left)} +${range(first.right, right)} @@\n${hunk.map((edit) => `${edit.kind}${edit.line}\n`).join('')}`;
    index = start + hunk.length;
  }
  return text;
}

interface Edit {
  readonly kind: ' ' | '-' | '+';
  readonly line: string;
  /** Lines of each side before this one. */
  readonly left: number;
  readonly right: number;
}

function range(before: number, count: number): string {
  if (count === 0) return `${before},0`;
  return count === 1 ? String(before + 1) : `${before + 1},${count}`;
}

function linesOf(text: string): string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n');
}

/** The longest common subsequence; manifests are small enough for the plain table. */
function editsOf(a: readonly string[], b: readonly string[]): Edit[] {
  const width = b.length + 1;
  const lengths = new Uint32Array((a.length + 1) * width);
  for (let left = a.length - 1; left >= 0; left--) {
    for (let right = b.length - 1; right >= 0; right--) {
      lengths[left * width + right] =
        a[left] === b[right]
          ? (lengths[(left + 1) * width + right + 1] as number) + 1
          : Math.max(lengths[(left + 1) * width + right] as number, lengths[left * width + right + 1] as number);
    }
  }
  const edits: Edit[] = [];
  let left = 0;
  let right = 0;
  while (left < a.length || right < b.length) {
    if (left < a.length && right < b.length && a[left] === b[right]) {
      edits.push({ kind: ' ', line: a[left] as string, left, right });
      left++;
      right++;
    } else if (
      right >= b.length ||
      (left < a.length && (lengths[(left + 1) * width + right] as number) >= (lengths[left * width + right + 1] as number))
    ) {
      edits.push({ kind: '-', line: a[left] as string, left, right });
      left++;
    } else {
      edits.push({ kind: '+', line: b[right] as string, left, right });
      right++;
    }
  }
  return edits;
}
