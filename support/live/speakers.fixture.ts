import { setTimeout as wait } from 'node:timers/promises';
import type Docker from 'dockerode';
import { execInContainer } from './engine.ts';
import type { SpeakingNode } from './simulated-topology.fixture.ts';

/** The nodes of the reference lab, as Cilium's agents in them would speak. */
export const nodes: readonly SpeakingNode[] = [
  { name: 'kind-control-plane', asn: 65001, router: 'fd00:10:0:1::1', routerId: '172.18.0.2', prefixes: ['10.1.0.0/24', 'fd00:10:1::/64'] },
  { name: 'kind-worker', asn: 65002, router: 'fd00:10:0:2::1', routerId: '172.18.0.3', prefixes: ['10.1.2.0/24', 'fd00:10:1:2::/64'] },
  { name: 'kind-worker2', asn: 65003, router: 'fd00:10:0:3::1', routerId: '172.18.0.4', prefixes: ['10.1.1.0/24', 'fd00:10:1:1::/64'] },
];

/** Starts a real gobgpd in a node, and waits for its session. */
export async function speak(docker: Docker, node: SpeakingNode, vtysh: (command: string) => Promise<string>): Promise<void> {
  const families = ['ipv4', 'ipv6'].map(
    (family) => `[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = "${family}-unicast"\n`,
  );
  const config = `[global.config]
as = ${node.asn}
router-id = "${node.routerId}"
port = -1
[[neighbors]]
[neighbors.config]
neighbor-address = "${node.router}"
peer-as = 65000
[neighbors.timers.config]
connect-retry = 120
hold-time = 90
keepalive-interval = 30
${families.join('')}`;
  await execInContainer(docker, node.name, ['sh', '-c', 'cat >/etc/gobgpd.toml; gobgpd -f /etc/gobgpd.toml >/var/log/gobgpd.log 2>&1 &'], {
    stdin: config,
  });
  for (const each of node.prefixes) await announce(docker, node.name, each);
  await established(node, vtysh);
}

export async function announce(docker: Docker, node: string, prefix: string): Promise<void> {
  const family = prefix.includes(':') ? 'ipv6' : 'ipv4';
  for (let attempt = 0; ; attempt++) {
    const { exitCode, stdout, stderr } = await execInContainer(docker, node, [
      'gobgp',
      'global',
      'rib',
      'add',
      '-a',
      family,
      prefix,
      'origin',
      'igp',
    ]);
    if (exitCode === 0) return;
    if (attempt === 40) throw new Error(`gobgp: ${stdout}${stderr}`);
    await wait(100);
  }
}

/** The session is up, and the paths of both families are in. */
export async function established(node: SpeakingNode, vtysh: (command: string) => Promise<string>): Promise<void> {
  const peer = node.router.replace(/::1$/, '::2');
  for (let attempt = 0; attempt < 300; attempt++) {
    const text = await vtysh(`show bgp neighbors ${peer} json`);
    const state = (
      JSON.parse(text) as Record<string, { bgpState?: string; addressFamilyInfo?: Record<string, { acceptedPrefixCounter?: number }> }>
    )[peer];
    const counts = Object.values(state?.addressFamilyInfo ?? {}).map(({ acceptedPrefixCounter }) => acceptedPrefixCounter ?? 0);
    if (state?.bgpState === 'Established' && counts.length === 2 && counts.every((count) => count > 0)) {
      await wait(1_500);
      return;
    }
    await wait(200);
  }
  throw new Error(`no session with ${peer}`);
}
