import { SimulatedClock } from '../clock/clock.ts';
import { Random } from '../clock/random.ts';
import { createDockerCli } from '../docker/cli.ts';
import { createEngine, type Engine } from '../docker/engine.ts';
import type { CommandResult, Container, ShellSession } from '../docker/types.ts';
import { createNetwork } from '../net/network.ts';
import { createShell } from './shell.ts';

/** A machine with a docker engine and a terminal, for tests. */
export interface Testbed {
  readonly clock: SimulatedClock;
  readonly engine: Engine;
  readonly host: Container;
  readonly session: ShellSession;
  /** Types a script at the machine's terminal. */
  type(script: string, options?: { readonly stdin?: string; readonly isTerminal?: boolean }): Promise<CommandResult>;
  /** `docker exec NAME ARGV…`, without a shell in between. */
  exec(name: string, argv: readonly string[], options?: { readonly stdin?: string }): Promise<CommandResult>;
}

/** 2026-01-12 08:00:00 UTC. */
export const testStart = 1_768_204_800_000;

export function createTestbed(seed: string | number = 1): Testbed {
  const clock = new SimulatedClock(testStart);
  const random = new Random(seed);
  const network = createNetwork({ clock, random: random.stream('network') });
  const hostNamespace = network.createNamespace('host');
  for (const device of hostNamespace.interfaces) device.setUp();
  const engine = createEngine({ network, clock, random: random.stream('docker'), hostNamespace });
  engine.shell = createShell(engine);
  engine.images.add({ name: 'test-machine', command: ['/sbin/init'], programs: [], commands: [], shell: 'bash' });
  const host = engine.createUnlisted(
    { name: 'machine', image: 'test-machine', hostname: 'machine', workingDirectory: '/root' },
    hostNamespace,
  );
  host.commands.set('docker', createDockerCli(engine));
  host.start();
  const session = engine.shell.open(host);
  return {
    clock,
    engine,
    host,
    session,
    type: (script, options) => session.run(script, { isTerminal: true, ...options }),
    exec(name, argv, options) {
      const container = engine.findContainer(name);
      if (container === undefined) throw new Error(`no container ${name}`);
      return engine.shell.exec(container, argv, options);
    },
  };
}

/** A router between two links: `left` (198.51.100.2) – `router` – `right` (203.0.113.2), IPv6 alike, all on veths. */
export async function createRoutedTestbed(): Promise<Testbed> {
  const testbed = createTestbed();
  const { engine } = testbed;
  const [left, router, right] = ['left', 'router', 'right'].map((name) => {
    const container = engine.createContainer({
      name,
      hostname: name,
      image: 'nicolaka/netshoot',
      command: ['sleep', 'infinity'],
      networkMode: 'none',
      privileged: true,
    });
    container.start();
    return container;
  }) as [Container, Container, Container];
  const { network } = engine;
  network.createVeth(
    { namespace: router.namespace, name: 'net0', mac: '02:00:00:00:00:01' },
    { namespace: left.namespace, name: 'net0', mac: '02:00:00:00:00:02' },
  );
  network.createVeth(
    { namespace: router.namespace, name: 'net1', mac: '02:00:00:00:00:03' },
    { namespace: right.namespace, name: 'net0', mac: '02:00:00:00:00:04' },
  );
  const wiring: readonly (readonly [string, string])[] = [
    ['router', 'sysctl -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1'],
    ['router', 'ip link set net0 up'],
    ['router', 'ip link set net1 up'],
    ['left', 'ip link set net0 up'],
    ['right', 'ip link set net0 up'],
    ['router', 'ip addr add 198.51.100.1/24 dev net0'],
    ['router', 'ip addr add 203.0.113.1/24 dev net1'],
    ['router', 'ip addr add 2001:db8:1::1/64 dev net0'],
    ['router', 'ip addr add 2001:db8:2::1/64 dev net1'],
    ['left', 'ip addr add 198.51.100.2/24 dev net0'],
    ['left', 'ip addr add 2001:db8:1::2/64 dev net0'],
    ['right', 'ip addr add 203.0.113.2/24 dev net0'],
    ['right', 'ip addr add 2001:db8:2::2/64 dev net0'],
    ['left', 'ip route add default via 198.51.100.1'],
    ['left', 'ip -6 route add default via 2001:db8:1::1'],
    ['right', 'ip route add default via 203.0.113.1'],
    ['right', 'ip -6 route add default via 2001:db8:2::1'],
    ['router', 'ip route add blackhole 192.0.2.0/25'],
    ['router', 'ip route add unreachable 192.0.2.128/26'],
    ['router', 'ip route add prohibit 192.0.2.192/26'],
    ['router', 'ip -6 route add blackhole 2001:db8:b::/48'],
  ];
  for (const [name, line] of wiring) {
    const { exitCode, stderr } = await testbed.exec(name, line.split(' '));
    if (exitCode !== 0) throw new Error(`${name}: ${line}: ${stderr}`);
  }
  // duplicate address detection takes its second
  testbed.clock.advance(3000);
  return testbed;
}
