import type { ShellSession } from '../simulator/docker/types.ts';

/** Whether a command goes on in the next line: an open quote, a backslash at its end, an open here-document, `$(`, `{`, do or then. */
export function isIncomplete(text: string): boolean {
  if (/(^|[^\\])(\\\\)*\\$/.test(text)) return true;
  const { quote, depth } = scan(text);
  if (quote !== undefined || depth > 0) return true;
  if (/(\||&&)\s*$/.test(text)) return true;
  const hereDocument = /<<-?\s*(['"]?)([A-Za-z_][A-Za-z0-9_]*)\1/.exec(text);
  if (
    hereDocument !== null &&
    !text
      .split('\n')
      .slice(1)
      .some((line) => line.trim() === hereDocument[2])
  )
    return true;
  const count = (pattern: RegExp) => [...text.matchAll(pattern)].length;
  return count(/(^|[;\n&|]|\bdo|\bthen|\belse)\s*(for|while|until|if|case)\b/g) > count(/(^|[;\n])\s*(done|fi|esac)\b/g);
}

function scan(text: string): { quote: string | undefined; depth: number } {
  let quote: string | undefined;
  let depth = 0;
  for (let index = 0; index < text.length; index++) {
    const character = text[index] as string;
    if (quote === "'") {
      if (character === "'") quote = undefined;
      continue;
    }
    if (character === '\\') index++;
    else if (quote === '"') {
      if (character === '"') quote = undefined;
    } else if (character === "'" || character === '"') quote = character;
    else if (character === '#' && (index === 0 || /\s/.test(text[index - 1] as string))) {
      const end = text.indexOf('\n', index);
      if (end < 0) break;
      index = end;
    } else if (character === '$' && text[index + 1] === '(') {
      depth++;
      index++;
    } else if (character === ')' && depth > 0) depth--;
  }
  return { quote, depth };
}

/** What may stand for the last word of a line: commands at its beginning, files elsewhere. */
export async function completions(session: ShellSession, line: string): Promise<[string[], string]> {
  const word = /[^\s|;&<>(]*$/.exec(line)?.[0] ?? '';
  const before = line.slice(0, line.length - word.length).trimEnd();
  const isCommand = (before === '' || /[|;&(]$/.test(before)) && !word.includes('/');
  const quoted = `'${word.replaceAll("'", "'\\''")}'`;
  const script = isCommand
    ? `compgen -c -- ${quoted} 2>/dev/null || ls /usr/local/bin /usr/bin /bin 2>/dev/null`
    : `for name in ${quoted}*; do if [ -d "$name" ]; then echo "$name/"; elif [ -e "$name" ]; then echo "$name"; fi; done`;
  const { stdout } = await session.run(script);
  const found = [...new Set(stdout.split('\n'))].filter((name) => name !== '' && name.startsWith(word)).sort();
  return [found.map((name) => (name.endsWith('/') ? name : `${name} `)), word];
}
