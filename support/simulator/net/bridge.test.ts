import { describe, expect, it } from 'vitest';
import { ip, prefix } from './address.ts';
import { clientRouterServer, give, route, testNetwork, tryPing, watchEnds, watchPackets } from './test-network.ts';
import type { NetworkInterface } from './types.ts';

function bridged(count = 3) {
  const lab = testNetwork();
  const host = lab.namespace('host');
  const bridge = host.addInterface({ name: 'br0', kind: 'bridge' });
  bridge.setUp();
  give(bridge, '192.0.2.1/24');
  const members = Array.from({ length: count }, (_, index) => {
    const member = lab.namespace(`c${index + 1}`);
    const [port, eth] = lab.link([host, `veth${index + 1}`], [member, 'eth0', `192.0.2.${index + 11}/24`, `2001:db8::${index + 11}/64`]);
    port.setMaster(bridge);
    return { member, port, eth };
  });
  lab.settle();
  return { ...lab, host, bridge, members };
}

describe('a bridge', () => {
  it('connects its ports with each other and with its own address', () => {
    const lab = bridged();
    const [first, second] = lab.members;
    if (first === undefined || second === undefined) throw new Error('two members are needed');
    expect(tryPing(lab, first.member, '192.0.2.12')).toEqual({ kind: 'echo-reply', from: '192.0.2.12', ttl: 64 });
    expect(tryPing(lab, first.member, '2001:db8::12')).toMatchObject({ kind: 'echo-reply' });
    expect(tryPing(lab, first.member, '192.0.2.1')).toMatchObject({ kind: 'echo-reply' });
    expect(tryPing(lab, lab.host, '192.0.2.12')).toMatchObject({ kind: 'echo-reply' });
    expect([first.port.master?.name, lab.bridge.hasCarrier]).toEqual(['br0', true]);
  });

  it('learns, and then leaves the others in peace', () => {
    const lab = bridged();
    const [first, , third] = lab.members.map(({ member }) => member);
    if (first === undefined || third === undefined) throw new Error('three members are needed');
    const seen = watchPackets(lab.members[2]?.eth as NetworkInterface);
    tryPing(lab, first, '192.0.2.12');
    tryPing(lab, first, '192.0.2.12');
    expect(seen).toEqual(['< request 192.0.2.12']);
  });

  it('has no carrier without a running port, and leaves a removed port alone', () => {
    const lab = bridged(1);
    const [only] = lab.members;
    only?.eth.setDown();
    expect([lab.bridge.hasCarrier, only?.port.hasCarrier]).toEqual([false, false]);
    only?.eth.setUp();
    expect(lab.bridge.hasCarrier).toBe(true);
    only?.port.setMaster(undefined);
    // The host still answers the ARP request (the address is its own), but its way back is by the bridge.
    expect(tryPing(lab, only?.member ?? lab.host, '192.0.2.1', { limitMs: 5000 })).toBe('nothing');
    expect(() => only?.port.setMaster(lab.host.getInterface('lo'))).toThrow('Device is not a bridge.');
  });
});

describe('an uplink', () => {
  it('swallows what goes to the outside world', () => {
    const lab = testNetwork();
    const host = lab.namespace('host');
    const uplink = host.addInterface({ name: 'eth0', kind: 'uplink' });
    uplink.setUp();
    give(uplink, '192.0.2.10/24');
    route(host, '0.0.0.0/0', '192.0.2.1');
    const ends = watchEnds(lab.network);
    expect(tryPing(lab, host, '203.0.113.1', { limitMs: 5000 })).toBe('nothing');
    expect(ends).toEqual(['host lost']);
  });
});

describe('programs at a device', () => {
  it('pass, drop, change and redirect', () => {
    const lab = clientRouterServer();
    const ends = watchEnds(lab.network);
    lab.routerLeft.ingress = (packet) =>
      packet.destination === ip('203.0.113.1') ? { action: 'drop', reason: 'policy' } : { action: 'pass', packet };
    expect(tryPing(lab, lab.client, '203.0.113.1', { limitMs: 100 })).toBe('nothing');
    expect(ends).toEqual(['router program-drop']);
    expect(tryPing(lab, lab.client, '198.51.100.2')).toMatchObject({ kind: 'echo-reply' });
    // Sends what is for 203.0.113.2 to the server, and gives the answers that address back.
    const replace =
      (key: 'source' | 'destination', from: string, to: string) => (packet: Parameters<NonNullable<NetworkInterface['ingress']>>[0]) => ({
        action: 'pass' as const,
        packet: packet[key] === ip(from) ? { ...packet, [key]: ip(to) } : packet,
      });
    lab.routerLeft.ingress = replace('destination', '203.0.113.2', '198.51.100.2');
    lab.routerLeft.egress = replace('source', '198.51.100.2', '203.0.113.2');
    expect(tryPing(lab, lab.client, '203.0.113.2')).toMatchObject({ kind: 'echo-reply', from: '203.0.113.2' });
  });

  it('redirect past the routing, to a neighbour or into another namespace', () => {
    const lab = clientRouterServer();
    lab.middle.setSysctl('net.ipv4.ip_forward', '0');
    lab.routerLeft.ingress = (packet) => ({
      action: 'redirect',
      packet,
      device: lab.routerRight,
      into: 'egress',
      nextHop: ip('198.51.100.2'),
    });
    lab.routerRight.ingress = (packet) => ({ action: 'redirect', packet, device: lab.clientEth, into: 'ingress' });
    expect(tryPing(lab, lab.client, '198.51.100.2')).toEqual({ kind: 'echo-reply', from: '198.51.100.2', ttl: 64 });
  });

  it('end in a drop when they hand a packet round', () => {
    const lab = clientRouterServer();
    const ends = watchEnds(lab.network);
    lab.routerLeft.ingress = (packet) => ({ action: 'redirect', packet, device: lab.routerLeft, into: 'ingress' });
    expect(tryPing(lab, lab.client, '198.51.100.2', { limitMs: 100 })).toBe('nothing');
    expect(ends).toEqual(['router program-drop']);
  });
});

describe('a VXLAN tunnel', () => {
  it('carries packets between nodes, through their own routing', () => {
    const lab = clientRouterServer();
    const nodes = [
      { node: lab.client, pod: lab.namespace('pod1'), podIp: '10.1.0.1', remote: '198.51.100.2', remotePods: '10.2.0.0/24' },
      { node: lab.server, pod: lab.namespace('pod2'), podIp: '10.2.0.1', remote: '192.0.2.2', remotePods: '10.1.0.0/24' },
    ];
    for (const { node, pod, podIp, remote } of nodes) {
      const vxlan = node.addInterface({ name: 'vxlan0', kind: 'vxlan', vxlan: { id: 7, port: 8472 } });
      vxlan.setUp();
      const [host, eth] = lab.link([node, 'lxc'], [pod, 'eth0', `${podIp}/32`]);
      pod.routes.add({ destination: prefix('0.0.0.0/0'), nextHops: [{ via: ip('169.254.1.1'), device: 'eth0', onLink: true }] });
      host.neighbourResponder = () => true;
      host.ingress = (packet) => ({ action: 'redirect', packet, device: vxlan, into: 'egress', nextHop: ip(remote) });
      vxlan.ingress = (packet) => ({ action: 'redirect', packet, device: eth, into: 'ingress' });
    }
    lab.settle();
    const ends = watchEnds(lab.network);
    const seen = watchPackets(lab.routerLeft);
    expect(tryPing(lab, nodes[0]?.pod ?? lab.client, '10.2.0.1')).toEqual({ kind: 'echo-reply', from: '10.2.0.1', ttl: 64 });
    expect(seen.filter((line) => line.endsWith('UDP'))).toEqual(['< UDP', '> UDP']);
    expect(ends).toEqual(['server delivered', 'pod2 delivered', 'client delivered', 'pod1 delivered']);
  });
});
