import type { JustBash } from './load-library.ts';

/** The first command of a script that a real shell would not wait for; undefined when there is none. */
export function inBackground(library: JustBash, script: string): string | undefined {
  if (!/(?<![&<>|\\\d])&(?![&>])/.test(script)) return undefined;
  try {
    const tree = library.parse(script);
    const found = tree.statements.find(({ background }) => background);
    return found === undefined ? undefined : library.serialize({ ...tree, statements: [found] }).trim();
  } catch {
    return undefined;
  }
}

/** `set --` for a script with arguments; just-bash has no `$0` of its own, so it is filled in. */
export function withParameters(script: string, [zero = 'sh', ...parameters]: readonly string[]): string {
  const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
  return `set -- ${parameters.map(quote).join(' ')}\n${script.replace(/^#![^\n]*\n/, '').replace(/\$0\b/g, () => zero)}`;
}

/** `$RANDOM` of just-bash has no seed: draw it from ours. */
export function seededRandom(script: string): string {
  return script.replace(/\$(?:RANDOM\b|\{RANDOM\})/g, '$(simulated-random)').replace(/\bRANDOM(?=\s*[%+*/-])/g, '$(simulated-random)');
}
