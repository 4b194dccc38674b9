import { needsValue } from './observe-filter.ts';

/** Every error of the tool ends here: its text on standard error, exit 1. */
export class HubbleError extends Error {}

export interface Words {
  readonly command: readonly string[];
  readonly flags: readonly { readonly name: string; readonly value: string | undefined }[];
}

const shorthands: Readonly<Record<string, string>> = {
  A: 'all-namespaces',
  D: 'debug',
  f: 'follow',
  h: 'help',
  l: 'label',
  n: 'namespace',
  o: 'output',
  P: 'port-forward',
  s: 'silent-errors',
  t: 'type',
  '4': 'ipv4',
  '6': 'ipv6',
};

const ownValueFlags = new Set([
  'output',
  'last',
  'first',
  'since',
  'until',
  'server',
  'timeout',
  'time-format',
  'config',
  'color',
  'input-file',
  'request-timeout',
  'allowlist',
  'denylist',
  'experimental-field-mask',
  'port-forward-port',
  'tls-server-name',
  'tls-ca-cert-files',
  'tls-client-cert-file',
  'tls-client-key-file',
  'basic-auth-username',
  'basic-auth-password',
  'kube-context',
  'kube-namespace',
  'kubeconfig',
]);
const booleanFlags = new Set([
  'all',
  'follow',
  'help',
  'debug',
  'numeric',
  'ip-translation',
  'print-node-name',
  'print-policy-names',
  'not',
  'tls',
  'tls-allow-insecure',
  'silent-errors',
  'print-raw-filters',
  'port-forward',
  'all-namespaces',
  'from-all-namespaces',
  'to-all-namespaces',
  'experimental-use-default-field-masks',
  'ipv4',
  'ipv6',
  'version',
]);

export function parseWords(args: readonly string[]): Words {
  const command: string[] = [];
  const flags: { name: string; value: string | undefined }[] = [];
  for (let index = 0; index < args.length; index++) {
    const word = args[index] ?? '';
    if (word === '--') {
      command.push(...args.slice(index + 1));
      break;
    }
    if (!word.startsWith('-') || word === '-') {
      command.push(word);
      continue;
    }
    let name: string;
    let value: string | undefined;
    if (word.startsWith('--')) {
      const equals = word.indexOf('=');
      name = equals < 0 ? word.slice(2) : word.slice(2, equals);
      value = equals < 0 ? undefined : word.slice(equals + 1);
    } else {
      const letter = word[1] ?? '';
      const long = shorthands[letter];
      if (long === undefined) throw new HubbleError(`unknown shorthand flag: '${letter}' in ${word}`);
      name = long;
      const rest = word.slice(2);
      if (rest !== '') {
        if (takesValue(name)) value = rest.startsWith('=') ? rest.slice(1) : rest;
        else {
          flags.push({ name, value: undefined });
          args = [...args.slice(0, index + 1), `-${rest}`, ...args.slice(index + 1)];
          continue;
        }
      }
    }
    if (takesValue(name)) {
      if (value === undefined) {
        value = args[++index];
        if (value === undefined)
          throw new HubbleError(
            word.startsWith('--') ? `flag needs an argument: --${name}` : `flag needs an argument: '${word[1] ?? ''}' in ${word}`,
          );
      }
    } else if (!booleanFlags.has(name)) throw new HubbleError(`unknown flag: --${name}`);
    flags.push({ name, value });
  }
  return { command, flags };
}

/** A flag as the parser of flags calls it: with its letter, where it has one. */
export function flagText(name: string): string {
  const letter = Object.entries(shorthands).find(([, long]) => long === name)?.[0];
  return letter === undefined ? `--${name}` : `-${letter}, --${name}`;
}

function takesValue(name: string): boolean {
  return ownValueFlags.has(name) || needsValue(name);
}
