/**
 * The variables of a topology file, as containerlab replaces them before it reads the YAML (hellt/envsubst 0.2 with `noDigit` and
 * `noReplace`): `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME:=default}` (also where the variable is empty), `${NAME-default}`,
 * `${NAME=default}`, `${NAME+other}`, `$$`. A variable that is not set and has no default stays, without its braces.
 * @throws RangeError with the sentence of the library when a brace is not closed on its line
 */
export function expandVariables(text: string, env: { get(name: string): string | undefined }): string {
  const shownValue = (name: string): string => env.get(name) || `$${name}`;
  const nameOf = (token: string): string => token.replace(/^\$/, '');
  return text.replace(reference, (whole, bare?: string, name?: string, operator?: string, rest = '', close?: string) => {
    if (whole === '$$') return '$';
    if (bare !== undefined) return shownValue(bare);
    if (name === undefined || close === undefined) throw new RangeError('closing brace expected');
    const other = /^\$[A-Za-z_]\w*$/.test(rest) ? shownValue(nameOf(rest)) : rest;
    const value = env.get(name);
    if (operator === undefined) return shownValue(name);
    if (operator.endsWith('+')) return value === undefined ? '' : other;
    if (operator.startsWith(':')) return value || other;
    return value ?? other;
  });
}

/** A name that begins with a digit is none: `$1` of a shell in `exec` stays. */
const reference = /\$\$|\$([A-Za-z_]\w*)|\$\{(?!\d)(?:([A-Za-z_]\w*)(?:(:?[-=+])([^}\n\r]*))?(\}))?/g;
