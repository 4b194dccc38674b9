import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createTestbed, type Testbed } from './testbed.ts';

/**
 * What the real tools printed, one after the other, in three network namespaces without an uplink: r1 (eth1 192.0.2.1, eth2 198.51.100.1)
 * between c1 (192.0.2.2) and c2 (198.51.100.2), IPv6 alike. Recorded on Linux 6.18 with iproute2 6.1.0, iptables 1.8.9 (nf_tables) and
 * nftables 1.0.6. Left out is what is not simulated: `ip route save`, advmss, ranges of addresses and ports in NAT, `-m mac`, NOTRACK, and
 * nft's guesses ("did you mean").
 */
const folder = new URL('../../testdata/linux/', import.meta.url);

async function createNetwork(): Promise<Testbed> {
  const testbed = createTestbed();
  const { engine } = testbed;
  const options = { image: 'nicolaka/netshoot', command: ['sleep', 'infinity'], networkMode: 'none', privileged: true };
  const [r1, c1, c2] = ['r1', 'c1', 'c2'].map((name) => {
    const container = engine.createContainer({ ...options, name, hostname: name });
    container.start();
    return container.namespace;
  });
  if (r1 === undefined || c1 === undefined || c2 === undefined) throw new Error('three containers');
  engine.network.createVeth(
    { namespace: r1, name: 'eth1', mac: '02:00:00:00:00:01' },
    { namespace: c1, name: 'eth1', mac: '02:00:00:00:00:02' },
  );
  engine.network.createVeth(
    { namespace: r1, name: 'eth2', mac: '02:00:00:00:00:03' },
    { namespace: c2, name: 'eth1', mac: '02:00:00:00:00:04' },
  );
  const setup: readonly (readonly [string, string])[] = [
    ['r1', 'sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1; ip link set eth1 mtu 9500 up; ip link set eth2 mtu 9500 up'],
    ['c1', 'ip link set eth1 mtu 9500 up; ip addr add 192.0.2.2/24 dev eth1; ip addr add 2001:db8:1::2/64 dev eth1 nodad'],
    ['c2', 'ip link set eth1 mtu 9500 up; ip addr add 198.51.100.2/24 dev eth1; ip addr add 2001:db8:2::2/64 dev eth1 nodad'],
    ['r1', 'ip addr add 192.0.2.1/24 dev eth1; ip addr add 198.51.100.1/24 dev eth2'],
    ['r1', 'ip addr add 2001:db8:1::1/64 dev eth1 nodad; ip addr add 2001:db8:2::1/64 dev eth2 nodad'],
    ['c1', 'ip route replace default via 192.0.2.1; ip -6 route replace default via 2001:db8:1::1'],
    ['c2', 'ip route replace default via 198.51.100.1; ip -6 route replace default via 2001:db8:2::1'],
  ];
  for (const [name, script] of setup) {
    const { stderr } = await testbed.exec(name, ['bash', '-c', script]);
    if (stderr !== '') throw new Error(stderr);
  }
  return testbed;
}

async function play(recording: string): Promise<string> {
  const testbed = await createNetwork();
  let played = '';
  for (const line of recording.split('\n')) {
    const [, node = '', script = ''] = /^\$ (\w+)\$ (.*)$/.exec(line) ?? [];
    if (node === '') continue;
    const { stdout, stderr, exitCode } = await testbed.exec(node, ['bash', '-c', script]);
    played += `${line}\n${stdout}${stderr}${exitCode === 0 ? '' : `[exit ${exitCode}]\n`}`;
  }
  return played;
}

describe('what the real tools said', () => {
  it.each(readdirSync(folder).filter((name) => name.endsWith('.txt')))('%s', async (name) => {
    const recording = readFileSync(new URL(name, folder), 'utf8');
    expect(await play(recording)).toBe(recording);
  });
});
