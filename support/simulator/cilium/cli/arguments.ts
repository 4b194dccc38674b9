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

/** Levenshtein's distance of two words, in any case. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min((next[j - 1] ?? 0) + 1, (row[j] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length] ?? 0;
}

/** Cobra's text for a command that is none, with those that are like it. */
export function unknownCommand(word: string, path: string, known: Iterable<string>): string {
  const low = word.toLowerCase();
  const alike = [...known].filter((name) => distance(low, name.toLowerCase()) <= 2 || name.toLowerCase().startsWith(low)).sort();
  const suggestion = alike.length === 0 ? '' : `\n\nDid you mean this?\n${alike.map((name) => `\t${name}\n`).join('')}`;
  return `unknown command ${JSON.stringify(word)} for ${JSON.stringify(path)}${suggestion}`;
}

/** Cobra's help of a command that only groups others; it is also the answer to a word that is none of them. */
export function groupHelp(text: string, path: string, commands: readonly (readonly [string, string])[]): string {
  const width = Math.max(11, ...commands.map(([name]) => name.length));
  const lines = commands.map(([name, what]) => `  ${name.padEnd(width)} ${what}\n`).join('');
  const flags = [
    ['    --context string', 'Kubernetes configuration context'],
    ['    --helm-release-name string', 'Helm release name (default "cilium")'],
    ['-n, --namespace string', 'Namespace Cilium is running in (default "kube-system")'],
  ] as const;
  const name = path.split(' ').at(-1) ?? '';
  return `${text}\n\nUsage:\n  ${path} [command]\n\nAvailable Commands:\n${lines}\nFlags:\n  -h, --help   help for ${name}\n\nGlobal Flags:\n${flags
    .map(([flag, what]) => `  ${flag.padEnd(30)}   ${what}\n`)
    .join('')}\nUse "${path} [command] --help" for more information about a command.\n`;
}
