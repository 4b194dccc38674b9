/** Words of a line as a tool's own file reader splits them: blanks, and quotes of either kind with backslashes in the double ones. */
export function wordsOf(line: string): string[] {
  const words: string[] = [];
  for (const [, double, single, plain] of line.matchAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'|(\S+)/g))
    words.push(double === undefined ? (single ?? plain ?? '') : double.replace(/\\(.)/g, '$1'));
  return words;
}
