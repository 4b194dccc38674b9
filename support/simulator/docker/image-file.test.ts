import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { createTestbed, type Testbed } from '../linux/testbed.ts';
import { parseImageFile } from './image-file.ts';

function load(testbed: Testbed, text: string): void {
  for (const image of parseImageFile(parse(text), 'images/web.yaml')) testbed.engine.images.add(image);
}

describe('a described image', () => {
  it('serves its routes', async () => {
    const testbed = createTestbed();
    load(
      testbed,
      `
images: [registry.example/team/web, registry.example/team/site]
commands: [curl]
shell: bash
env: {GREETING: hello}
files: {/etc/motd: "welcome\\n"}
servers:
  - port: "\${PORT:-8080}"
    routes:
      - {path: /v1/, method: GET, body: "\${hostname} \${env.GREETING} \${client.ip}>\${server.ip}:\${server.port} \${request.path}?\${request.query} $\${x}\\n"}
      - {path: /v1/order, method: POST, status: 201, headers: {X-Kind: "\${request.headers.x-kind}"}, body: '{"got": "\${request.body}"}'}
      - {path: /files/*, body: "a file\\n"}
`,
    );
    const { engine } = testbed;
    engine.createNetwork({ name: 'lab', subnets: ['198.51.100.0/24'] });
    engine.createContainer({ name: 'web', hostname: 'web', image: 'registry.example/team/web:1.0', networkMode: 'lab' }).start();
    engine
      .createContainer({ name: 'site', hostname: 'site', image: 'registry.example/team/site', networkMode: 'lab', env: { PORT: '9000' } })
      .start();
    const get = async (...args: string[]): Promise<string> => (await testbed.exec('site', ['curl', '-s', ...args])).stdout;
    expect(await get('http://web:8080/v1/?a=1')).toBe('web hello 198.51.100.3>198.51.100.2:8080 /v1/?a=1 ${x}\n');
    expect(await get('http://site:9000/files/a/b')).toBe('a file\n');
    expect(await get('-i', '-H', 'X-Kind: ship', '-d', 'x', 'http://web:8080/v1/order')).toBe(
      'HTTP/1.1 201 Created\nX-Kind: ship\nContent-Type: application/json\nContent-Length: 12\nConnection: close\n\n{"got": "x"}',
    );
    expect(await get('-X', 'DELETE', '-w', '%{http_code}', 'http://web:8080/v1/')).toBe('Method Not Allowed\n405');
    expect(await get('-w', '%{http_code}', 'http://web:8080/nope')).toBe('404 page not found\n404');
    expect((await testbed.exec('web', ['cat', '/etc/motd'])).stdout).toBe('welcome\n');
  });

  it('checks source addresses before its routes', async () => {
    const testbed = createTestbed();
    load(
      testbed,
      `
images: [guard]
servers:
  - port: 80
    allow:
      from: \${env.ALLOWED}
      denied: {status: 200, body: "no \${client.ip} (\${allowed})\\n"}
    routes: [{body: "yes \${client.ip}\\n"}]
`,
    );
    const { engine } = testbed;
    engine.createNetwork({ name: 'lab', subnets: ['198.51.100.0/24'] });
    engine.createContainer({ name: 'guard', image: 'guard', networkMode: 'lab', env: { ALLOWED: '198.51.100.3, 203.0.113.0/24' } }).start();
    for (const name of ['friend', 'stranger'])
      engine.createContainer({ name, image: 'curlimages/curl', networkMode: 'lab', entrypoint: ['sleep', 'infinity'] }).start();
    expect((await testbed.exec('friend', ['curl', '-s', 'http://guard/'])).stdout).toBe('yes 198.51.100.3\n');
    expect((await testbed.exec('stranger', ['curl', '-s', 'http://guard/'])).stdout).toBe(
      'no 198.51.100.4 (198.51.100.3, 203.0.113.0/24)\n',
    );
  });

  it('asks again and again, in time and over the family it was told', async () => {
    const testbed = createTestbed();
    load(
      testbed,
      `
images: [client]
env: {FAMILY: any}
requests:
  - {every: 1s, jitter: 100ms, url: "http://\${env.TARGET}/ping", family: "\${env.FAMILY}", timeout: 500ms}
  - {every: 1s, url: "\${env.NOBODY}"}
---
`.replace('---\n', ''),
    );
    const { engine } = testbed;
    engine.createNetwork({ name: 'lab', subnets: ['198.51.100.0/24', '2001:db8:1::/64'] });
    const web = engine.createContainer({ name: 'web', image: 'nginx', networkMode: 'lab' });
    web.start();
    for (const [name, FAMILY] of [
      ['any', 'any'],
      ['four', 'ipv4'],
    ] as const) {
      engine.createContainer({ name, image: 'client', networkMode: 'lab', env: { TARGET: 'web', FAMILY } }).start();
    }
    testbed.clock.advance(20_000);
    const from = (address: string): number => web.log.filter((line) => line.text.startsWith(address)).length;
    expect([from('2001:db8:1::3'), from('198.51.100.3'), from('198.51.100.4'), from('2001:db8:1::4')]).toEqual([
      expect.closeTo(19, -1),
      0,
      expect.closeTo(19, -1),
      0,
    ]);
    expect(from('2001:db8:1::3')).toBeGreaterThan(15);
    web.stop();
    const before = web.log.length;
    testbed.clock.advance(10_000);
    web.start();
    testbed.clock.advance(5000);
    expect(web.log.length).toBeGreaterThan(before + 4);
  });

  it('is ready when it says so, and ends when it says so', async () => {
    const testbed = createTestbed();
    load(testbed, 'images: [slow]\nservers: [{port: 80, readyAfter: 2s, routes: [{body: ok}]}]\nexit: {after: 10s, code: 4}\n');
    const container = testbed.engine.createContainer({ name: 'slow', image: 'slow' });
    container.start();
    const isReady = (): boolean => container.programs.every((program) => program.isReady?.() ?? true);
    expect(isReady()).toBe(false);
    testbed.clock.advance(2000);
    expect(isReady()).toBe(true);
    testbed.clock.advance(8000);
    expect([container.state, container.exitCode]).toEqual(['exited', 4]);
  });

  it.each([
    {
      text: 'images: [app]\nservers: [{port: 80}]',
      command: ['sleep', 'infinity'],
      entrypoint: undefined,
      line: '/app sleep infinity',
      count: 1,
      why: 'arguments go to the described program',
    },
    {
      text: 'images: [app]\nservers: [{port: 80}]',
      command: undefined,
      entrypoint: ['sleep', 'infinity'],
      line: 'sleep infinity',
      count: 0,
      why: 'another entry point replaces it',
    },
    {
      text: 'images: [app]\ncommand: [node, app.js]\nservers: [{port: 80}]',
      command: ['sleep', 'infinity'],
      entrypoint: undefined,
      line: 'sleep infinity',
      count: 0,
      why: 'a command replaces a command',
    },
    {
      text: 'images: [app]\ncommand: [node, app.js]\nservers: [{port: 80}]',
      command: undefined,
      entrypoint: undefined,
      line: 'node app.js',
      count: 1,
      why: 'nothing replaces it',
    },
  ])('$why', async ({ text, command, entrypoint, line, count }) => {
    const testbed = createTestbed();
    load(testbed, text);
    const container = testbed.engine.createContainer({
      name: 'app',
      image: 'app',
      ...(command === undefined ? {} : { command }),
      ...(entrypoint === undefined ? {} : { entrypoint }),
    });
    container.start();
    expect(container.programs).toHaveLength(count);
    expect((await testbed.type('docker inspect -f \'{{.Path}} {{join .Args " "}}\' app')).stdout).toBe(`${line}\n`);
  });
});

describe('a broken image file', () => {
  it.each([
    {
      text: 'images: [a]\nserver: []',
      message:
        'server: unknown key; known here: images, commands, shell, entrypoint, command, env, files, servers, requests, preloaded, exit',
    },
    { text: 'shell: sh', message: 'images: expected a list of image names, saw nothing' },
    { text: 'images: web', message: 'images: expected a list, saw "web"' },
    { text: 'images: [web:1.0]', message: 'images[0]: expected a name without tag, saw "web:1.0"' },
    { text: 'images: [Web]', message: 'images[0]: expected an image name such as registry.example/team/web, saw "Web"' },
    { text: 'images: [a]\nshell: zsh', message: 'shell: expected bash, sh, none, saw "zsh"' },
    { text: 'images: [a]\nservers: [{}]', message: 'servers[0].port: expected a port, saw nothing' },
    { text: 'images: [a]\nservers: [{port: 70000}]', message: 'servers[0].port: expected a whole number from 1 to 65535, saw 70000' },
    {
      text: 'images: [a]\nservers: [{port: 80, routes: [{}, {pth: /}]}]',
      message: 'servers[0].routes[1].pth: unknown key; known here: method, path, status, headers, body, delay',
    },
    {
      text: 'images: [a]\nservers: [{port: 80, routes: [{path: v1}]}]',
      message: 'servers[0].routes[0].path: expected a path that starts with /, saw "v1"',
    },
    {
      text: 'images: [a]\nservers: [{port: 80, routes: [{status: ok}]}]',
      message: 'servers[0].routes[0].status: expected a whole number from 100 to 599, saw "ok"',
    },
    {
      text: 'images: [a]\nservers: [{port: 80, routes: [{body: "${host}"}]}]',
      message:
        'servers[0].routes[0].body: expected only ${hostname}, ${env.NAME}, ${env.NAME:-DEFAULT}, ${client.ip}, ${client.port}, ${server.ip}, ${server.port}, ${request.method}, ${request.path}, ${request.query}, ${request.body}, ${request.headers.NAME} in it (write $${ for a plain ${), saw "${host}"',
    },
    {
      text: 'images: [a]\nservers: [{port: 80, allow: {from: "192.0.2.1, nobody"}}]',
      message: 'servers[0].allow.from: expected addresses or CIDRs, saw "192.0.2.1, nobody"',
    },
    {
      text: 'images: [a]\nrequests: [{url: http://web}]',
      message: 'requests[0].every: expected a duration such as 500ms, 2s or 1m, saw nothing',
    },
    {
      text: 'images: [a]\nrequests: [{every: 1, url: http://web}]',
      message: 'requests[0].every: expected a duration such as 500ms, 2s or 1m, saw 1',
    },
    {
      text: 'images: [a]\nrequests: [{every: 1s, url: http://web, family: ipv5}]',
      message: 'requests[0].family: expected any, ipv4, ipv6, saw "ipv5"',
    },
    { text: '- a', message: 'the document: expected a mapping, saw a list' },
  ])('$text', ({ text, message }) => {
    expect(() => parseImageFile(parse(text), 'images/a.yaml')).toThrow(new Error(`images/a.yaml: ${message}`));
  });
});
