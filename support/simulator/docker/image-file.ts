import { contains } from '../net/address.ts';
import type { HttpRequest, HttpResponse } from '../net/http.ts';
import type { Family, Prefix } from '../net/types.ts';
import { parsePrefix } from './addresses.ts';
import { Field } from './image-reader.ts';
import { parseImageReference } from './image-reference.ts';
import { compileTemplate, type Template, type TemplatePlace, type TemplateValues } from './image-template.ts';
import { endingProgram, httpServer } from './programs/http-server.ts';
import { periodicRequest } from './programs/periodic-request.ts';
import type { ImageDefinition, Program, ProgramFactory } from './types.ts';

/**
 * Reads one YAML document that says how container images behave when they are simulated (a lab's `images/*.yaml`).
 *
 * | key | value | default |
 * |---|---|---|
 * | `images` | names without tag that behave like this | required |
 * | `commands` | programs on the PATH beyond those of every Linux image (`curl`, `tcpdump`, `ss`, `iptables`, `dig`…) | none |
 * | `shell` | `bash`, `sh` or `none` | `sh` |
 * | `entrypoint` | words of the main process; a container's own arguments follow them and do not end the programs below | `/NAME` of the image |
 * | `command` | further words, replaced by a container's own arguments; with `command` and no `entrypoint`, another command replaces the programs | none |
 * | `env` | variables | none |
 * | `files` | path → text | none |
 * | `servers[]` | HTTP servers | none |
 * | `servers[].port` | number, or a text such as `${PORT:-80}` | required |
 * | `servers[].address` | `any`, `ipv4` or `ipv6` | `any` |
 * | `servers[].readyAfter` | time until it accepts connections | `0s` |
 * | `servers[].allow.from` | list or comma-separated text of addresses and CIDRs; checked before the routes | everybody |
 * | `servers[].allow.denied` | `status`, `headers`, `body` for the others; `${allowed}` is the list as written | 403 `Forbidden` |
 * | `servers[].routes[]` | `path` (exact, or a prefix when it ends in `*`), `method`, `status`, `headers`, `body`, `delay`; the first that fits answers | 404 |
 * | `requests[]` | periodic clients: `every`, `jitter` (added at random), `url`, `method`, `headers`, `body`, `family` (`any`, `ipv4`, `ipv6`), `timeout`; an empty `url` switches one off | none |
 * | `preloaded` | `true`: on every machine before the lab starts (built locally and put there with `kind load`), so nothing is pulled | `false` |
 * | `exit` | `after` and `code`: the main process ends | runs for ever |
 *
 * Texts may use `${hostname}` and `${env.NAME}` (or `${env.NAME:-default}`); `body` and `headers` of routes also
 * `${client.ip}`, `${client.port}`, `${server.ip}`, `${server.port}`, `${request.method}`, `${request.path}`,
 * `${request.query}`, `${request.body}`, `${request.headers.NAME}`. `$${` is a plain `${`.
 *
 * @param parsed the document as a YAML parser gives it
 * @param fileName for messages
 * @returns one definition per name in `images`
 * @throws Error `FILE: FIELD: expected …, saw …`; unknown keys are refused
 */
export function parseImageFile(parsed: unknown, fileName: string): ImageDefinition[] {
  const document = new Field(fileName, '', parsed);
  const { images, commands, shell, entrypoint, command, env, files, servers, requests, preloaded, exit } = document.members([
    'images',
    'commands',
    'shell',
    'entrypoint',
    'command',
    'env',
    'files',
    'servers',
    'requests',
    'preloaded',
    'exit',
  ]);
  const programs: ProgramFactory[] = [...servers.items().map(parseServer), ...requests.items().map(parseRequest)];
  if (exit.isPresent) {
    const { after, code } = exit.members(['after', 'code']);
    const afterMs = after.duration(0);
    const exitCode = code.number(0, 255, 0);
    programs.push((container) => endingProgram(container, 'main', afterMs, exitCode));
  }
  const names = images.items();
  if (names.length === 0) images.fail('a list of image names');
  const shellName = shell.oneOf(['bash', 'sh', 'none'], 'sh');
  if (preloaded.isPresent && !['true', 'false'].includes(preloaded.scalar())) preloaded.fail('true or false');
  const isPreloaded = preloaded.isPresent && preloaded.scalar() === 'true';
  const words = (field: Field): readonly string[] => field.items().map((item) => item.scalar());
  return names.map((field): ImageDefinition => {
    const name = field.text();
    const reference = parseImageReference(name);
    if (reference === undefined) field.fail('an image name such as registry.example/team/web');
    if (reference?.tag !== undefined || reference?.digest !== undefined) field.fail('a name without tag');
    const fixed = entrypoint.isPresent ? words(entrypoint) : command.isPresent ? [] : [`/${name.replace(/^.*\//, '')}`];
    const environment = env.texts();
    const initial = files.texts();
    return {
      name,
      command: [...fixed, ...words(command)],
      entrypoint: fixed,
      programs,
      commands: commands.items().map((item) => item.text()),
      env: environment,
      files: initial,
      shell: shellName === 'none' ? undefined : shellName,
      ...(isPreloaded ? { isPreloaded } : {}),
    };
  });
}

interface Reply {
  readonly status: number;
  readonly headers: readonly (readonly [string, Template])[];
  readonly body: Template;
  readonly delayMs: number;
}

interface RouteRule extends Reply {
  readonly method: string | undefined;
  readonly path: string;
  readonly isPrefix: boolean;
}

interface Allowance {
  readonly from: Template;
  readonly denied: Reply;
}

function parseReply(
  fields: { readonly status: Field; readonly headers: Field; readonly body: Field; readonly delay?: Field },
  place: TemplatePlace,
  status: number,
  body: string,
): Reply {
  return {
    status: fields.status.number(100, 599, status),
    headers: Object.entries(fields.headers.texts()).map(([name, text]) => [name, compileTemplate(fields.headers, text, place)] as const),
    body: compileTemplate(fields.body, fields.body.scalar(body), place),
    delayMs: fields.delay?.duration(0) ?? 0,
  };
}

function parseServer(field: Field): ProgramFactory {
  const { port, address, readyAfter, allow, routes } = field.members(['port', 'address', 'readyAfter', 'allow', 'routes']);
  if (!port.isPresent) port.fail('a port');
  if (typeof port.value === 'number') port.number(1, 65_535);
  const portText = compileTemplate(port, port.scalar(), 'container');
  const family = familyOf(address.oneOf(['any', 'ipv4', 'ipv6'], 'any'));
  const readyAfterMs = readyAfter.duration(0);
  const rules = routes.items().map(parseRoute);
  const allowance = allow.isPresent ? parseAllowance(allow) : undefined;
  return (container): Program => {
    const number = Number(portText({ container }));
    if (!Number.isInteger(number) || number < 1 || number > 65_535) {
      container.writeLog(`not a port: ${portText({ container })}`, 'stderr');
      return endingProgram(container, 'main', 0, 1);
    }
    // the environment of a running container does not change
    const sources = allowance === undefined ? undefined : parseSources(allowance.from({ container }));
    return httpServer(container, {
      name: container.image.command[0]?.replace(/^.*\//, '') ?? 'main',
      port: number,
      ...(family === undefined ? {} : { family }),
      readyAfterMs,
      respond(request) {
        if (allowance !== undefined && sources !== undefined && !sources.prefixes.some((prefix) => contains(prefix, request.remote.ip))) {
          return render(allowance.denied, { container, request, allowed: sources.text });
        }
        return answer(rules, { container, request });
      },
    });
  };
}

function familyOf(address: 'any' | 'ipv4' | 'ipv6'): Family | undefined {
  return address === 'any' ? undefined : address === 'ipv4' ? 4 : 6;
}

function parseRoute(field: Field): RouteRule {
  const fields = field.members(['method', 'path', 'status', 'headers', 'body', 'delay']);
  const path = fields.path.text('/*');
  if (!path.startsWith('/')) fields.path.fail('a path that starts with /');
  const isPrefix = path.endsWith('*');
  return {
    ...parseReply(fields, 'request', 200, ''),
    method: fields.method.isPresent ? fields.method.text().toUpperCase() : undefined,
    path: isPrefix ? path.slice(0, -1) : path,
    isPrefix,
  };
}

function parseAllowance(field: Field): Allowance {
  const { from, denied } = field.members(['from', 'denied']);
  if (!from.isPresent) from.fail('a list or comma-separated text of addresses and CIDRs');
  const text = Array.isArray(from.value)
    ? from
        .items()
        .map((item) => item.text())
        .join(',')
    : from.text();
  if (!text.includes('${')) {
    for (const part of text.split(',')) if (part.trim() !== '' && parsePrefix(part.trim()) === undefined) from.fail('addresses or CIDRs');
  }
  const reply = denied.isPresent
    ? parseReply(denied.members(['status', 'headers', 'body']), 'denied', 403, 'Forbidden\n')
    : { status: 403, headers: [], body: () => 'Forbidden\n', delayMs: 0 };
  return { from: compileTemplate(from, text, 'container'), denied: reply };
}

/** Source addresses from the environment: what is none is left out, as such programs do. */
function parseSources(text: string): { readonly prefixes: readonly Prefix[]; readonly text: string } {
  const parts = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  const prefixes = parts.map(parsePrefix).filter((prefix) => prefix !== undefined);
  return { prefixes, text: parts.join(', ') };
}

function answer(rules: readonly RouteRule[], values: TemplateValues & { readonly request: HttpRequest }): HttpResponse {
  const { request } = values;
  const path = request.path.split('?')[0] as string;
  let hasPath = false;
  for (const rule of rules) {
    if (rule.isPrefix ? !path.startsWith(rule.path) : path !== rule.path) continue;
    hasPath = true;
    if (rule.method === undefined || rule.method === request.method || (rule.method === 'GET' && request.method === 'HEAD'))
      return render(rule, values);
  }
  const headers = { 'Content-Type': 'text/plain; charset=utf-8' };
  return hasPath ? { status: 405, headers, body: 'Method Not Allowed\n' } : { status: 404, headers, body: '404 page not found\n' };
}

function render(reply: Reply, values: TemplateValues): HttpResponse {
  const headers: Record<string, string> = {};
  for (const [name, value] of reply.headers) headers[name] = value(values);
  const body = reply.body(values);
  if (body !== '' && !Object.keys(headers).some((name) => name.toLowerCase() === 'content-type'))
    headers['Content-Type'] = /^\s*[{[]/.test(body) ? 'application/json' : 'text/plain; charset=utf-8';
  return { status: reply.status, headers, body, ...(reply.delayMs > 0 ? { delayMs: reply.delayMs } : {}) };
}

const familyNames: Readonly<Record<string, readonly Family[]>> = { any: [4, 6], '': [4, 6], ipv4: [4], '4': [4], ipv6: [6], '6': [6] };

function parseRequest(field: Field): ProgramFactory {
  const { every, jitter, url, method, headers, body, family, timeout } = field.members([
    'every',
    'jitter',
    'url',
    'method',
    'headers',
    'body',
    'family',
    'timeout',
  ]);
  const everyMs = every.duration();
  if (everyMs < 10) every.fail('at least 10ms');
  const jitterMs = jitter.duration(0);
  const timeoutMs = timeout.duration(2000);
  const urlText = compileTemplate(url, url.text(), 'container');
  const methodText = method.text('GET').toUpperCase();
  const headerTexts = Object.entries(headers.texts()).map(([name, text]) => [name, compileTemplate(headers, text, 'container')] as const);
  const bodyText = compileTemplate(body, body.scalar(''), 'container');
  const familyText = compileTemplate(family, family.scalar('any'), 'container');
  const isFixed = !family.scalar('any').includes('${');
  if (isFixed && familyNames[family.scalar('any')] === undefined) family.fail('any, ipv4, ipv6');
  const path = field.path.replace(/\D/g, '');
  return (container): Program => {
    const values = { container };
    const target = urlText(values);
    const families = familyNames[familyText(values).toLowerCase()];
    if (families === undefined) container.writeLog(`not an IP family: ${familyText(values)} (any, ipv4, ipv6)`, 'stderr');
    if (target === '' || families === undefined) return { name: 'request', start: () => {}, stop: () => {} };
    return periodicRequest(container, {
      name: `request-${path}`,
      everyMs,
      jitterMs,
      timeoutMs,
      url: target,
      method: methodText,
      headers: Object.fromEntries(headerTexts.map(([name, value]) => [name, value(values)])),
      body: bodyText(values),
      families,
    });
  };
}
