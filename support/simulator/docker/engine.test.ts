import { beforeEach, describe, expect, it } from 'vitest';
import { createTestbed, type Testbed } from '../linux/testbed.ts';
import { ip } from '../net/address.ts';
import { EngineError } from './engine-error.ts';
import type { Container } from './types.ts';

describe('networks', () => {
  let testbed: Testbed;
  beforeEach(() => {
    testbed = createTestbed();
  });

  const ipsOf = (network: string): readonly string[] =>
    [...(testbed.engine.findNetwork(network)?.members.values() ?? [])].map(
      ({ container, ips }) => `${container.name} ${ips.map((ip) => ip.text).join(' ')}`,
    );
  const start = (name: string, networkMode: string, ips?: readonly string[]): Container => {
    const container = testbed.engine.createContainer({
      name,
      image: 'nicolaka/netshoot',
      networkMode,
      ...(ips === undefined ? {} : { ips }),
    });
    container.start();
    return container;
  };

  it('starts with bridge, host and none, and finds free pools for more', () => {
    const { engine } = testbed;
    engine.createNetwork({ name: 'one' });
    engine.createNetwork({ name: 'two', subnets: ['172.19.0.0/16'] });
    engine.createNetwork({ name: 'three', ipv6: true });
    expect(
      engine.networks.map((network) => [
        network.name,
        network.driver,
        network.subnets.map((subnet) => `${subnet.prefix.text} ${subnet.gateway.text}`),
      ]),
    ).toEqual([
      ['bridge', 'bridge', ['172.17.0.0/16 172.17.0.1']],
      ['host', 'host', []],
      ['none', 'none', []],
      ['one', 'bridge', ['172.18.0.0/16 172.18.0.1']],
      ['two', 'bridge', ['172.19.0.0/16 172.19.0.1']],
      ['three', 'bridge', ['172.20.0.0/16 172.20.0.1', expect.stringMatching(/^fd.*::\/64 fd.*::1$/)]],
    ]);
  });

  it('gives the lowest free address and takes it back', () => {
    testbed.engine.createNetwork({ name: 'lab', subnets: ['198.51.100.0/24', '2001:db8:1::/64'] });
    start('aa', 'lab');
    start('bb', 'lab', ['198.51.100.3']);
    start('cc', 'lab');
    expect(ipsOf('lab')).toEqual(['aa 198.51.100.2 2001:db8:1::2', 'bb 198.51.100.3 2001:db8:1::3', 'cc 198.51.100.4 2001:db8:1::4']);
    testbed.engine.findContainer('aa')?.stop();
    start('dd', 'lab');
    testbed.engine.findContainer('aa')?.start();
    expect(ipsOf('lab')).toEqual([
      'bb 198.51.100.3 2001:db8:1::3',
      'cc 198.51.100.4 2001:db8:1::4',
      'dd 198.51.100.2 2001:db8:1::2',
      'aa 198.51.100.5 2001:db8:1::5',
    ]);
  });

  it('says when a subnet is full', () => {
    testbed.engine.createNetwork({ name: 'tiny', subnets: ['198.51.100.0/30'] });
    start('aa', 'tiny');
    expect(() => start('bb', 'tiny')).toThrow(/^no available IPv4 addresses on this network's address pools: tiny \([0-9a-f]{64}\)$/);
  });

  it('lets containers of one network talk, of two not, and everybody to the host', async () => {
    testbed.engine.createNetwork({ name: 'one', subnets: ['198.51.100.0/24'] });
    testbed.engine.createNetwork({ name: 'two', subnets: ['203.0.113.0/24'] });
    start('aa', 'one');
    start('bb', 'one');
    start('cc', 'two');
    const status = async (from: string, to: string): Promise<number> =>
      (await testbed.exec(from, ['ping', '-c', '1', '-W', '1', to])).exitCode;
    expect(await status('aa', '198.51.100.3')).toBe(0);
    expect(await status('aa', '203.0.113.2')).toBe(1);
    expect(await status('cc', '198.51.100.2')).toBe(1);
    expect(await status('aa', '198.51.100.1')).toBe(0);
    expect(await status('aa', '203.0.113.1')).toBe(0);
    expect((await testbed.type('ping -c 1 -W 1 203.0.113.2')).exitCode).toBe(0);
  });

  it('hides containers behind the host on their way out', async () => {
    const { engine } = testbed;
    engine.createNetwork({ name: 'lab', subnets: ['198.51.100.0/24'] });
    start('aa', 'lab');
    const outside = engine.network.createNamespace('outside');
    const [near, far] = engine.network.createVeth({ namespace: engine.hostNamespace, name: 'up0' }, { namespace: outside, name: 'eth0' });
    for (const end of [near, far]) end.setUp();
    await testbed.type('ip addr add 203.0.113.1/24 dev up0');
    engine.createUnlisted({ name: 'server', image: 'traefik/whoami' }, outside).start();
    far.addAddress(ip('203.0.113.9'), 24);
    const { stdout } = await testbed.exec('aa', ['curl', '-s', '-m', '2', 'http://203.0.113.9/']);
    expect(stdout).toContain('RemoteAddr: 203.0.113.1:');
  });

  it('resolves names on user-defined networks only', async () => {
    testbed.engine.createNetwork({ name: 'lab', subnets: ['198.51.100.0/24'] });
    start('aa', 'lab');
    start('bb', 'lab');
    start('cc', 'bridge');
    start('dd', 'bridge');
    expect((await testbed.exec('aa', ['getent', 'hosts', 'bb'])).stdout).toBe('198.51.100.3    bb\n');
    expect((await testbed.exec('aa', ['getent', 'hosts', 'cc'])).exitCode).toBe(2);
    expect((await testbed.exec('cc', ['getent', 'hosts', 'dd'])).exitCode).toBe(2);
  });

  it('adds and takes away interfaces of a running container', async () => {
    const { engine } = testbed;
    const one = engine.createNetwork({ name: 'one', subnets: ['198.51.100.0/24'] });
    const two = engine.createNetwork({ name: 'two', subnets: ['203.0.113.0/24'] });
    const container = start('aa', 'one');
    engine.connect(two, container, { ips: ['203.0.113.9'] });
    expect((await testbed.exec('aa', ['ip', 'route'])).stdout).toBe(
      'default via 198.51.100.1 dev eth0 \n198.51.100.0/24 dev eth0 proto kernel scope link src 198.51.100.2 \n203.0.113.0/24 dev eth1 proto kernel scope link src 203.0.113.9 \n',
    );
    engine.disconnect(one, container);
    expect((await testbed.exec('aa', ['ip', 'route'])).stdout).toBe(
      'default via 203.0.113.1 dev eth1 \n203.0.113.0/24 dev eth1 proto kernel scope link src 203.0.113.9 \n',
    );
  });

  it('publishes ports on every address of the host, and takes them back', async () => {
    const container = testbed.engine.createContainer({
      name: 'web',
      image: 'traefik/whoami',
      hostname: 'web',
      ports: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }],
    });
    testbed.engine.createNetwork({ name: 'lab', subnets: ['198.51.100.0/24'] });
    start('aa', 'lab');
    container.start();
    const status = async (line: string): Promise<string> => (await testbed.type(line)).stdout;
    expect(await status("curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:8080/")).toBe('200');
    expect(await status("curl -s -o /dev/null -w '%{http_code}' http://172.17.0.1:8080/")).toBe('200');
    expect(() =>
      testbed.engine
        .createContainer({ name: 'web2', image: 'nginx', ports: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] })
        .start(),
    ).toThrow(/Bind for 0\.0\.0\.0:8080 failed: port is already allocated$/);
    container.stop();
    expect(await status("curl -s -o /dev/null -w '%{http_code}' http://172.17.0.1:8080/")).toBe('000');
  });

  it.each<{ name: string; act: (testbed: Testbed) => unknown; statusCode: number; message: string }>([
    {
      name: 'an overlapping subnet',
      act: ({ engine }) => engine.createNetwork({ name: 'x', subnets: ['172.17.128.0/24'] }),
      statusCode: 403,
      message: 'invalid pool request: Pool overlaps with other one on this address space',
    },
    {
      name: 'a name in use',
      act: ({ engine }) => engine.createNetwork({ name: 'bridge' }),
      statusCode: 409,
      message: 'network with name bridge already exists',
    },
    {
      name: 'no such network',
      act: ({ engine }) => engine.createContainer({ name: 'aa', image: 'alpine', networkMode: 'nope' }),
      statusCode: 404,
      message: 'network nope not found',
    },
    {
      name: 'no such network to remove',
      act: ({ engine }) => engine.removeNetwork('nope'),
      statusCode: 404,
      message: 'network nope not found',
    },
    {
      name: 'a predefined network',
      act: ({ engine }) => engine.removeNetwork('host'),
      statusCode: 403,
      message: 'host is a pre-defined network and cannot be removed',
    },
    {
      name: 'an address on the default network',
      act: ({ engine }) => engine.createContainer({ name: 'aa', image: 'alpine', ips: ['172.17.0.9'] }).start(),
      statusCode: 400,
      message: 'user specified IP address is supported on user defined networks only',
    },
    {
      name: 'a container name of one letter',
      act: ({ engine }) => engine.createContainer({ name: 'a', image: 'alpine' }),
      statusCode: 400,
      message: 'Invalid container name (a), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed',
    },
    {
      name: 'a bad image',
      act: ({ engine }) => engine.createContainer({ name: 'aa', image: 'Nope' }),
      statusCode: 400,
      message: 'invalid reference format: repository name must be lowercase',
    },
    {
      name: 'no such namespace',
      act: ({ engine }) => engine.createContainer({ name: 'aa', image: 'alpine', networkMode: 'container:nope' }),
      statusCode: 404,
      message: 'No such container: nope',
    },
  ])('refuses $name', ({ act, statusCode, message }) => {
    let refused: unknown;
    try {
      act(testbed);
    } catch (error) {
      refused = error;
    }
    expect(refused).toBeInstanceOf(EngineError);
    expect(refused).toMatchObject({ statusCode, message });
  });
});

describe('containers', () => {
  let testbed: Testbed;
  beforeEach(() => {
    testbed = createTestbed();
  });

  it('goes through its states and tells of each', () => {
    const container = testbed.engine.createContainer({ name: 'web', image: 'nginx' });
    const states: string[] = [container.state];
    container.onStateChange(({ state }) => states.push(state));
    container.start();
    expect(container.pid).toBeGreaterThan(0);
    container.pause();
    expect(container.namespace.isFrozen).toBe(true);
    container.unpause();
    container.stop();
    expect([container.pid, container.exitCode, container.namespace.isFrozen]).toEqual([0, 0, false]);
    container.start();
    container.kill();
    expect(container.exitCode).toBe(137);
    expect(states).toEqual(['created', 'running', 'paused', 'running', 'exited', 'running', 'exited']);
  });

  it('restarts by its policy, later each time, and keeps count', () => {
    testbed.engine.images.add({
      name: 'failing',
      command: ['/bin/fail'],
      shell: undefined,
      commands: [],
      programs: [
        (container) => ({ name: 'fail', start: () => void testbed.clock.schedule(10, () => container.exit?.(3)), stop: () => {} }),
      ],
    });
    const container = testbed.engine.createContainer({ name: 'aa', image: 'failing', restartPolicy: 'on-failure' });
    const starts: number[] = [];
    container.onStateChange(({ state }) => {
      if (state === 'running') starts.push(testbed.clock.now());
    });
    container.start();
    testbed.clock.advance(1000);
    expect(starts.map((at, index) => Math.round(at - (starts[index - 1] ?? at)))).toEqual([0, 110, 210, 410]);
    expect([container.state, container.exitCode, container.restartCount]).toEqual(['restarting', 3, 3]);
    container.stop();
    testbed.clock.advance(60_000);
    expect([container.state, container.restartCount]).toEqual(['exited', 3]);
  });

  it('shares the network of another container, or of the host', async () => {
    const owner = testbed.engine.createContainer({ name: 'owner', hostname: 'owner', image: 'alpine' });
    const guest = testbed.engine.createContainer({ name: 'guest', image: 'traefik/whoami', networkMode: 'container:owner' });
    expect(() => guest.start()).toThrow(`cannot join network of a non running container: ${owner.id}`);
    owner.start();
    guest.start();
    expect(guest.namespace).toBe(owner.namespace);
    expect((await testbed.exec('owner', ['wget', '-qO-', 'http://127.0.0.1/'])).stdout).toContain('Hostname: owner\n');
    expect(testbed.engine.createContainer({ name: 'wide', image: 'alpine', networkMode: 'host' }).namespace).toBe(
      testbed.engine.hostNamespace,
    );
  });

  it('loses all its links when it stops, and gets only those of docker back', async () => {
    const { engine } = testbed;
    const [left, right] = ['left', 'right'].map((name) => engine.createContainer({ name, image: 'alpine' })) as [Container, Container];
    left.start();
    right.start();
    engine.network.createVeth({ namespace: left.namespace, name: 'net0' }, { namespace: right.namespace, name: 'net0' });
    await testbed.exec('left', ['ip', 'route', 'add', 'blackhole', '192.0.2.0/24']);
    const names = (container: Container): readonly string[] => container.namespace.interfaces.map((device) => device.name).sort();
    expect(names(left)).toEqual(['eth0', 'lo', 'net0']);
    left.stop();
    expect([names(left), names(right)]).toEqual([['lo'], ['eth0', 'lo']]);
    left.start();
    expect(names(left)).toEqual(['eth0', 'lo']);
    expect((await testbed.exec('left', ['ip', 'route'])).stdout).toBe(
      'default via 172.17.0.1 dev eth0 \n172.17.0.0/16 dev eth0 proto kernel scope link src 172.17.0.2 \n',
    );
  });

  it.each([
    { image: 'nginx', command: undefined, names: ['nginx'] },
    { image: 'nginx', command: ['nginx', '-g', 'daemon off;'], names: ['nginx'] },
    { image: 'nginx', command: ['sleep', 'infinity'], names: [] },
    { image: 'alpine', command: ['sh', '-c', 'sleep infinity'], names: [] },
    { image: 'alpine', command: ['sh', '-c', 'exec nc -lk -p 7000'], names: ['nc'] },
    { image: 'python', command: ['python3', '-m', 'http.server', '8000'], names: ['python3'] },
    { image: 'hashicorp/http-echo', command: ['-text=hi', '-listen=:80'], names: ['http-echo'] },
    { image: 'registry.k8s.io/e2e-test-images/agnhost:2.47', command: ['netexec', '--http-port=80'], names: ['agnhost'] },
    { image: 'alpine', command: ['sh', '-c', 'while true; do curl -s -m 1 http://web/; sleep 1; done'], names: ['curl-0'] },
    { image: 'alpine', command: ['sleep', '5'], names: ['sleep'] },
    { image: 'alpine', command: ['./server', '--port', '80'], names: [], log: 'not simulated: ./server --port 80' },
    {
      image: 'alpine',
      command: ['sh', '-c', 'for i in 1 2 3; do ./x; done'],
      names: [],
      log: 'not simulated: sh -c for i in 1 2 3; do ./x; done',
    },
  ])('runs $command of $image as $names', ({ image, command, names, log }) => {
    const container = testbed.engine.createContainer({ name: 'aa', image, ...(command === undefined ? {} : { command }) });
    container.start();
    expect(container.programs.map((program) => program.name)).toEqual(names);
    expect(container.log.map((line) => line.text)).toEqual(log === undefined ? [] : [log]);
  });

  it('lets a shell without a terminal end at once, as in a pod', () => {
    const container = testbed.engine.createUnlisted({ name: 'shell', image: 'alpine' }, testbed.engine.network.createNamespace('pod'));
    container.start();
    testbed.clock.advance(10);
    expect([container.state, container.exitCode]).toEqual(['exited', 0]);
  });

  it('gives the same ids for the same seed', () => {
    const id = (seed: number): string => createTestbed(seed).engine.createContainer({ name: 'aa', image: 'alpine' }).id;
    expect(id(1)).toBe(id(1));
    expect(id(1)).toMatch(/^[0-9a-f]{64}$/);
    expect(id(1)).not.toBe(id(2));
  });
});
