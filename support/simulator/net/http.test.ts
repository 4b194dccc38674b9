import { describe, expect, it } from 'vitest';
import { ip } from './address.ts';
import { type HttpClientRequest, type HttpRequest, type ReceivedHttpResponse, requestHttp, serveHttp } from './http.ts';
import { clientRouterServer, watchPackets } from './test-network.ts';

type Lab = ReturnType<typeof clientRouterServer>;

function request(lab: Lab, options: Partial<HttpClientRequest> = {}): ReceivedHttpResponse | string {
  let result: ReceivedHttpResponse | string = 'nothing';
  requestHttp(
    lab.client,
    { endpoint: { ip: ip('198.51.100.2'), port: 80 }, method: 'GET', path: '/v1/', headers: { Host: '198.51.100.2' }, ...options },
    {
      onResponse(response) {
        result = response;
      },
      onError(error) {
        result = error;
      },
    },
  );
  lab.clock.runUntil(() => result !== 'nothing', 10_000);
  return result;
}

describe('HTTP', () => {
  it('exchanges a request and a response', () => {
    const lab = clientRouterServer();
    const requests: HttpRequest[] = [];
    serveHttp(lab.server, { port: 80, program: 'web' }, (incoming) => {
      requests.push(incoming);
      return { status: 200, headers: { 'Content-Type': 'text/plain' }, body: 'grüße\n' };
    });
    expect(request(lab, { method: 'POST', headers: { Host: 'web', 'X-Name': 'a: b' }, body: 'ünï' })).toEqual({
      status: 200,
      reason: 'OK',
      headers: { 'Content-Type': 'text/plain', 'Content-Length': '8', Connection: 'close' },
      body: 'grüße\n',
    });
    const [seen] = requests;
    expect([seen?.method, seen?.path, seen?.body, seen?.remote.ip.text, seen?.local]).toEqual([
      'POST',
      '/v1/',
      'ünï',
      '192.0.2.2',
      { ip: ip('198.51.100.2'), port: 80 },
    ]);
    expect([...(seen?.headers ?? [])]).toEqual([
      ['host', 'web'],
      ['x-name', 'a: b'],
      ['content-length', '5'],
    ]);
  });

  it('looks on the wire as curl does', () => {
    const lab = clientRouterServer();
    serveHttp(lab.server, { port: 80 }, () => ({ status: 200, body: 'hello' }));
    request(lab);
    lab.clock.advance(100);
    const seen = watchPackets(lab.serverEth);
    request(lab);
    lab.clock.advance(100);
    expect(seen).toEqual(['< SYN', '> SYN,ACK', '< ACK', '< PSH,ACK', '> ACK', '> PSH,ACK', '> FIN,ACK', '< FIN,ACK', '> ACK', '< ACK']);
    expect([lab.client.sockets.connections, lab.server.sockets.connections]).toEqual([[], []]);
  });

  it('carries more than a segment, and answers late', () => {
    const lab = clientRouterServer();
    serveHttp(lab.server, { port: 80 }, ({ body }) => ({ status: 201, body: body.repeat(10), delayMs: 700 }));
    const startedAt = lab.clock.now();
    expect(request(lab, { method: 'PUT', body: 'x'.repeat(5000) })).toMatchObject({
      status: 201,
      reason: 'Created',
      body: 'x'.repeat(50_000),
    });
    expect(Math.floor(lab.clock.now() - startedAt)).toBe(700);
  });

  it('leaves the body out of an answer to HEAD', () => {
    const lab = clientRouterServer();
    serveHttp(lab.server, { port: 80 }, () => ({ status: 200, body: 'hello' }));
    expect(request(lab, { method: 'HEAD' })).toMatchObject({ status: 200, headers: { 'Content-Length': '5' }, body: '' });
  });

  it.each([
    ['refused', () => {}, 'ECONNREFUSED'],
    [
      'closed without a word',
      (lab: Lab) => lab.server.sockets.listen({ port: 80, onConnection: (connection) => connection.end() }),
      'empty-reply',
    ],
    [
      'reset',
      (lab: Lab) =>
        lab.server.sockets.listen({
          port: 80,
          onConnection(connection) {
            connection.handlers = { onData: () => connection.abort() };
          },
        }),
      'ECONNRESET',
    ],
    ['connected without an answer', (lab: Lab) => lab.server.sockets.listen({ port: 80, onConnection() {} }), 'nothing'],
  ])('reports a connection that is %s', (_name, prepare, expected) => {
    const lab = clientRouterServer();
    prepare(lab);
    expect(request(lab)).toBe(expected);
  });

  it('gives up connecting in time, and on demand', () => {
    const lab = clientRouterServer();
    lab.serverEth.netem = { delayMs: 0, lossFraction: 1 };
    const startedAt = lab.clock.now();
    expect(request(lab, { connectTimeoutMs: 2000 })).toBe('ETIMEDOUT');
    expect(lab.clock.now() - startedAt).toBe(2000);
    const reports: string[] = [];
    const call = requestHttp(
      lab.client,
      { endpoint: { ip: ip('198.51.100.2'), port: 80 }, method: 'GET', path: '/', headers: {} },
      { onResponse: () => reports.push('response'), onError: (error) => reports.push(error) },
    );
    call.abort();
    lab.clock.advance(200_000);
    expect([reports, call.connection.state, lab.client.sockets.connections]).toEqual([[], 'CLOSED', []]);
  });
});
