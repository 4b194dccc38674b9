import { SimulatedClock } from '../simulator/clock/clock.ts';
import { Random } from '../simulator/clock/random.ts';
import { deployTopology } from '../simulator/containerlab/deploy.ts';
import { parseTopology } from '../simulator/containerlab/topology.ts';
import { createEngine } from '../simulator/docker/engine.ts';
import { parseImageFile } from '../simulator/docker/image-file.ts';
import { frrCommands, frrImages, frrOf } from '../simulator/frr/image.ts';
import { createShell } from '../simulator/linux/shell.ts';
import { createNetwork } from '../simulator/net/network.ts';
import { comebacksOf, ownersOf, type RawRouter, type StageView, viewOf } from './observation.ts';
import type { Plan } from './plan.ts';
import { OneEnd, SimulatedSpeaker } from './simulated-speaker.ts';

const webHost = {
  images: ['lab/web'],
  servers: [{ port: 80, routes: [{ method: 'GET', path: '/', body: '$' + '{env.NAME}\n' }] }],
};

/**
 * Runs a plan in the simulator: a containerlab topology of FRR containers on a virtual clock.
 * @param waits which of the waits that GoBGP draws its speakers draw
 */
export async function observeSimulated(plan: Plan, waits: 'shortest' | 'longest' = 'shortest'): Promise<readonly StageView[]> {
  const clock = new SimulatedClock(Date.UTC(2026, 0, 12, 8));
  const random = new Random(plan.seed);
  const network = createNetwork({ clock, random: random.stream('network') });
  const hostNamespace = network.createNamespace('host');
  const engine = createEngine({ network, clock, random: random.stream('docker'), hostNamespace });
  engine.shell = createShell(engine);
  for (const image of frrImages) engine.images.add(image);
  for (const [name, command] of frrCommands) engine.commands.set(name, command);
  for (const image of parseImageFile(webHost, 'web.yaml')) engine.images.add(image);
  const files = new Map(
    plan.routers.flatMap(({ name, configuration, statics }) => [
      [`${name}/frr.conf`, `${[...statics, ...configuration].join('\n')}\n`],
      [`${name}/daemons`, 'zebra=yes\nbgpd=yes\nstaticd=yes\nvtysh_enable=yes\n'],
    ]),
  );
  const addressesOf = (machine: string) =>
    plan.links
      .flat()
      .flatMap((end) =>
        end.machine === machine
          ? end.addresses.map((address) => `ip addr add ${address} dev ${end.device}${address.includes(':') ? ' nodad' : ''}`)
          : [],
      );
  const topology = parseTopology({
    name: 'plan',
    prefix: '',
    topology: {
      nodes: {
        ...Object.fromEntries(
          plan.routers.map(({ name, addresses, blackholes }) => [
            name,
            {
              kind: 'linux',
              image: 'frrouting/frr:v8.4.1',
              cmd: '/usr/lib/frr/docker-start',
              'network-mode': 'none',
              binds: [`${name}/frr.conf:/etc/frr/frr.conf`, `${name}/daemons:/etc/frr/daemons`],
              exec: [
                'sysctl -w net.ipv4.ip_forward=1',
                'sysctl -w net.ipv6.conf.all.forwarding=1',
                ...addresses.map((address) => `ip addr add ${address} dev lo`),
                ...blackholes.map((prefix) => `ip route add blackhole ${prefix}`),
                ...addressesOf(name),
              ],
            },
          ]),
        ),
        ...Object.fromEntries(
          plan.hosts.flatMap(({ name, gateways }) => [
            [
              name,
              {
                kind: 'linux',
                image: 'nicolaka/netshoot',
                cmd: 'sleep infinity',
                'network-mode': 'none',
                exec: [...addressesOf(name), ...gateways.map((gateway) => `ip route add default via ${gateway}`)],
              },
            ],
            [`${name}-web`, { kind: 'linux', image: 'lab/web:1', 'network-mode': `container:${name}`, env: { NAME: name } }],
          ]),
        ),
        ...Object.fromEntries(
          (plan.speakers ?? []).map(({ name }) => [
            name,
            { kind: 'linux', image: 'nicolaka/netshoot', cmd: 'sleep infinity', 'network-mode': 'none', exec: addressesOf(name) },
          ]),
        ),
      },
      links: plan.links.map((ends) => ({ endpoints: ends.map(({ machine, device }) => `${machine}:${device}`) })),
    },
  });
  const lab = await deployTopology(topology, engine, { path: 'plan.clab.yaml', files });
  for (const { node, command, exitCode, stderr } of lab.execResults) {
    if (exitCode !== 0) throw new Error(`${node}: ${command}: ${stderr}`);
  }
  const speakers = new Map(
    (plan.speakers ?? []).map((each) => {
      const namespace = engine.findContainer(each.name)?.namespace;
      if (namespace === undefined) throw new Error(`no container ${each.name}`);
      const speaker = new SimulatedSpeaker(each, namespace, clock, new OneEnd(waits === 'longest'), each.name);
      speaker.start();
      return [each.name, speaker] as const;
    }),
  );
  const run = async (machine: string, argv: readonly string[]) => {
    const container = engine.findContainer(machine);
    if (container === undefined) throw new Error(`no container ${machine}`);
    if (argv[0] === 'bgpd') {
      if (argv[1] === 'kill') frrOf(container).killBgpd();
      else frrOf(container).startBgpd();
      return { stdout: '', stderr: '', exitCode: 0 };
    }
    if (argv[0] === 'gobgpd') {
      const [, verb, prefix = ''] = argv;
      const speaker = speakers.get(machine);
      if (verb === 'start') speaker?.start();
      else if (verb === 'announce') speaker?.announce(prefix);
      else if (verb === 'withdraw') speaker?.withdraw(prefix);
      else speaker?.stop(verb === 'kill' ? 'killed' : 'graceful');
      return { stdout: '', stderr: '', exitCode: 0 };
    }
    return engine.shell.exec(container, argv);
  };
  const views: StageView[] = [];
  for (const { name: stage, actions, settleSeconds, shows } of plan.stages) {
    for (const { machine, argv } of actions) {
      const result = await run(machine, argv);
      if (result.exitCode !== 0) throw new Error(`${stage}: ${argv.join(' ')}: ${result.stdout}${result.stderr}`);
    }
    const beganAt = clock.now();
    clock.advance(settleSeconds * 1000);
    const raw = new Map<string, RawRouter>();
    for (const { name } of plan.routers) {
      const text = async (...argv: readonly string[]) => (await run(name, argv)).stdout;
      raw.set(name, {
        bgp4: await text('vtysh', '-c', 'show bgp ipv4 unicast json'),
        bgp6: await text('vtysh', '-c', 'show bgp ipv6 unicast json'),
        summary4: await text('vtysh', '-c', 'show bgp ipv4 unicast summary json'),
        summary6: await text('vtysh', '-c', 'show bgp ipv6 unicast summary json'),
        routes4: await text('ip', '-j', '-4', 'route', 'show', 'proto', 'bgp'),
        routes6: await text('ip', '-j', '-6', 'route', 'show', 'proto', 'bgp'),
        addresses: await text('ip', '-j', 'addr'),
      });
    }
    const owners = ownersOf(new Map([...raw].map(([name, { addresses }]) => [name, addresses])));
    const http: Record<string, string> = {};
    for (const from of plan.hosts) {
      for (const address of plan.hosts.flatMap((to) => (to === from ? [] : to.addresses))) {
        const url = address.includes(':') ? `http://[${address}]/` : `http://${address}/`;
        const { stdout, exitCode } = await run(from.name, ['curl', '-s', '--max-time', '3', '-w', '%{http_code}', url]);
        http[`${from.name} → ${address}`] = exitCode === 0 ? stdout : `exit ${exitCode}`;
      }
    }
    const said: Record<string, string> = {};
    for (const { machine, command } of shows ?? []) {
      const { stdout, stderr } = await run(machine, ['vtysh', ...command.split('\n').flatMap((line) => ['-c', line])]);
      said[`${machine}# ${command}`] = stdout + stderr;
    }
    views.push({
      stage,
      routers: Object.fromEntries([...raw].map(([name, each]) => [name, viewOf(each, owners)])),
      http,
      ...(plan.speakers === undefined
        ? {}
        : {
            speakers: Object.fromEntries(
              [...speakers].map(([name, each]) => [name, each.view((address) => owners.get(address) ?? address)]),
            ),
            comebacks: comebacksOf(raw, Math.floor(beganAt / 1000)),
          }),
      ...(shows === undefined ? {} : { shows: said }),
    });
  }
  return views;
}
