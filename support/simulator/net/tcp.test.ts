import { describe, expect, it } from 'vitest';
import { ip, prefix } from './address.ts';
import { clientRouterServer, testNetwork, tryConnect, watchEnds, watchPackets } from './test-network.ts';
import type { Endpoint, TcpConnection, TcpHandlers } from './types.ts';

type Lab = ReturnType<typeof clientRouterServer>;

/** Connects the client to a server that says what happens to it; both sides tell their story. */
function conversation(lab: Lab, target = '198.51.100.2') {
  const story: string[] = [];
  const tell = (who: string): TcpHandlers => ({
    onConnected: () => story.push(`${who} connected`),
    onData: (bytes) => story.push(`${who} got ${bytes.length}`),
    onEnd: () => story.push(`${who} end`),
    onClose: (errno) => story.push(`${who} closed${errno === undefined ? '' : ` ${errno}`}`),
  });
  let accepted: TcpConnection | undefined;
  const listener = lab.server.sockets.listen({
    port: 80,
    onConnection(connection) {
      accepted = connection;
      connection.handlers = tell('server');
    },
  });
  const connection = lab.client.sockets.connect({ destination: { ip: ip(target), port: 80 }, handlers: tell('client') });
  lab.clock.advance(50);
  return { story, connection, listener, server: accepted as TcpConnection };
}

describe('a connection', () => {
  it('is made, carries data both ways and ends from either side', () => {
    const lab = clientRouterServer();
    const seen = watchPackets(lab.clientEth);
    const { story, connection, server } = conversation(lab);
    expect(seen).toEqual(['> request 192.0.2.1', '< reply 192.0.2.1', '> SYN', '< SYN,ACK', '> ACK']);
    connection.send(new Uint8Array(10));
    server.send(new Uint8Array(20));
    lab.clock.advance(10);
    connection.end();
    lab.clock.advance(10);
    expect([connection.state, server.state]).toEqual(['FIN-WAIT', 'CLOSE-WAIT']);
    server.send(new Uint8Array(30));
    server.end();
    lab.clock.advance(50);
    expect(story).toEqual([
      'client connected',
      'server got 10',
      'client got 20',
      'server end',
      'client got 30',
      'client end',
      'client closed',
      'server closed',
    ]);
    expect([connection.state, server.state, lab.client.sockets.connections, lab.server.sockets.connections]).toEqual([
      'CLOSED',
      'CLOSED',
      [],
      [],
    ]);
  });

  it('acknowledges data with the answer, at first at once, and after 40 ms when there is none', () => {
    const lab = clientRouterServer();
    const { connection, server } = conversation(lab);
    const seen = watchPackets(lab.clientEth);
    connection.send(new Uint8Array(10));
    lab.clock.advance(10);
    expect(seen).toEqual(['> PSH,ACK', '< ACK']);
    server.send(new Uint8Array(10));
    lab.clock.advance(39);
    expect(seen.slice(2)).toEqual(['< PSH,ACK']);
    lab.clock.advance(10);
    expect(seen.slice(3)).toEqual(['> ACK']);
  });

  it('cuts data into segments, and puts them together again on a lossy link', () => {
    const lab = clientRouterServer();
    lab.clientEth.netem = { delayMs: 1, lossFraction: 0.2 };
    const received: number[] = [];
    lab.server.sockets.listen({
      port: 80,
      onConnection(connection) {
        connection.handlers = { onData: (bytes) => received.push(...bytes), onEnd: () => connection.end() };
      },
    });
    const bytes = Uint8Array.from({ length: 20_000 }, (_, index) => index % 251);
    let isClosed = false;
    const connection = lab.client.sockets.connect({
      destination: { ip: ip('2001:db8:2::2'), port: 80 },
      handlers: { onClose: () => (isClosed = true) },
    });
    connection.send(bytes);
    connection.end();
    lab.clock.runUntil(() => isClosed, 600_000);
    expect(isClosed).toBe(true);
    expect(Uint8Array.from(received)).toEqual(bytes);
  });

  it('finds the size that a narrow link on the way takes', () => {
    const lab = clientRouterServer();
    lab.routerRight.setMtu(1300);
    const { story, connection } = conversation(lab);
    connection.send(new Uint8Array(3000));
    lab.clock.advance(1000);
    const sizes = story.filter((line) => line.startsWith('server got')).map((line) => Number(line.split(' ')[2]));
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(3000);
    expect(Math.max(...sizes)).toBe(1300 - 52);
  });

  it('is refused where nobody listens, and reset by abort', () => {
    const lab = clientRouterServer();
    expect(tryConnect(lab, lab.client, '198.51.100.2', 81)).toMatchObject({ result: 'ECONNREFUSED' });
    const { story, server } = conversation(lab);
    server.abort();
    lab.clock.advance(10);
    expect(story.slice(1)).toEqual(['client closed ECONNRESET']);
  });

  it('that nobody answers is given up after 127 s', () => {
    const lab = clientRouterServer();
    lab.middle.routes.add({ destination: prefix('203.0.113.0/24'), type: 'blackhole' });
    const seen = watchPackets(lab.clientEth);
    expect(tryConnect(lab, lab.client, '203.0.113.9', 80)).toEqual({ result: 'ETIMEDOUT', ms: 127_000 });
    expect(seen.filter((line) => line === '> SYN')).toHaveLength(7);
  });

  it('whose peer has vanished learns by its time-out', () => {
    const lab = clientRouterServer();
    const { story, connection } = conversation(lab);
    lab.server.delete();
    connection.send(new Uint8Array(1));
    lab.clock.advance(60_000);
    expect(story).toEqual(['client connected']);
    lab.clock.advance(1_000_000);
    expect(story).toEqual(['client connected', 'client closed ENETUNREACH']);
  });

  it('survives a pause of the other side', () => {
    const lab = clientRouterServer();
    const { story, connection } = conversation(lab);
    lab.server.isFrozen = true;
    connection.send(new Uint8Array(5));
    lab.clock.advance(10_000);
    lab.server.isFrozen = false;
    lab.clock.advance(20_000);
    expect(story).toEqual(['client connected', 'server got 5']);
  });

  it('within the host goes over lo', () => {
    const lab = clientRouterServer();
    const remotes: Endpoint[] = [];
    lab.client.sockets.listen({ port: 80, onConnection: ({ remote }) => remotes.push(remote) });
    for (const target of ['127.0.0.1', '::1', '192.0.2.2', '2001:db8:1::2', '0.0.0.0'])
      expect(tryConnect(lab, lab.client, target, 80).result).toBe('connected');
    lab.clock.advance(1);
    expect(remotes.map(({ ip: address }) => address.text)).toEqual(['127.0.0.1', '::1', '192.0.2.2', '2001:db8:1::2', '127.0.0.1']);
  });

  it('works between link-local addresses', () => {
    const lab = clientRouterServer();
    const linkLocal = lab.routerLeft.addresses.find(({ scope }) => scope === 'link')?.ip;
    let isConnected = false;
    lab.middle.sockets.listen({ port: 179, onConnection: () => (isConnected = true) });
    lab.client.sockets.connect({ destination: { ip: linkLocal ?? ip('::'), port: 179 }, device: 'eth0', handlers: {} });
    lab.clock.advance(100);
    expect(isConnected).toBe(true);
  });
});

describe('options', () => {
  it('carry a TTL', () => {
    const lab = clientRouterServer();
    lab.server.sockets.listen({ port: 179, onConnection() {} });
    const results: string[] = [];
    for (const ttl of [1, 2]) {
      lab.client.sockets.connect({
        destination: { ip: ip('198.51.100.2'), port: 179 },
        ttl,
        handlers: { onConnected: () => results.push(`ttl ${ttl}`) },
      });
    }
    lab.clock.advance(100);
    expect(results).toEqual(['ttl 2']);
  });

  it.each([
    ['secret', 'secret', 'connected'],
    ['secret', 'other', 'nothing'],
    ['secret', undefined, 'nothing'],
    [undefined, 'secret', 'nothing'],
    [undefined, undefined, 'connected'],
  ])('key %s at the server and %s at the client: %s', (serverKey, clientKey, expected) => {
    const lab = clientRouterServer();
    lab.server.sockets.listen({ port: 179, md5KeyOf: () => serverKey, onConnection() {} });
    const ends = watchEnds(lab.network);
    let result = 'nothing';
    lab.client.sockets.connect({
      destination: { ip: ip('198.51.100.2'), port: 179 },
      ...(clientKey === undefined ? {} : { md5Key: clientKey }),
      handlers: { onConnected: () => (result = 'connected'), onClose: (errno) => (result = errno ?? 'closed') },
    });
    lab.clock.advance(500);
    expect(result).toBe(expected);
    if (expected === 'nothing') expect(ends).toEqual(['server filtered']);
  });

  it('bind to an address and a port, if the host has them', () => {
    const lab = clientRouterServer();
    const seen: string[] = [];
    lab.server.sockets.listen({ port: 80, onConnection: ({ remote }) => seen.push(`${remote.ip.text} ${remote.port}`) });
    lab.client.getInterface('lo')?.addAddress(ip('192.0.2.50'), 32);
    const errors: string[] = [];
    const destination = { ip: ip('198.51.100.2'), port: 80 };
    lab.client.sockets.connect({ destination, source: { ip: ip('192.0.2.50'), port: 1234 }, handlers: {} });
    lab.client.sockets.connect({
      destination,
      source: { ip: ip('192.0.2.51') },
      handlers: { onClose: (errno) => errors.push(`${errno}`) },
    });
    lab.clock.advance(100);
    expect([seen, errors]).toEqual([['192.0.2.50 1234'], ['EADDRNOTAVAIL']]);
  });

  it('take even ports of the ephemeral range', () => {
    const lab = clientRouterServer();
    const ports = Array.from(
      { length: 50 },
      () => lab.client.sockets.connect({ destination: { ip: ip('198.51.100.2'), port: 80 }, handlers: {} }).local.port,
    );
    expect(ports.every((port) => port >= 32768 && port <= 60999 && port % 2 === 0)).toBe(true);
    expect(new Set(ports).size).toBe(50);
  });
});

describe('listening', () => {
  it.each([
    ['any', {}, {}, 'EADDRINUSE'],
    ['one address beside any', {}, { ip: '192.0.2.2' }, 'EADDRINUSE'],
    ['the other family', { family: 4 }, { family: 6 }, 'ok'],
    ['two addresses', { ip: '192.0.2.2' }, { ip: '127.0.0.1' }, 'ok'],
    ['an address of somebody else', {}, { ip: '192.0.2.99', port: 81 }, 'EADDRNOTAVAIL'],
  ] as const)('%s: %j then %j is %s', (_name, first, second, expected) => {
    const { client } = clientRouterServer();
    const listen = (options: { ip?: string; family?: 4 | 6; port?: number }) =>
      client.sockets.listen({
        port: options.port ?? 80,
        ...(options.ip === undefined ? {} : { ip: ip(options.ip) }),
        ...(options.family === undefined ? {} : { family: options.family }),
        onConnection() {},
      });
    listen(first);
    let result = 'ok';
    try {
      listen(second);
    } catch (error) {
      result = (error as { errno: string }).errno;
    }
    expect(result).toBe(expected);
  });

  it('prefers the exact address, then the family', () => {
    const lab = clientRouterServer();
    const seen: string[] = [];
    lab.client.sockets.listen({ port: 80, ip: ip('127.0.0.1'), program: 'exact', onConnection: () => seen.push('exact') });
    lab.client.sockets.listen({ port: 80, family: 6, onConnection: () => seen.push('six') });
    expect(tryConnect(lab, lab.client, '127.0.0.1', 80).result).toBe('connected');
    expect(tryConnect(lab, lab.client, '::1', 80).result).toBe('connected');
    expect(tryConnect(lab, lab.client, '192.0.2.2', 80).result).toBe('ECONNREFUSED');
    expect(seen).toEqual(['exact', 'six']);
    const [first] = lab.client.sockets.listening;
    expect(first).toMatchObject({ protocol: 'tcp', port: 80, program: 'exact' });
    first?.close();
    expect(tryConnect(lab, lab.client, '127.0.0.1', 80).result).toBe('ECONNREFUSED');
  });
});

describe('socket hooks', () => {
  it('replace the destination of TCP and UDP, refuse, and hear of peer names', () => {
    const lab = clientRouterServer();
    const told: string[] = [];
    lab.server.sockets.hooks.push({ peerName: (_socket, local, remote) => told.push(`${local.port} ${remote.ip.text}`) });
    lab.server.sockets.listen({ port: 80, onConnection() {} });
    lab.client.sockets.hooks.push({
      connect(_socket, destination) {
        if (destination.port === 99) return { errno: 'EPERM' };
        return destination.ip === ip('203.0.113.80') ? { ip: ip('198.51.100.2'), port: 80 } : undefined;
      },
    });
    const connection = lab.client.sockets.connect({ destination: { ip: ip('203.0.113.80'), port: 8080 }, handlers: {} });
    expect([connection.remote, connection.requested]).toEqual([
      { ip: ip('198.51.100.2'), port: 80 },
      { ip: ip('203.0.113.80'), port: 8080 },
    ]);
    lab.clock.advance(100);
    expect([connection.state, told]).toEqual(['ESTABLISHED', ['80 192.0.2.2']]);
    expect(tryConnect(lab, lab.client, '203.0.113.80', 99).result).toBe('EPERM');
    const echo = lab.server.sockets.bindUdp({ port: 80 });
    echo.onDatagram = (payload, from) => echo.send(payload, from);
    const socket = lab.client.sockets.bindUdp({});
    const answers: string[] = [];
    socket.onDatagram = (_payload, from) => answers.push(`${from.ip.text} ${from.port}`);
    socket.send(new Uint8Array(1), { ip: ip('203.0.113.80'), port: 53 });
    lab.clock.advance(100);
    expect(answers).toEqual(['203.0.113.80 53']);
  });
});

describe('UDP', () => {
  it('hears of closed ports and of hosts that cannot be reached', () => {
    const lab = clientRouterServer();
    const socket = lab.client.sockets.bindUdp({});
    const errors: string[] = [];
    socket.onError = (errno) => errors.push(errno);
    socket.send(new Uint8Array(1), { ip: ip('198.51.100.2'), port: 9 });
    lab.clock.advance(10);
    socket.send(new Uint8Array(1), { ip: ip('2001:db8:2::99'), port: 9 });
    lab.clock.advance(5000);
    lab.client.routes.delete({ destination: prefix('0.0.0.0/0') });
    socket.send(new Uint8Array(1), { ip: ip('198.51.100.2'), port: 9 });
    lab.clock.advance(10);
    expect(errors).toEqual(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH']);
    expect(() => lab.client.sockets.bindUdp({ port: socket.local.port })).toThrow('Address already in use');
    socket.close();
    lab.client.sockets.bindUdp({ port: socket.local.port, program: 'again' });
    expect(lab.client.sockets.listening).toMatchObject([{ protocol: 'udp', port: socket.local.port, program: 'again' }]);
  });
});

describe('the same seed', () => {
  it('gives the same run', () => {
    const run = (seed: string) => {
      const lab = clientRouterServer(seed);
      const seen: string[] = [];
      lab.network.onFrame(({ device, direction, frame }) => {
        const { content } = frame;
        const text =
          content.kind === 'ip' && content.packet.transport.protocol === 'tcp'
            ? `${content.packet.transport.sequence} ${content.packet.transport.sourcePort}`
            : '';
        seen.push(`${lab.clock.now()} ${device.namespace.name} ${device.name} ${direction} ${frame.source} ${text}`);
      });
      conversation(lab, '2001:db8:2::2');
      return seen;
    };
    expect(run('one')).toEqual(run('one'));
    expect(run('one')).not.toEqual(run('two'));
    expect(testNetwork().network.namespaces).toEqual([]);
  });
});
