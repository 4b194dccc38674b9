import { beforeAll, describe, expect, it } from 'vitest';
import { serveHttp } from '../../net/http.ts';
import { createRoutedTestbed, type Testbed } from '../testbed.ts';
import { expandUrl, parseUrl } from './curl-options.ts';

describe('curl across a router', () => {
  let testbed: Testbed;
  beforeAll(async () => {
    testbed = await createRoutedTestbed();
    const right = testbed.engine.findContainer('right');
    if (right === undefined) throw new Error('no right');
    const { namespace } = right;
    serveHttp(namespace, { port: 80 }, ({ method, path, headers, body }) => {
      if (path === '/moved') return { status: 302, headers: { Location: '/v1/' } };
      if (path === '/slow') return { status: 200, body: 'late\n', delayMs: 5000 };
      if (path === '/missing') return { status: 404, headers: { 'Content-Type': 'text/plain' }, body: 'nothing here\n' };
      if (path === '/echo')
        return { status: 200, body: `${method} ${headers.get('content-type') ?? '-'} ${headers.get('x-a') ?? '-'} ${body}\n` };
      return { status: 200, headers: { 'Content-Type': 'text/plain' }, body: '{ "¯": 1 }\n' };
    });
    namespace.sockets.listen({ port: 8081, onConnection: () => {} });
    namespace.sockets.listen({ port: 8082, onConnection: (connection) => connection.end() });
    namespace.sockets.listen({
      port: 8083,
      onConnection: (connection) => {
        connection.handlers = { onData: () => connection.abort() };
      },
    });
  });

  // texts and statuses as recorded with curl 7.88.1
  it.each([
    { name: 'an answer over IPv4', args: ['-sS', 'http://203.0.113.2/v1/'], stdout: '{ "¯": 1 }\n' },
    { name: 'an answer over IPv6', args: ['http://[2001:db8:2::2]/v1/'], stdout: '{ "¯": 1 }\n' },
    {
      name: 'headers',
      args: ['-sS', '-i', '203.0.113.2'],
      stdout: 'HTTP/1.1 200 OK\nContent-Type: text/plain\nContent-Length: 12\nConnection: close\n\n{ "¯": 1 }\n',
    },
    {
      name: '-v over IPv6',
      args: ['-v', 'http://[2001:db8:2::2]/v1/'],
      stdout: '{ "¯": 1 }\n',
      stderr: `*   Trying [2001:db8:2::2]:80...
* Connected to 2001:db8:2::2 (2001:db8:2::2) port 80 (#0)
> GET /v1/ HTTP/1.1
> Host: [2001:db8:2::2]
> User-Agent: curl/7.88.1
> Accept: */*
> 
< HTTP/1.1 200 OK
< Content-Type: text/plain
< Content-Length: 12
< Connection: close
< 
{ [12 bytes data]
* Closing connection 0
`,
    },
    {
      name: 'a refused port',
      args: ['-sS', 'http://203.0.113.2:81/'],
      stderr: "curl: (7) Failed to connect to 203.0.113.2 port 81 after 0 ms: Couldn't connect to server\n",
      exitCode: 7,
    },
    {
      name: 'a refused port, IPv6',
      args: ['-sS', 'http://[2001:db8:2::2]:81/'],
      stderr: "curl: (7) Failed to connect to 2001:db8:2::2 port 81 after 0 ms: Couldn't connect to server\n",
      exitCode: 7,
    },
    { name: 'a refused port, silent', args: ['-s', 'http://203.0.113.2:81/'], exitCode: 7 },
    {
      name: 'a refused port, -v',
      args: ['-sS', '-v', 'http://203.0.113.2:81/'],
      stderr: `*   Trying 203.0.113.2:81...
* connect to 203.0.113.2 port 81 failed: Connection refused
* Failed to connect to 203.0.113.2 port 81 after 0 ms: Couldn't connect to server
* Closing connection 0
curl: (7) Failed to connect to 203.0.113.2 port 81 after 0 ms: Couldn't connect to server
`,
      exitCode: 7,
    },
    {
      name: 'a blackhole, --max-time',
      args: ['-sS', '--max-time', '2', 'http://192.0.2.9/'],
      stderr: 'curl: (28) Connection timed out after 2001 milliseconds\n',
      exitCode: 28,
    },
    {
      name: 'a blackhole, IPv6',
      args: ['-sS', '-m2', 'http://[2001:db8:b::9]/'],
      stderr: 'curl: (28) Connection timed out after 2001 milliseconds\n',
      exitCode: 28,
    },
    { name: 'a blackhole, silent', args: ['-s', '--max-time', '2', 'http://192.0.2.9/'], exitCode: 28 },
    {
      name: 'a blackhole, --connect-timeout',
      args: ['-sS', '--connect-timeout', '2', 'http://192.0.2.9/'],
      stderr: 'curl: (28) Failed to connect to 192.0.2.9 port 80 after 2001 ms: Timeout was reached\n',
      exitCode: 28,
    },
    {
      name: 'an unreachable route on the way',
      args: ['-sS', '--max-time', '5', 'http://192.0.2.130/'],
      stderr: "curl: (7) Failed to connect to 192.0.2.130 port 80 after 0 ms: Couldn't connect to server\n",
      exitCode: 7,
    },
    {
      name: 'a prohibit route on the way',
      args: ['-sS', '--max-time', '5', 'http://192.0.2.200/'],
      stderr: "curl: (7) Failed to connect to 192.0.2.200 port 80 after 0 ms: Couldn't connect to server\n",
      exitCode: 7,
    },
    {
      name: 'nobody at the address',
      args: ['-sS', '--max-time', '10', 'http://198.51.100.77/'],
      stderr: "curl: (7) Failed to connect to 198.51.100.77 port 80 after 3060 ms: Couldn't connect to server\n",
      exitCode: 7,
    },
    {
      name: 'connected but no answer',
      args: ['-sS', '--max-time', '2', 'http://203.0.113.2:8081/'],
      stderr: 'curl: (28) Operation timed out after 2001 milliseconds with 0 bytes received\n',
      exitCode: 28,
    },
    {
      name: 'closed without an answer',
      args: ['-sS', 'http://203.0.113.2:8082/'],
      stderr: 'curl: (52) Empty reply from server\n',
      exitCode: 52,
    },
    {
      name: 'reset',
      args: ['-sS', 'http://203.0.113.2:8083/'],
      stderr: 'curl: (56) Recv failure: Connection reset by peer\n',
      exitCode: 56,
    },
    {
      name: 'a name that does not resolve',
      args: ['-sS', 'http://web.example/'],
      stderr: 'curl: (6) Could not resolve host: web.example\n',
      exitCode: 6,
    },
    {
      name: 'IPv6 without brackets',
      args: ['-sS', 'http://2001:db8:2::2/v1/'],
      stderr: 'curl: (3) URL using bad/illegal format or missing URL\n',
      exitCode: 3,
    },
    {
      name: 'a bad port',
      args: ['-sS', 'http://203.0.113.2:99999/'],
      stderr: 'curl: (3) URL using bad/illegal format or missing URL\n',
      exitCode: 3,
    },
    {
      name: 'an unknown option',
      args: ['--max-tme', '2', 'http://203.0.113.2/'],
      stderr: "curl: option --max-tme: is unknown\ncurl: try 'curl --help' or 'curl --manual' for more information\n",
      exitCode: 2,
    },
    {
      name: 'no URL',
      args: [],
      stderr: "curl: no URL specified!\ncurl: try 'curl --help' or 'curl --manual' for more information\n",
      exitCode: 2,
    },
    { name: 'TLS', args: ['-k', 'https://203.0.113.2/'], stderr: 'curl: (35) not simulated: https\n', exitCode: 35 },
    {
      name: '-f',
      args: ['-sSf', 'http://203.0.113.2/missing'],
      stderr: 'curl: (22) The requested URL returned error: 404\n',
      exitCode: 22,
    },
    {
      name: 'a status by -w',
      args: ['-s', '-o', '/dev/null', '-w', '%{http_code} %{remote_ip}:%{remote_port} %{size_download}\\n', 'http://203.0.113.2/missing'],
      stdout: '404 203.0.113.2:80 13\n',
    },
    {
      name: 'a failure by -w',
      args: ['-s', '-o', '/dev/null', '-w', '%{http_code} %{exitcode}', '-m', '1', 'http://192.0.2.9/'],
      stdout: '000 28',
      exitCode: 28,
    },
    {
      name: 'a redirect, followed',
      args: ['-sSL', '-w', '%{num_redirects} %{url_effective}', 'http://203.0.113.2/moved'],
      stdout: '{ "¯": 1 }\n1 http://203.0.113.2/v1/',
    },
    {
      name: 'data',
      args: ['-s', '-d', 'a=1', '-d', 'b=2', '-H', 'X-A: yes', 'http://203.0.113.2/echo'],
      stdout: 'POST application/x-www-form-urlencoded yes a=1&b=2\n',
    },
    { name: '-X PUT --json', args: ['-s', '-X', 'PUT', '--json', '{}', 'http://203.0.113.2/echo'], stdout: 'PUT application/json - {}\n' },
    { name: 'several URLs', args: ['-s', 'http://203.0.113.2/v{1,2}'], stdout: '{ "¯": 1 }\n{ "¯": 1 }\n' },
    { name: '--resolve', args: ['-s', '--resolve', 'web.example:80:203.0.113.2', 'http://web.example/'], stdout: '{ "¯": 1 }\n' },
    {
      name: 'a device that is not there',
      args: ['-sS', '--interface', 'net7', 'http://203.0.113.2/'],
      stderr: "curl: (45) Couldn't bind to 'net7'\n",
      exitCode: 45,
    },
    {
      name: 'a slow server, in time',
      args: ['-s', '-w', '%{time_total}', '-o', '/dev/null', 'http://203.0.113.2/slow'],
      stdout: '5.000160',
    },
  ])('$name', async ({ args, stdout = '', stderr = '', exitCode = 0 }) => {
    expect(await testbed.exec('left', ['curl', ...args])).toEqual({ stdout, stderr, exitCode });
  });

  it('has no route of its own to try', async () => {
    expect(await testbed.exec('router', ['curl', '-sS', 'http://10.0.0.1/'])).toEqual({
      stdout: '',
      stderr: "curl: (7) Failed to connect to 10.0.0.1 port 80 after 0 ms: Couldn't connect to server\n",
      exitCode: 7,
    });
  });

  it('writes to a file', async () => {
    await testbed.exec('left', ['curl', '-so', '/tmp/answer', 'http://203.0.113.2/']);
    expect(await testbed.exec('left', ['cat', '/tmp/answer'])).toEqual({ stdout: '{ "¯": 1 }\n', stderr: '', exitCode: 0 });
  });
});

describe('wget', () => {
  it('prints what a server answers, and BusyBox words for failures', async () => {
    const testbed = await createRoutedTestbed();
    const right = testbed.engine.findContainer('right');
    if (right === undefined) throw new Error('no right');
    serveHttp(right.namespace, { port: 80 }, ({ path }) => (path === '/' ? { status: 200, body: 'hello\n' } : { status: 404 }));
    expect(await testbed.exec('left', ['wget', '-qO-', 'http://203.0.113.2/'])).toEqual({ stdout: 'hello\n', stderr: '', exitCode: 0 });
    expect(await testbed.exec('left', ['wget', '-O-', '203.0.113.2/x'])).toEqual({
      stdout: '',
      stderr: 'Connecting to 203.0.113.2 (203.0.113.2:80)\nwget: server returned error: HTTP/1.1 404 Not Found\n',
      exitCode: 1,
    });
    expect(await testbed.exec('left', ['wget', '-q', '-T', '2', 'http://192.0.2.1/'])).toEqual({
      stdout: '',
      stderr: 'wget: download timed out\n',
      exitCode: 1,
    });
    expect(await testbed.exec('left', ['wget', '-q', 'http://203.0.113.2:81/'])).toEqual({
      stdout: '',
      stderr: "wget: can't connect to remote host (203.0.113.2): Connection refused\n",
      exitCode: 1,
    });
  });
});

describe('URLs', () => {
  it.each([
    { text: 'http://192.0.2.1', url: { scheme: 'http', host: '192.0.2.1', authority: '192.0.2.1', port: 80, path: '/', user: undefined } },
    { text: 'web:8080/a?b=c#d', url: { scheme: 'http', host: 'web', authority: 'web:8080', port: 8080, path: '/a?b=c', user: undefined } },
    {
      text: 'http://u:p@[2001:db8::1]:80?x',
      url: { scheme: 'http', host: '2001:db8::1', authority: '[2001:db8::1]', port: 80, path: '/?x', user: 'u:p' },
    },
    { text: 'http://', url: undefined },
    { text: 'http://a b/', url: undefined },
    { text: 'http://[2001:db8::1/', url: undefined },
  ])('$text', ({ text, url }) => expect(parseUrl(text)).toEqual(url));

  it('expands ranges and lists but not IPv6 addresses', () => {
    expect(expandUrl('http://[2001:db8::1]/{a,b}/[8-10]')).toEqual(
      ['a', 'b'].flatMap((part) => ['8', '9', '10'].map((number) => `http://[2001:db8::1]/${part}/${number}`)),
    );
  });
});
