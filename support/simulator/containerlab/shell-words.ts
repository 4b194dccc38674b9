/**
 * Splits a line into words as a POSIX shell quotes them, without expanding anything: containerlab runs `exec` lines and
 * `cmd` this way, without a shell, so a pipe or a variable in them has no meaning.
 */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  let word = '';
  let isInWord = false;
  let quote: '"' | "'" | undefined;
  for (let index = 0; index < line.length; index++) {
    const character = line[index] as string;
    if (quote === "'") {
      if (character === "'") quote = undefined;
      else word += character;
    } else if (quote === '"') {
      if (character === '"') quote = undefined;
      else if (character === '\\' && ['"', '\\', '$', '`'].includes(line[index + 1] ?? '')) word += line[++index];
      else word += character;
    } else if (character === "'" || character === '"') {
      quote = character;
      isInWord = true;
    } else if (character === '\\') {
      word += line[++index] ?? '';
      isInWord = true;
    } else if (/\s/.test(character)) {
      if (isInWord) words.push(word);
      word = '';
      isInWord = false;
    } else {
      word += character;
      isInWord = true;
    }
  }
  if (isInWord) words.push(word);
  return words;
}
