/** Takes a flag with a value out of the words: `-o json`, `-o=json`, `-ojson`, `--output json`, `--output=json`. */
export function takeFlag(words: string[], names: readonly string[]): string | undefined {
  for (let index = 0; index < words.length; index++) {
    const word = words[index] as string;
    if (word === '--') return undefined;
    for (const name of names) {
      if (word === name) {
        const [, value] = words.splice(index, 2);
        return value ?? '';
      }
      if (word.startsWith(`${name}=`)) {
        words.splice(index, 1);
        return word.slice(name.length + 1);
      }
      if (!name.startsWith('--') && word.startsWith(name) && word.length > name.length) {
        words.splice(index, 1);
        return word.slice(name.length);
      }
    }
  }
  return undefined;
}

/** Takes a boolean flag: `--wait`, `--wait=false`. Undefined when it is not there. */
export function takeSwitch(words: string[], names: readonly string[]): boolean | undefined {
  let found: boolean | undefined;
  for (let index = 0; index < words.length; ) {
    const word = words[index] as string;
    const name = names.find((candidate) => word === candidate || word.startsWith(`${candidate}=`));
    if (name === undefined) {
      index++;
      continue;
    }
    words.splice(index, 1);
    found = word === name ? true : ['true', 't', '1'].includes(word.slice(name.length + 1).toLowerCase());
  }
  return found;
}
