import type { HttpRequest, HttpResponse } from '../../net/http.ts';
import { civilTime, formatDate, formatTime } from '../timestamp.ts';
import type { Container, Program } from '../types.ts';
import { httpServer } from './http-server.ts';

const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `Mon, 12 Jan 2026 08:00:00 GMT` (RFC 9110 §5.6.7). */
export function httpDate(epochMs: number): string {
  const time = civilTime(epochMs);
  return `${days[time.weekday]}, ${String(time.day).padStart(2, '0')} ${months[time.month - 1]} ${time.year} ${formatTime(time)} GMT`;
}

/** `12/Jan/2026:08:00:00 +0000`, as access logs have it. */
function logDate(epochMs: number): string {
  const time = civilTime(epochMs);
  return `${String(time.day).padStart(2, '0')}/${months[time.month - 1]}/${time.year}:${formatTime(time)} +0000`;
}

function now(container: Container): number {
  return container.namespace.network.clock.now();
}

function logAccess(container: Container, request: HttpRequest, response: HttpResponse, style: 'nginx' | 'httpd' | 'python'): void {
  const size = new TextEncoder().encode(response.body ?? '').length;
  const line = `"${request.method} ${request.path} HTTP/1.1" ${response.status}`;
  const client = request.remote.ip.text;
  if (style === 'python') {
    const time = civilTime(now(container));
    container.writeLog(
      `${client} - - [${String(time.day).padStart(2, '0')}/${months[time.month - 1]}/${time.year} ${formatTime(time)}] ${line} -`,
      'stderr',
    );
    return;
  }
  const tail = style === 'nginx' ? ` "${request.headers.get('referer') ?? '-'}" "${request.headers.get('user-agent') ?? '-'}" "-"` : '';
  container.writeLog(`${client} - - [${logDate(now(container))}] ${line} ${size}${tail}`);
}

function pathOf(request: HttpRequest): string {
  return request.path.split('?')[0] as string;
}

function contentType(path: string): string {
  const types: Readonly<Record<string, string>> = {
    html: 'text/html',
    htm: 'text/html',
    txt: 'text/plain',
    json: 'application/json',
    css: 'text/css',
    js: 'application/javascript',
    xml: 'text/xml',
  };
  return types[path.split('.').pop() ?? ''] ?? 'application/octet-stream';
}

function fileFor(container: Container, root: string, request: HttpRequest): { readonly path: string; readonly text: string } | undefined {
  const path = pathOf(request);
  if (path.split('/').includes('..')) return undefined;
  const full = root + (path.endsWith('/') ? `${path}index.html` : path);
  const text = container.files.read(full);
  return text === undefined ? undefined : { path: full, text };
}

export const nginxPage = `<!DOCTYPE html>
<html>
<head>
<title>Welcome to nginx!</title>
<style>
html { color-scheme: light dark; }
body { width: 35em; margin: 0 auto;
font-family: Tahoma, Verdana, Arial, sans-serif; }
</style>
</head>
<body>
<h1>Welcome to nginx!</h1>
<p>If you see this page, the nginx web server is successfully installed and
working. Further configuration is required.</p>

<p>For online documentation and support please refer to
<a href="http://nginx.org/">nginx.org</a>.<br/>
Commercial support is available at
<a href="http://nginx.com/">nginx.com</a>.</p>

<p><em>Thank you for using nginx.</em></p>
</body>
</html>
`;

const nginxVersion = '1.27.2';

/** nginx with its default configuration: files below /usr/share/nginx/html. Other configuration is not modelled. */
export function nginx(container: Container, port = 80): Program {
  return httpServer(container, {
    name: 'nginx',
    port,
    respond(request) {
      const base = { Server: `nginx/${nginxVersion}`, Date: httpDate(now(container)) };
      const file = fileFor(container, '/usr/share/nginx/html', request);
      let response: HttpResponse;
      if (request.method !== 'GET' && request.method !== 'HEAD')
        response = { status: 405, headers: { ...base, 'Content-Type': 'text/html' }, body: errorPage('405 Not Allowed') };
      else if (file === undefined)
        response = { status: 404, headers: { ...base, 'Content-Type': 'text/html' }, body: errorPage('404 Not Found') };
      else response = { status: 200, headers: { ...base, 'Content-Type': contentType(file.path) }, body: file.text };
      logAccess(container, request, response, 'nginx');
      return response;
    },
  });
}

function errorPage(title: string): string {
  const lines = [
    '<html>',
    `<head><title>${title}</title></head>`,
    '<body>',
    `<center><h1>${title}</h1></center>`,
    `<hr><center>nginx/${nginxVersion}</center>`,
    '</body>',
    '</html>',
  ];
  return lines.map((line) => `${line}\r\n`).join('');
}

export const httpdPage = '<html><body><h1>It works!</h1></body></html>\n';

/** Apache httpd with its default configuration: files below /usr/local/apache2/htdocs. */
export function httpd(container: Container): Program {
  return httpServer(container, {
    name: 'httpd',
    port: 80,
    respond(request) {
      const base = { Date: httpDate(now(container)), Server: 'Apache/2.4.62 (Unix)' };
      const file = fileFor(container, '/usr/local/apache2/htdocs', request);
      const missing =
        '<!DOCTYPE HTML PUBLIC "-//IETF//DTD HTML 2.0//EN">\n<html><head>\n<title>404 Not Found</title>\n</head><body>\n<h1>Not Found</h1>\n<p>The requested URL was not found on this server.</p>\n</body></html>\n';
      const response: HttpResponse =
        file === undefined
          ? { status: 404, headers: { ...base, 'Content-Type': 'text/html; charset=iso-8859-1' }, body: missing }
          : { status: 200, headers: { ...base, 'Content-Type': contentType(file.path) }, body: file.text };
      logAccess(container, request, response, 'httpd');
      return response;
    },
  });
}

/** `python3 -m http.server`: the files of the working folder. */
export function pythonHttpServer(container: Container, port: number): Program {
  const root = (container.options.workingDirectory ?? '').replace(/\/$/, '');
  return httpServer(container, {
    name: 'python3',
    port,
    respond(request) {
      const base = { Server: 'SimpleHTTP/0.6 Python/3.12.7', Date: httpDate(now(container)) };
      const path = pathOf(request);
      const file = fileFor(container, root, request);
      const names = container.files.list(`${root}${path}`);
      let response: HttpResponse;
      if (file !== undefined) response = { status: 200, headers: { ...base, 'Content-type': contentType(file.path) }, body: file.text };
      else if (names !== undefined && path.endsWith('/')) {
        const items = names.map((name) => {
          const shown = container.files.isDirectory(`${root}${path}${name}`) ? `${name}/` : name;
          return `<li><a href="${shown}">${shown}</a></li>\n`;
        });
        const title = `Directory listing for ${path}`;
        response = {
          status: 200,
          headers: { ...base, 'Content-type': 'text/html; charset=utf-8' },
          body: `<!DOCTYPE HTML>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>${title}</title>\n</head>\n<body>\n<h1>${title}</h1>\n<hr>\n<ul>\n${items.join('')}</ul>\n<hr>\n</body>\n</html>\n`,
        };
      } else {
        response = {
          status: 404,
          reason: 'File not found',
          headers: { ...base, 'Content-Type': 'text/html;charset=utf-8' },
          body: '<!DOCTYPE HTML>\n<html lang="en">\n    <head>\n        <meta charset="utf-8">\n        <title>Error response</title>\n    </head>\n    <body>\n        <h1>Error response</h1>\n        <p>Error code: 404</p>\n        <p>Message: File not found.</p>\n        <p>Error code explanation: 404 - Nothing matches the given URI.</p>\n    </body>\n</html>\n',
        };
      }
      logAccess(container, request, response, 'python');
      return response;
    },
  });
}

function requestHead(request: HttpRequest): string {
  return `${request.method} ${request.path} HTTP/1.1\n${[...request.headers].map(([name, value]) => `${name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase())}: ${value}\n`).join('')}`;
}

function ownAddresses(container: Container): readonly string[] {
  return container.namespace.interfaces.flatMap((device) => (device.isAdminUp ? device.addresses.map((address) => address.ip.text) : []));
}

/** traefik/whoami. */
export function whoami(container: Container, port = 80): Program {
  return httpServer(container, {
    name: 'whoami',
    port,
    respond(request) {
      const path = pathOf(request);
      if (path === '/health') return { status: 200, body: '' };
      const { ip, port: clientPort } = request.remote;
      const remote = ip.family === 6 ? `[${ip.text}]:${clientPort}` : `${ip.text}:${clientPort}`;
      const name = container.env.get('WHOAMI_NAME');
      const text = `${name === undefined ? '' : `Name: ${name}\n`}Hostname: ${container.hostname}\n${ownAddresses(container)
        .map((address) => `IP: ${address}\n`)
        .join('')}RemoteAddr: ${remote}\n${requestHead(request)}\n`;
      return { status: 200, headers: { Date: httpDate(now(container)), 'Content-Type': 'text/plain; charset=utf-8' }, body: text };
    },
  });
}

/** hashicorp/http-echo: `-text=…`, `-listen=:5678`, `-status-code=200`. */
export function httpEcho(container: Container, args: readonly string[]): Program {
  const option = (name: string): string | undefined => {
    for (const [index, arg] of args.entries()) {
      const match = new RegExp(`^--?${name}(?:=(.*))?$`, 's').exec(arg);
      if (match !== null) return match[1] ?? args[index + 1];
    }
    return undefined;
  };
  const text = option('text') ?? container.env.get('ECHO_TEXT') ?? 'hello-world';
  const port = Number(/:(\d+)$/.exec(option('listen') ?? '')?.[1] ?? 5678);
  const status = Number(option('status-code') ?? 200);
  return httpServer(container, {
    name: 'http-echo',
    port,
    respond(request) {
      if (pathOf(request) === '/health')
        return { status: 200, headers: { 'X-App-Name': 'http-echo', 'X-App-Version': '1.0.0' }, body: '{"status":"ok"}\n' };
      return {
        status,
        headers: {
          'X-App-Name': 'http-echo',
          'X-App-Version': '1.0.0',
          Date: httpDate(now(container)),
          'Content-Type': 'text/plain; charset=utf-8',
        },
        body: `${text}\n`,
      };
    },
  });
}

/** ealen/echo-server: the request as JSON. */
export function echoServer(container: Container): Program {
  return httpServer(container, {
    name: 'node',
    port: Number(container.env.get('PORT') ?? 80),
    respond(request) {
      const query = Object.fromEntries(
        (request.path.split('?')[1] ?? '')
          .split('&')
          .flatMap((pair) => (pair === '' ? [] : [pair.split('=').map(decodeURIComponent) as [string, string]])),
      );
      const mapped = request.remote.ip.family === 4 ? `::ffff:${request.remote.ip.text}` : request.remote.ip.text;
      const value = {
        host: { hostname: (request.headers.get('host') ?? '').replace(/:\d+$/, ''), ip: mapped, ips: [] },
        http: { method: request.method, baseUrl: '', originalUrl: request.path, protocol: 'http' },
        request: { params: { '0': pathOf(request) }, query, cookies: {}, body: {}, headers: Object.fromEntries(request.headers) },
        environment: Object.fromEntries(container.env),
      };
      return { status: 200, headers: { 'Content-Type': 'application/json; charset=utf-8' }, body: JSON.stringify(value) };
    },
  });
}

/** agnhost netexec: `--http-port=8080`. */
export function netexec(container: Container, args: readonly string[]): Program {
  const at = args.findIndex((arg) => /^--?http-port/.test(arg));
  const written = at < 0 ? undefined : (/=(\d+)$/.exec(args[at] as string)?.[1] ?? args[at + 1]);
  return httpServer(container, {
    name: 'agnhost',
    port: Number(written ?? 8080),
    respond(request) {
      const { ip, port } = request.remote;
      const plain = (body: string, status = 200): HttpResponse => ({
        status,
        headers: { Date: httpDate(now(container)), 'Content-Type': 'text/plain; charset=utf-8' },
        body,
      });
      const parameter = (name: string): string | undefined => {
        const found = new RegExp(`[?&]${name}=([^&]*)`).exec(request.path)?.[1];
        return found === undefined ? undefined : decodeURIComponent(found.replaceAll('+', ' '));
      };
      switch (pathOf(request)) {
        case '/': {
          const time = civilTime(now(container));
          return plain(
            `NOW: ${formatDate(time)} ${formatTime(time)}.${String(Math.floor(time.milliseconds * 1000)).padStart(6, '0')}000 +0000 UTC m=+0.000000000`,
          );
        }
        case '/hostname':
        case '/hostName':
          return plain(container.hostname);
        case '/clientip':
          return plain(ip.family === 6 ? `[${ip.text}]:${port}` : `${ip.text}:${port}`);
        case '/echo':
          return plain(parameter('msg') ?? '', Number(parameter('code') ?? 200));
        case '/header':
          return plain(request.headers.get((parameter('key') ?? '').toLowerCase()) ?? '');
        case '/healthz':
          return plain('');
        default:
          return plain('404 page not found\n', 404);
      }
    },
  });
}

/** agnhost serve-hostname. */
export function serveHostname(container: Container): Program {
  return httpServer(container, {
    name: 'agnhost',
    port: 9376,
    respond: () => ({ status: 200, headers: { 'Content-Type': 'text/plain; charset=utf-8' }, body: container.hostname }),
  });
}
