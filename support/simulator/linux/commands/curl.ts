import { resolvePath } from '../../docker/file-system.ts';
import type { Command, CommandContext } from '../../docker/types.ts';
import { parseIp } from '../../net/address.ts';
import { type ReceivedHttpResponse, requestHttp } from '../../net/http.ts';
import { errnoText } from '../../net/network-error.ts';
import type { Errno, Family, Ip } from '../../net/types.ts';
import { type CurlOptions, expandUrl, type HttpUrl, parseCurlOptions, parseUrl } from './curl-options.ts';
import { resolve } from './names.ts';
import { CommandFailure, output, run } from './result.ts';

const version = '7.88.1';
const versionText = `curl ${version} (x86_64-pc-linux-gnu) libcurl/${version}
Release-Date: 2023-02-20
Protocols: http
Features: alt-svc AsynchDNS IPv6 Largefile threadsafe UnixSockets
`;

/** How one transfer went: what `-w` can tell of it. */
interface Transfer {
  readonly url: string;
  readonly method: string;
  response: ReceivedHttpResponse | undefined;
  exitCode: number;
  error: string;
  readonly startedAt: number;
  resolvedAt: number | undefined;
  connectedAt: number | undefined;
  answeredAt: number | undefined;
  endedAt: number;
  remote: { readonly ip: Ip; readonly port: number } | undefined;
  local: { readonly ip: Ip; readonly port: number } | undefined;
  redirects: number;
  verbose: string;
  redirectUrl: string;
}

/** A time limit in milliseconds, from curl's seconds. */
function limitOf(options: CurlOptions, name: string): number {
  const text = options.values.get(name);
  return text === undefined || Number(text) === 0 ? Number.POSITIVE_INFINITY : Number(text) * 1000;
}

/** What a timer that fires at `limitMs` is reported with: curl looks a moment later (recordings: 2001 for 2 s). */
function reported(limitMs: number): number {
  return Math.floor(limitMs) + 1;
}

/** curl 7.88.1 for plain HTTP. Texts and exit statuses as recorded; the progress meter is left out. */
export const curl: Command = (args, context) =>
  run(() => {
    const options = parseCurlOptions(args);
    if (options.flags.has('version')) return output(versionText);
    if (options.flags.has('help')) return output('Usage: curl [options...] <url>\n');
    if (options.urls.length === 0)
      throw new CommandFailure(`curl: no URL specified!\ncurl: try 'curl --help' or 'curl --manual' for more information\n`, 2);
    const urls = options.flags.has('globoff') ? options.urls : options.urls.flatMap(expandUrl);
    let stdout = '';
    let stderr = '';
    let exitCode = 0;
    for (const [index, url] of urls.entries()) {
      const transfer = withRetries(url, options, context);
      stderr += transfer.verbose;
      const wanted = options.outputs[Math.min(index, options.outputs.length - 1)];
      const target =
        index < options.outputs.length
          ? wanted
          : options.flags.has('remote-name')
            ? (parseUrl(url)?.path.split('/').pop() ?? '')
            : undefined;
      const text = contentOf(transfer, options);
      if (target === undefined || target === '-') stdout += text;
      else if (target !== '/dev/null' && (text !== '' || transfer.exitCode === 0))
        context.files.write(resolvePath(context.cwd, target), text);
      const dump = options.values.get('dump-header');
      if (dump !== undefined && transfer.response !== undefined) {
        if (dump === '-') stdout = headText(transfer.response) + stdout;
        else context.files.write(resolvePath(context.cwd, dump), headText(transfer.response));
      }
      exitCode = transfer.exitCode;
      if (exitCode !== 0 && (!options.flags.has('silent') || options.flags.has('show-error')))
        stderr += `curl: (${exitCode}) ${transfer.error}\n`;
      const format = options.values.get('write-out');
      if (format !== undefined)
        stdout += writeOut(
          format.startsWith('@') ? (context.files.read(resolvePath(context.cwd, format.slice(1))) ?? '') : format,
          transfer,
        );
      if (exitCode !== 0 && options.flags.has('fail-early')) break;
    }
    return { stdout, stderr, exitCode };
  });

function headText(response: ReceivedHttpResponse): string {
  const headers = Object.entries(response.headers).map(([name, value]) => `${name}: ${value}\n`);
  return `HTTP/1.1 ${response.status} ${response.reason}\n${headers.join('')}\n`;
}

function contentOf(transfer: Transfer, options: CurlOptions): string {
  const { response } = transfer;
  if (response === undefined) return '';
  if (transfer.exitCode === 22 && !options.flags.has('fail-with-body'))
    return options.flags.has('include') || options.flags.has('head') ? headText(response) : '';
  const head = options.flags.has('include') || options.flags.has('head') ? headText(response) : '';
  return head + (transfer.method === 'HEAD' ? '' : response.body);
}

function withRetries(url: string, options: CurlOptions, context: CommandContext): Transfer {
  const retries = Number(options.values.get('retry') ?? 0);
  const fixedDelay = options.values.get('retry-delay');
  let delayMs = 1000;
  for (let attempt = 0; ; attempt++) {
    const transfer = followed(url, options, context);
    const isTransient =
      transfer.exitCode === 28 ||
      transfer.exitCode === 6 ||
      options.flags.has('retry-all-errors') ||
      (transfer.exitCode === 7 && options.flags.has('retry-connrefused')) ||
      (transfer.response !== undefined && [408, 429, 500, 502, 503, 504].includes(transfer.response.status));
    const succeeded = transfer.exitCode === 0 && (transfer.response?.status ?? 0) < 400;
    if (attempt >= retries || succeeded || !isTransient) return transfer;
    context.clock.advance(fixedDelay === undefined || Number(fixedDelay) === 0 ? delayMs : Number(fixedDelay) * 1000);
    delayMs = Math.min(delayMs * 2, 600_000);
  }
}

function followed(first: string, options: CurlOptions, context: CommandContext): Transfer {
  let url = first;
  let verbose = '';
  const limit = Number(options.values.get('max-redirs') ?? 50);
  const startedAt = context.clock.now();
  for (let redirects = 0; ; redirects++) {
    const transfer = transferOnce(url, options, context, startedAt, redirects);
    verbose += transfer.verbose;
    transfer.verbose = verbose;
    transfer.redirects = redirects;
    const location = transfer.redirectUrl;
    if (!options.flags.has('location') || location === '' || transfer.exitCode !== 0) return transfer;
    if (redirects >= limit) {
      transfer.exitCode = 47;
      transfer.error = `Maximum (${limit}) redirects followed`;
      return transfer;
    }
    url = location;
  }
}

function locationOf(url: HttpUrl, response: ReceivedHttpResponse): string {
  const location = headerOf(response, 'location');
  if (location === undefined || ![301, 302, 303, 307, 308].includes(response.status)) return '';
  if (/^[a-z]+:\/\//i.test(location)) return location;
  const base = `${url.scheme}://${url.authority}`;
  return location.startsWith('/') ? base + location : `${base}${url.path.replace(/[^/]*$/, '')}${location}`;
}

function headerOf(response: ReceivedHttpResponse, name: string): string | undefined {
  return Object.entries(response.headers).find(([key]) => key.toLowerCase() === name)?.[1];
}

interface Plan {
  readonly url: HttpUrl;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

function plan(url: HttpUrl, options: CurlOptions, context: CommandContext, redirects: number): Plan {
  let path = url.path;
  let body: string | undefined;
  let contentType = 'application/x-www-form-urlencoded';
  if (options.data.length > 0) {
    body = options.data
      .map(({ kind, text }) => {
        if (kind === 'json') contentType = 'application/json';
        if (kind === 'urlencode') {
          const at = text.indexOf('=');
          return at < 0 ? encodeURIComponent(text) : `${at > 0 ? `${text.slice(0, at)}=` : ''}${encodeURIComponent(text.slice(at + 1))}`;
        }
        if (!text.startsWith('@') || kind === 'raw') return text;
        const file = text === '@-' ? context.stdin : context.files.read(resolvePath(context.cwd, text.slice(1)));
        if (file === undefined)
          throw new CommandFailure(
            `curl: option -d: error encountered when reading a file\ncurl: try 'curl --help' or 'curl --manual' for more information\n`,
            26,
          );
        return kind === 'plain' ? file.replace(/[\r\n]/g, '') : file;
      })
      .join(contentType === 'application/json' ? '' : '&');
  }
  if (options.flags.has('get') && body !== undefined) {
    path += `${path.includes('?') ? '&' : '?'}${body}`;
    body = undefined;
  }
  const upload = options.values.get('upload-file');
  if (upload !== undefined) body = upload === '-' ? context.stdin : (context.files.read(resolvePath(context.cwd, upload)) ?? '');
  // after a 302 a POST goes on as GET
  const isRedirectedPost = redirects > 0 && options.values.get('request') === undefined;
  if (isRedirectedPost) body = undefined;
  const method =
    options.values.get('request') ??
    (options.flags.has('head') ? 'HEAD' : upload !== undefined ? 'PUT' : body !== undefined ? 'POST' : 'GET');
  const headers = new Map<string, string>([['Host', url.authority]]);
  const user = options.values.get('user') ?? url.user;
  if (user !== undefined) headers.set('Authorization', `Basic ${btoa(user)}`);
  headers.set('User-Agent', options.values.get('user-agent') ?? `curl/${version}`);
  headers.set('Accept', contentType === 'application/json' ? 'application/json' : '*/*');
  const referer = options.values.get('referer');
  if (referer !== undefined) headers.set('Referer', referer);
  const cookie = options.values.get('cookie');
  if (cookie?.includes('=') === true) headers.set('Cookie', cookie);
  if (options.flags.has('compressed')) headers.set('Accept-Encoding', 'deflate, gzip, br');
  if (body !== undefined) {
    headers.set('Content-Length', String(new TextEncoder().encode(body).length));
    if (upload === undefined) headers.set('Content-Type', contentType);
  }
  for (const line of options.headers) {
    const at = line.indexOf(':');
    const name = (at < 0 ? line.replace(/;$/, '') : line.slice(0, at)).trim();
    const same = [...headers.keys()].find((key) => key.toLowerCase() === name.toLowerCase());
    const value = at < 0 ? '' : line.slice(at + 1).trim();
    if (at >= 0 && value === '') headers.delete(same ?? name);
    else headers.set(same ?? name, value);
  }
  return { url, method, path, headers: Object.fromEntries(headers), body };
}

function transferOnce(text: string, options: CurlOptions, context: CommandContext, startedAt: number, redirects: number): Transfer {
  const { clock } = context;
  const transfer: Transfer = {
    url: text,
    method: 'GET',
    response: undefined,
    exitCode: 0,
    error: '',
    startedAt,
    resolvedAt: undefined,
    connectedAt: undefined,
    answeredAt: undefined,
    endedAt: startedAt,
    remote: undefined,
    local: undefined,
    redirects,
    verbose: '',
    redirectUrl: '',
  };
  const isVerbose = options.flags.has('verbose');
  const note = (line: string): void => {
    if (isVerbose) transfer.verbose += `${line}\n`;
  };
  const fail = (exitCode: number, error: string): Transfer => {
    transfer.exitCode = exitCode;
    transfer.error = error;
    transfer.endedAt = clock.now();
    return transfer;
  };
  const url = parseUrl(text);
  if (url === undefined) return fail(3, 'URL using bad/illegal format or missing URL');
  if (url.scheme === 'https') return fail(35, 'not simulated: https');
  if (url.scheme !== 'http') return fail(1, `Protocol "${url.scheme}" not supported or disabled in libcurl`);
  const wanted = plan(url, options, context, redirects);
  const done: Transfer = Object.assign(transfer, {
    method: wanted.method,
    url: /^[a-z]+:\/\//i.test(text)
      ? `${url.scheme}://${text.replace(/^[a-z]+:\/\//i, '')}${/\/\/[^/]*$/.test(text) ? '/' : ''}`
      : `http://${text}${text.includes('/') ? '' : '/'}`,
  });
  const maxMs = limitOf(options, 'max-time');
  const connectMs = limitOf(options, 'connect-timeout');
  const endsAt = startedAt + maxMs;
  const beganAt = clock.now();
  const leftMs = (): number => Math.max(0, endsAt - clock.now());
  const family: Family | undefined = options.flags.has('ipv6') ? 6 : options.flags.has('ipv4') ? 4 : undefined;
  const found = addressesOf(url, family, options, context, Math.min(leftMs(), connectMs));
  if (found === 'timeout') return fail(28, `Resolving timed out after ${reported(Math.min(maxMs, connectMs))} milliseconds`);
  if (found.length === 0) {
    note(`* Could not resolve host: ${url.host}`);
    note('* Closing connection 0');
    return fail(6, `Could not resolve host: ${url.host}`);
  }
  transfer.resolvedAt = clock.now();
  const bound = bindingOf(options, context);
  if (bound === 'failed') return fail(45, `Couldn't bind to '${options.values.get('interface') ?? ''}'`);
  let lastErrno: Errno | undefined;
  for (const [number, ip] of found.entries()) {
    note(`*   Trying ${ip.family === 6 ? `[${ip.text}]` : ip.text}:${url.port}...`);
    let outcome: 'response' | Errno | 'empty-reply' | undefined;
    let isConnected = false;
    const triedAt = clock.now();
    const call = requestHttp(
      context.container.namespace,
      {
        endpoint: { ip, port: url.port },
        method: wanted.method,
        path: wanted.path,
        headers: wanted.headers,
        ...(wanted.body === undefined ? {} : { body: wanted.body }),
        ...(bound?.ip === undefined || bound.ip.family !== ip.family ? {} : { sourceIp: bound.ip }),
        ...(bound?.device === undefined ? {} : { device: bound.device }),
      },
      {
        onConnected: () => {
          isConnected = true;
          transfer.connectedAt = clock.now();
        },
        onResponse: (response) => {
          outcome = 'response';
          transfer.response = response;
          transfer.answeredAt = clock.now();
        },
        onError: (error) => {
          outcome = error;
        },
      },
    );
    const connectLimit = Math.min(leftMs(), connectMs - (clock.now() - beganAt));
    clock.runUntil(() => isConnected || outcome !== undefined, Math.max(0, connectLimit));
    if (!isConnected && outcome === undefined) {
      call.abort();
      if (connectMs < maxMs) {
        note(`* Failed to connect to ${url.host} port ${url.port} after ${reported(connectMs)} ms: Timeout was reached`);
        note('* Closing connection 0');
        return fail(28, `Failed to connect to ${url.host} port ${url.port} after ${reported(connectMs)} ms: Timeout was reached`);
      }
      note(`* Connection timed out after ${reported(maxMs)} milliseconds`);
      note('* Closing connection 0');
      return fail(28, `Connection timed out after ${reported(maxMs)} milliseconds`);
    }
    if (!isConnected && outcome !== 'response') {
      lastErrno = outcome === undefined || outcome === 'empty-reply' ? 'ECONNRESET' : outcome;
      const isImmediate = clock.now() === triedAt && lastErrno !== 'ECONNREFUSED';
      note(
        isImmediate
          ? `* Immediate connect fail for ${ip.text}: ${errnoText(lastErrno)}`
          : `* connect to ${ip.text} port ${url.port} failed: ${errnoText(lastErrno)}`,
      );
      if (number < found.length - 1) continue;
      const sentence = `Failed to connect to ${url.host} port ${url.port} after ${Math.floor(clock.now() - beganAt)} ms: Couldn't connect to server`;
      note(`* ${sentence}`);
      note('* Closing connection 0');
      return fail(lastErrno === 'ETIMEDOUT' ? 28 : 7, sentence);
    }
    transfer.remote = { ip, port: url.port };
    transfer.local = call.connection.local;
    note(`* Connected to ${url.host} (${ip.text}) port ${url.port} (#0)`);
    note(
      `> ${wanted.method} ${wanted.path} HTTP/1.1\n${Object.entries(wanted.headers)
        .map(([name, value]) => `> ${name}: ${value}\n`)
        .join('')}> `,
    );
    clock.runUntil(() => outcome !== undefined, leftMs());
    if (outcome === undefined) {
      call.abort();
      note(`* Operation timed out after ${reported(maxMs)} milliseconds with 0 bytes received`);
      note('* Closing connection 0');
      return fail(28, `Operation timed out after ${reported(maxMs)} milliseconds with 0 bytes received`);
    }
    return finish(done, url, outcome, options, note, fail, context);
  }
  return fail(
    7,
    `Failed to connect to ${url.host} port ${url.port} after ${Math.floor(clock.now() - beganAt)} ms: ${errnoText(lastErrno ?? 'ECONNREFUSED')}`,
  );
}

function finish(
  transfer: Transfer,
  url: HttpUrl,
  outcome: 'response' | Errno | 'empty-reply',
  options: CurlOptions,
  note: (line: string) => void,
  fail: (exitCode: number, error: string) => Transfer,
  context: CommandContext,
): Transfer {
  transfer.endedAt = context.clock.now();
  const { response } = transfer;
  if (outcome !== 'response' || response === undefined) {
    note(outcome === 'empty-reply' ? '* Empty reply from server' : '* Recv failure: Connection reset by peer');
    note('* Closing connection 0');
    if (outcome === 'empty-reply') return fail(52, 'Empty reply from server');
    return fail(56, `Recv failure: ${errnoText(outcome === 'response' ? 'ECONNRESET' : outcome)}`);
  }
  note(
    headText(response)
      .trimEnd()
      .split('\n')
      .map((line) => `< ${line}`)
      .join('\n'),
  );
  note('< ');
  const size = new TextEncoder().encode(response.body).length;
  if (!context.isTerminal && size > 0 && transfer.method !== 'HEAD') note(`{ [${size} bytes data]`);
  transfer.redirectUrl = locationOf(url, response);
  if (response.status >= 400 && (options.flags.has('fail') || options.flags.has('fail-with-body'))) {
    note(`* The requested URL returned error: ${response.status}`);
    note('* Closing connection 0');
    return fail(22, `The requested URL returned error: ${response.status}`);
  }
  note('* Closing connection 0');
  return transfer;
}

/** The addresses to try, in order: a literal, `--resolve`, or the resolver's answer. */
function addressesOf(
  url: HttpUrl,
  family: Family | undefined,
  options: CurlOptions,
  context: CommandContext,
  limitMs: number,
): readonly Ip[] | 'timeout' {
  const literal = parseIp(url.host);
  if (literal !== undefined) return family === undefined || literal.family === family ? [literal] : [];
  for (const entry of options.resolve) {
    const match = /^[+-]?([^:]+):(\d+):(.*)$/.exec(entry);
    if (match === null) throw new CommandFailure(`curl: (49) Couldn't parse CURLOPT_RESOLVE entry '${entry}'\n`, 49);
    if ((match[1] !== url.host && match[1] !== '*') || Number(match[2]) !== url.port) continue;
    const ips = (match[3] as string).split(',').map((text) => parseIp(text.replace(/^\[|\]$/g, '')));
    return ips.filter((ip) => ip !== undefined && (family === undefined || ip.family === family)) as Ip[];
  }
  const families: readonly Family[] = family === undefined ? [4, 6] : [family];
  if (url.host === 'localhost') return [parseIp('::1') as Ip, parseIp('127.0.0.1') as Ip].filter((ip) => families.includes(ip.family));
  const result = resolve(context, url.host, families, Number.isFinite(limitMs) ? limitMs : undefined);
  if ('ips' in result) return result.ips;
  return result.error === 'TIMEOUT' && Number.isFinite(limitMs) ? 'timeout' : [];
}

function bindingOf(options: CurlOptions, context: CommandContext): { readonly ip?: Ip; readonly device?: string } | 'failed' | undefined {
  const text = options.values.get('interface')?.replace(/^(if|host)!/, '');
  if (text === undefined) return undefined;
  const { namespace } = context.container;
  if (namespace.getInterface(text) !== undefined) return { device: text };
  const ip = parseIp(text);
  return ip !== undefined && namespace.isLocalAddress(ip) ? { ip } : 'failed';
}

function writeOut(format: string, transfer: Transfer): string {
  const seconds = (at: number | undefined): string => (((at ?? transfer.startedAt) - transfer.startedAt) / 1000).toFixed(6);
  const size = transfer.response === undefined ? 0 : new TextEncoder().encode(transfer.response.body).length;
  const status = String(transfer.response?.status ?? 0).padStart(3, '0');
  const total = (transfer.endedAt - transfer.startedAt) / 1000;
  const values: Readonly<Record<string, string>> = {
    http_code: status,
    response_code: status,
    http_version: transfer.response === undefined ? '0' : '1.1',
    content_type: transfer.response === undefined ? '' : (headerOf(transfer.response, 'content-type') ?? ''),
    time_total: seconds(transfer.endedAt),
    time_namelookup: seconds(transfer.resolvedAt),
    time_connect: seconds(transfer.connectedAt),
    time_appconnect: '0.000000',
    time_pretransfer: seconds(transfer.connectedAt),
    time_starttransfer: seconds(transfer.answeredAt),
    time_redirect: '0.000000',
    size_download: String(size),
    size_upload: '0',
    size_header: String(transfer.response === undefined ? 0 : headText(transfer.response).replaceAll('\n', '\r\n').length),
    speed_download: String(total === 0 ? 0 : Math.floor(size / total)),
    remote_ip: transfer.remote?.ip.text ?? '',
    remote_port: String(transfer.remote?.port ?? 0),
    local_ip: transfer.local?.ip.text ?? '',
    local_port: String(transfer.local?.port ?? 0),
    url: transfer.url,
    url_effective: transfer.url,
    redirect_url: transfer.redirectUrl,
    num_redirects: String(transfer.redirects),
    num_connects: transfer.connectedAt === undefined ? '0' : '1',
    scheme: 'HTTP',
    method: transfer.method,
    exitcode: String(transfer.exitCode),
    errormsg: transfer.error,
  };
  return format
    .replace(/%\{([a-z_]+)\}|%%/g, (_whole, name: string | undefined) => (name === undefined ? '%' : (values[name] ?? '')))
    .replace(/\\([nrt])/g, (_whole, letter: 'n' | 'r' | 't') => ({ n: '\n', r: '\r', t: '\t' })[letter]);
}
