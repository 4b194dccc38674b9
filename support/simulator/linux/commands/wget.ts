import { resolvePath } from '../../docker/file-system.ts';
import type { Command } from '../../docker/types.ts';
import { parseIp } from '../../net/address.ts';
import { type ReceivedHttpResponse, requestHttp } from '../../net/http.ts';
import { errnoText } from '../../net/network-error.ts';
import type { Errno } from '../../net/types.ts';
import { parseUrl } from './curl-options.ts';
import { resolveHost } from './names.ts';
import { lastOf, parseOptions } from './options.ts';
import { CommandFailure, run } from './result.ts';

/** wget of BusyBox 1.36. */
export const wget: Command = (args, context) =>
  run(() => {
    const parsed = parseOptions(args, {
      letters: 'qO:T:cSY:U:P:t:46',
      long: [
        'spider',
        'quiet',
        'timeout:',
        'header:',
        'post-data:',
        'user-agent:',
        'no-check-certificate',
        'tries:',
        'output-document:',
        'server-response',
      ],
      unknown: (option) =>
        new CommandFailure(
          `wget: unrecognized option: ${option.replace(/^-+/, '')}\nBusyBox v1.36.1 multi-call binary.\n\nUsage: wget [-cqS] [--spider] [-O FILE] [-o LOGFILE] [--header STR]\n\t[--post-data STR | --post-file FILE] [-Y on/off]\n\t[-P DIR] [-U AGENT] [-T SEC] URL...\n`,
          1,
        ),
    });
    const [text] = parsed.operands;
    if (text === undefined)
      throw new CommandFailure('BusyBox v1.36.1 multi-call binary.\n\nUsage: wget [-cqS] [--spider] [-O FILE] URL...\n', 1);
    const url = parseUrl(text);
    if (url === undefined) throw new CommandFailure(`wget: bad address '${text}'\n`, 1);
    if (url.scheme !== 'http') throw new CommandFailure(`wget: not simulated: ${url.scheme}\n`, 1);
    const isQuiet = parsed.options.has('q') || parsed.options.has('quiet');
    const isSpider = parsed.options.has('spider');
    const target = lastOf(parsed, 'O', 'output-document') ?? (url.path.split('?')[0]?.split('/').pop() || 'index.html');
    const waitMs = Number(lastOf(parsed, 'T', 'timeout') ?? 900) * 1000;
    const family = parsed.options.has('6') ? 6 : parsed.options.has('4') ? 4 : undefined;
    const [ip] = parseIp(url.host) === undefined ? resolveHost(context, url.host, family) : [parseIp(url.host)];
    if (ip === undefined) throw new CommandFailure(`wget: bad address '${url.authority}'\n`, 1);
    const place = ip.family === 6 ? `[${ip.text}]:${url.port}` : `${ip.text}:${url.port}`;
    let stderr = isQuiet ? '' : `Connecting to ${url.authority} (${place})\n`;
    let response: ReceivedHttpResponse | undefined;
    let failed: Errno | 'empty-reply' | undefined;
    const body = lastOf(parsed, 'post-data');
    const headers: Record<string, string> = {
      Host: url.authority,
      'User-Agent': lastOf(parsed, 'U', 'user-agent') ?? 'Wget',
      Connection: 'close',
    };
    for (const line of parsed.options.get('header') ?? [])
      headers[line.slice(0, line.indexOf(':')).trim()] = line.slice(line.indexOf(':') + 1).trim();
    if (body !== undefined) headers['Content-Type'] = 'application/x-www-form-urlencoded';
    const call = requestHttp(
      context.container.namespace,
      {
        endpoint: { ip, port: url.port },
        method: isSpider ? 'HEAD' : body === undefined ? 'GET' : 'POST',
        path: url.path,
        headers,
        ...(body === undefined ? {} : { body }),
      },
      {
        onResponse: (received) => {
          response = received;
        },
        onError: (error) => {
          failed = error;
        },
      },
    );
    context.clock.runUntil(() => response !== undefined || failed !== undefined, waitMs);
    if (failed !== undefined)
      throw new CommandFailure(
        `${stderr}${failed === 'empty-reply' ? 'wget: error getting response\n' : `wget: can't connect to remote host (${ip.text}): ${errnoText(failed)}\n`}`,
        1,
      );
    if (response === undefined) {
      call.abort();
      throw new CommandFailure(`${stderr}wget: download timed out\n`, 1);
    }
    if (parsed.options.has('S') || parsed.options.has('server-response')) {
      stderr += `  HTTP/1.1 ${response.status} ${response.reason}\n${Object.entries(response.headers)
        .map(([name, value]) => `  ${name}: ${value}\n`)
        .join('')}  \n`;
    }
    if (response.status >= 400)
      throw new CommandFailure(`${stderr}wget: server returned error: HTTP/1.1 ${response.status} ${response.reason}\n`, 1);
    if (isSpider) return { stdout: '', stderr: isQuiet ? stderr : `${stderr}remote file exists\n`, exitCode: 0 };
    if (target === '-')
      return { stdout: response.body, stderr: isQuiet ? stderr : `${stderr}writing to stdout\nwritten to stdout\n`, exitCode: 0 };
    if (target !== '/dev/null') context.files.write(resolvePath(context.cwd, target), response.body);
    return { stdout: '', stderr: isQuiet ? stderr : `${stderr}saving to '${target}'\n'${target}' saved\n`, exitCode: 0 };
  });
