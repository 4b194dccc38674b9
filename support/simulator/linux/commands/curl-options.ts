import { CommandFailure } from './result.ts';

/** What a curl command line asks for. */
export interface CurlOptions {
  readonly urls: string[];
  readonly outputs: string[];
  readonly headers: string[];
  readonly data: { readonly kind: 'plain' | 'raw' | 'binary' | 'urlencode' | 'json'; readonly text: string }[];
  readonly resolve: string[];
  readonly values: Map<string, string>;
  readonly flags: Set<string>;
}

/** Short letter → long name; a colon marks those that take a value. */
const shortOptions: Readonly<Record<string, string>> = {
  '0': 'http1.0',
  '4': 'ipv4',
  '6': 'ipv6',
  A: 'user-agent:',
  D: 'dump-header:',
  F: 'form:',
  G: 'get',
  H: 'header:',
  I: 'head',
  L: 'location',
  N: 'no-buffer',
  O: 'remote-name',
  S: 'show-error',
  T: 'upload-file:',
  V: 'version',
  X: 'request:',
  Z: 'parallel',
  a: 'append',
  b: 'cookie:',
  c: 'cookie-jar:',
  d: 'data:',
  e: 'referer:',
  f: 'fail',
  g: 'globoff',
  h: 'help',
  i: 'include',
  j: 'junk-session-cookies',
  k: 'insecure',
  m: 'max-time:',
  n: 'netrc',
  o: 'output:',
  q: 'disable',
  s: 'silent',
  u: 'user:',
  v: 'verbose',
  w: 'write-out:',
  x: 'proxy:',
};

const longOnly = [
  'connect-timeout:',
  'data-ascii:',
  'data-binary:',
  'data-raw:',
  'data-urlencode:',
  'json:',
  'url:',
  'interface:',
  'local-port:',
  'resolve:',
  'connect-to:',
  'retry:',
  'retry-delay:',
  'retry-max-time:',
  'retry-connrefused',
  'retry-all-errors',
  'max-redirs:',
  'fail-with-body',
  'fail-early',
  'compressed',
  'http1.1',
  'http2',
  'noproxy:',
  'no-progress-meter',
  'progress-bar',
  'location-trusted',
  'path-as-is',
  'tcp-nodelay',
  'no-keepalive',
  'keepalive-time:',
  'no-sessionid',
  'cacert:',
  'cert:',
  'key:',
  'trace-time',
  'speed-limit:',
  'speed-time:',
  'limit-rate:',
  'output-dir:',
  'create-dirs',
  'stderr:',
  'unix-socket:',
  'form-string:',
];

const known = new Map([...Object.values(shortOptions), ...longOnly].map((name) => [name.replace(/:$/, ''), name.endsWith(':')]));

const tryHelp = "curl: try 'curl --help' or 'curl --manual' for more information\n";
const numbers = new Set(['max-time', 'connect-timeout', 'retry', 'retry-delay', 'retry-max-time', 'max-redirs']);

/** What is recognised but would need more than plain HTTP. */
const unsupported = new Set(['form', 'form-string', 'proxy', 'connect-to', 'unix-socket', 'netrc', 'stderr', 'output-dir']);

/** @throws CommandFailure with curl's own words for an option that it does not know */
export function parseCurlOptions(args: readonly string[]): CurlOptions {
  const options: CurlOptions = { urls: [], outputs: [], headers: [], data: [], resolve: [], values: new Map(), flags: new Set() };
  const set = (name: string, value: string | undefined, shown: string): void => {
    if (unsupported.has(name)) throw new CommandFailure(`curl: not simulated: --${name}\n`, 2);
    if (value === undefined) {
      options.flags.add(name);
      return;
    }
    if (numbers.has(name) && !/^\d+(\.\d+)?$/.test(value))
      throw new CommandFailure(`curl: option ${shown}: expected a proper numerical parameter\n${tryHelp}`, 2);
    switch (name) {
      case 'url':
        options.urls.push(value);
        break;
      case 'output':
        options.outputs.push(value);
        break;
      case 'header':
        options.headers.push(value);
        break;
      case 'resolve':
        options.resolve.push(value);
        break;
      case 'data':
      case 'data-ascii':
        options.data.push({ kind: 'plain', text: value });
        break;
      case 'data-raw':
        options.data.push({ kind: 'raw', text: value });
        break;
      case 'data-binary':
        options.data.push({ kind: 'binary', text: value });
        break;
      case 'data-urlencode':
        options.data.push({ kind: 'urlencode', text: value });
        break;
      case 'json':
        options.data.push({ kind: 'json', text: value });
        break;
      default:
        options.values.set(name, value);
    }
  };
  for (let index = 0; index < args.length; index++) {
    const word = args[index] as string;
    if (word === '--') {
      options.urls.push(...args.slice(index + 1));
      break;
    }
    if (word.startsWith('--')) {
      const name = word.slice(2);
      const negated = name.startsWith('no-') && known.get(name.slice(3)) === false;
      const takesValue = known.get(name);
      if (negated) options.flags.delete(name.slice(3));
      else if (takesValue === undefined) throw new CommandFailure(`curl: option ${word}: is unknown\n${tryHelp}`, 2);
      else if (!takesValue) set(name, undefined, word);
      else {
        const value = args[++index];
        if (value === undefined) throw new CommandFailure(`curl: option ${word}: requires parameter\n${tryHelp}`, 2);
        set(name, value, word);
      }
      continue;
    }
    if (!word.startsWith('-') || word === '-') {
      options.urls.push(word);
      continue;
    }
    for (let at = 1; at < word.length; at++) {
      const letter = word[at] as string;
      if (letter === '#') {
        options.flags.add('progress-bar');
        continue;
      }
      const found = shortOptions[letter];
      if (found === undefined) throw new CommandFailure(`curl: option -${letter}: is unknown\n${tryHelp}`, 2);
      if (!found.endsWith(':')) {
        set(found, undefined, `-${letter}`);
        continue;
      }
      const rest = word.slice(at + 1);
      const value = rest !== '' ? rest : args[++index];
      if (value === undefined) throw new CommandFailure(`curl: option -${letter}: requires parameter\n${tryHelp}`, 2);
      set(found.slice(0, -1), value, `-${letter}`);
      break;
    }
  }
  return options;
}

/** A URL as far as plain HTTP needs it. */
export interface HttpUrl {
  readonly scheme: string;
  readonly host: string;
  /** With brackets around an IPv6 address, and the port where it was written. */
  readonly authority: string;
  readonly port: number;
  readonly path: string;
  readonly user: string | undefined;
}

/** curl's URL parser, strict where it is; undefined stands for CURLE_URL_MALFORMAT. */
export function parseUrl(text: string): HttpUrl | undefined {
  const match = /^(?:([a-zA-Z][a-zA-Z0-9+.-]*):\/\/)?([^/?#]*)([/?][^#]*)?(?:#.*)?$/s.exec(text.trim());
  if (match === null || /\s/.test(text.trim())) return undefined;
  const scheme = (match[1] ?? 'http').toLowerCase();
  const whole = match[2] ?? '';
  const at = whole.lastIndexOf('@');
  const user = at < 0 ? undefined : whole.slice(0, at);
  const place = whole.slice(at + 1);
  const parts = /^(\[[0-9a-fA-F:.]+(?:%25[^\]]+)?\]|[^:[\]]+)(?::(\d*))?$/.exec(place);
  if (parts === null) return undefined;
  const written = parts[1] as string;
  const port = parts[2] === undefined || parts[2] === '' ? (scheme === 'https' ? 443 : 80) : Number(parts[2]);
  if (port > 65_535) return undefined;
  const tail = match[3] ?? '/';
  return {
    scheme,
    host: written.startsWith('[') ? written.slice(1, -1).replace(/%25.*/, '') : written,
    authority: parts[2] === undefined || parts[2] === '' || (scheme === 'http' && port === 80) ? written : `${written}:${port}`,
    port,
    path: tail.startsWith('?') ? `/${tail}` : tail,
    user,
  };
}

/** URL globbing: `{a,b}` and `[1-3]`, but not an IPv6 address in brackets. @throws CommandFailure exit 3 */
export function expandUrl(url: string): readonly string[] {
  const braces = /^(.*?)\{([^{}]*)\}(.*)$/s.exec(url);
  if (braces !== null)
    return (braces[2] as string).split(',').flatMap((part) => expandUrl(`${braces[1] as string}${part}${braces[3] as string}`));
  const range = /^(.*?)\[(\d+|[a-z])-(\d+|[a-z])(?::(\d+))?\](.*)$/s.exec(url);
  if (range === null) return [url];
  const [, before = '', low = '', high = '', step = '1', after = ''] = range;
  const isNumeric = /^\d+$/.test(low);
  const first = isNumeric ? Number(low) : low.charCodeAt(0);
  const last = isNumeric ? Number(high) : high.charCodeAt(0);
  if (isNumeric !== /^\d+$/.test(high) || last < first)
    throw new CommandFailure(`curl: (3) bad range in URL position ${before.length + 2}:\n${url}\n${' '.repeat(before.length + 1)}^\n`, 3);
  const urls: string[] = [];
  for (let value = first; value <= last; value += Number(step)) {
    urls.push(
      ...expandUrl(
        `${before}${isNumeric ? String(value).padStart(low.startsWith('0') ? low.length : 1, '0') : String.fromCharCode(value)}${after}`,
      ),
    );
  }
  return urls;
}
