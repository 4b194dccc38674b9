import type { Command } from '../../docker/types.ts';
import { failure, output } from './result.ts';

const reference = /\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))/g;

/** envsubst(1) of gettext: `$NAME` and `${NAME}` alone; with a SHELL-FORMAT only the names in it. */
export const envsubst: Command = (args, context) => {
  const unknown = args.find((arg) => arg.startsWith('-') && arg !== '-v' && arg !== '--variables');
  if (unknown !== undefined)
    return failure(`envsubst: invalid option -- '${unknown.replace(/^-+/, '')}'\nTry 'envsubst --help' for more information.\n`);
  const formats = args.filter((arg) => !arg.startsWith('-'));
  if (formats.length > 1) return failure("envsubst: too many arguments\nTry 'envsubst --help' for more information.\n");
  const [format] = formats;
  const named = new Set([...(format ?? '').matchAll(reference)].map((match) => match[1] ?? match[2] ?? ''));
  if (formats.length < args.length) return output([...named].map((name) => `${name}\n`).join(''));
  return output(
    context.stdin.replace(reference, (whole, braced: string | undefined, bare: string | undefined) => {
      const name = braced ?? bare ?? '';
      return format === undefined || named.has(name) ? (context.env.get(name) ?? '') : whole;
    }),
  );
};
