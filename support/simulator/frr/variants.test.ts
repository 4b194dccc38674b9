import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { linkLocalOf } from '../net/interface.ts';
import { type LabFixture, RecordedLab } from './recorded-lab.ts';
import { bestPathsOf, nodeBestPaths, nodeRow, rowOf } from './recorded-nodes.ts';

const folder = new URL('../../testdata/frr/', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, folder), 'utf8');
const fixture = JSON.parse(read('lab.json')) as LabFixture;

/** Versions and counters grow with what happened before in the recording; states, prefixes and marks do not. */
function masked(text: string): string {
  return (
    text
      .replace(/table version( is)? \d+/g, 'table version N')
      .replace(/version \d+$/gm, 'version N')
      .replace(
        /("(?:tableVersion|version|msgRcvd|msgSent|connectionsEstablished|connectionsDropped|peerUptimeMsec|peerUptimeEstablishedEpoch)":) ?\d+/g,
        '$1N',
      )
      .replace(/"tableVersion": \d+/g, '"tableVersion": N')
      .replace(/^(\S+ +4 +\d+) +\d+ +\d+/gm, '$1 N N')
      .replace(/Last update: .*/g, 'Last update: TIME')
      .replace(/Last (read|write|reset) (\d\d:\d\d:\d\d|never)/g, 'Last $1 TIME')
      .replace(/\b\d\d:\d\d:\d\d\b/g, 'UPTIME')
      .replace(/ nhid \d+/g, ' nhid N')
      // What else happened before: counts of messages and sessions, ports that were drawn.
      .replace(/^( {4}(?:Opens|Notifications|Updates|Keepalives|Route Refresh|Total):) +\d+ +\d+$/gm, '$1 N N')
      .replace(/Connections established \d+; dropped \d+/g, 'Connections established N; dropped N')
      .replace(/(?:Foreign port|FD used): -?\d+/g, 'N')
      // Not said where the kernel measured less than a millisecond.
      .replace(/^Estimated round trip time: \d+ ms\n/gm, '')
      .replace(/timer due in \d+ seconds/g, 'timer due in N seconds')
      .replace(/Read thread: on {2}Write thread: on/g, 'Threads on')
      .replace(/Update group \d+, subgroup \d+/g, 'Update group N, subgroup N')
      .replace(/fe80::[0-9a-f:]+/g, (address) => (known.includes(address) ? address : 'LINK-LOCAL'))
  );
}

/** Those of the nodes' links were drawn anew by the time of these recordings. */
const known = [fixture.neighbour.routerMac, fixture.neighbour.mac].map((mac) => linkLocalOf(mac).text);

function compare(actual: string, file: string): void {
  expect(masked(actual)).toBe(masked(read(`08-variants/${file}`)));
}

function compareRow(lab: RecordedLab, hostname: string, file: string): void {
  expect(nodeRow(lab.speakers.get(hostname)), file).toEqual(rowOf(read(`08-variants/${file}`)));
}

const [controlPlane, worker, worker2] = fixture.nodes.map((node) => node.hostname) as [string, string, string];
const neighbor2 = fixture.nodes[1]?.addresses[1]?.split('/')[0] ?? '';
const neighbor3 = fixture.nodes[2]?.addresses[1]?.split('/')[0] ?? '';
const { asn, hostname: router } = fixture.router;

function established(): RecordedLab {
  const lab = new RecordedLab(fixture);
  lab.establish();
  lab.clock.advance(15_000);
  return lab;
}

describe('other configurations', () => {
  it('a: no router bgp', () => {
    const lab = new RecordedLab(fixture);
    lab.start();
    const rows = [
      ['show bgp ipv6', 'show-bgp-ipv6.txt'],
      ['show bgp ipv6 json', 'show-bgp-ipv6-json.txt'],
      ['show bgp summary', 'show-bgp-summary.txt'],
      ['show bgp summary json', 'show-bgp-summary-json.txt'],
      ['show ip bgp', 'show-ip-bgp.txt'],
      [`show bgp neighbors ${neighbor2} json`, 'show-bgp-neighbor-json.txt'],
    ] as const;
    for (const [command, file] of rows) compare(lab.vtysh(command), `a-no-router-bgp-${file}`);
  });

  it('b: no neighbors', () => {
    const lab = new RecordedLab(fixture);
    lab.start();
    lab.configure([`router bgp ${asn}`]);
    for (const [command, file] of [
      ['show bgp ipv6', 'show-bgp-ipv6.txt'],
      ['show bgp ipv6 json', 'show-bgp-ipv6-json.txt'],
      ['show bgp summary', 'show-bgp-summary.txt'],
      ['show bgp summary json', 'show-bgp-summary-json.txt'],
    ] as const) {
      compare(lab.vtysh(command), `b-no-neighbors-${file}`);
    }
  });

  it('c: nobody is up', () => {
    const lab = new RecordedLab(fixture);
    lab.start();
    lab.configure();
    lab.clock.advance(3000);
    for (const [command, file] of [
      ['show bgp ipv6', 'show-bgp-ipv6.txt'],
      ['show bgp ipv4', 'show-bgp-ipv4.txt'],
      ['show bgp summary', 'show-bgp-summary.txt'],
      ['show bgp ipv6 json', 'show-bgp-ipv6-json.txt'],
    ] as const) {
      compare(lab.vtysh(command), `c-nobody-up-${file}`);
    }
  });

  it('d, e: a node with another AS number is taken, with the own one not', () => {
    const lab = established();
    lab.speakers.get(worker2)?.stop('killed');
    lab.startNode(worker2, { localAsn: fixture.otherAsn });
    lab.clock.advance(10_000);
    compare(lab.vtysh('show bgp ipv6'), 'd-node-other-as-show-bgp-ipv6.txt');
    compare(lab.vtysh('show bgp ipv6 unicast summary'), 'd-node-other-as-show-bgp-summary.txt');
    lab.speakers.get(worker2)?.stop('killed');
    lab.startNode(worker2, { localAsn: asn });
    lab.clock.advance(14_000);
    compare(lab.vtysh('show bgp ipv6 unicast summary'), 'e-node-own-as-show-bgp-summary.txt');
    compareRow(lab, worker2, 'e-node-own-as-gobgp-neighbor.txt');
  });

  it('f: shutdown', () => {
    const lab = established();
    lab.configure([`router bgp ${asn}`, `neighbor ${neighbor3} shutdown`]);
    lab.clock.advance(1000);
    compare(lab.vtysh('show bgp ipv6 unicast summary'), 'f-shutdown-show-bgp-summary.txt');
    compare(lab.vtysh('show bgp ipv6'), 'f-shutdown-show-bgp-ipv6.txt');
    compare(lab.vtysh('show bgp summary json'), 'f-shutdown-summary.json');
    compareRow(lab, worker2, 'f-shutdown-gobgp-neighbor-1s.txt');
    lab.clock.advance(12_000);
    compareRow(lab, worker2, 'f-shutdown-gobgp-neighbor-13s.txt');
    compare(lab.vtysh(`show bgp neighbors ${neighbor3}`), 'f-shutdown-show-bgp-neighbor.txt');
    lab.configure([`router bgp ${asn}`, `no neighbor ${neighbor3} shutdown`]);
    lab.clock.advance(10_500);
    expect(lab.speakers.get(worker2)?.peers[0]?.state).toBe('Established');
  });

  it('g: the node shuts its session down', () => {
    const lab = established();
    const speaker = lab.speakers.get(worker2);
    const config = speaker?.peers[0]?.config;
    if (speaker === undefined || config === undefined) throw new Error('no session of the node');
    speaker.updatePeer({ ...config, isShutdown: true });
    lab.clock.advance(900);
    compare(lab.vtysh('show bgp ipv6 unicast summary'), 'g-gobgp-disable-show-bgp-summary.txt');
    compareRow(lab, worker2, 'g-gobgp-disable-gobgp-neighbor.txt');
    compare(lab.vtysh(`show bgp neighbors ${neighbor3}`), 'g-gobgp-disable-show-bgp-neighbor.txt');
  });

  it('h: an external neighbor without a policy', () => {
    const lab = established();
    lab.configure([`router bgp ${asn}`, 'bgp ebgp-requires-policy']);
    lab.vtysh('clear bgp *');
    lab.clock.advance(15_000);
    compare(lab.vtysh('show bgp summary'), 'h-ebgp-requires-policy-show-bgp-summary.txt');
    compare(lab.vtysh('show bgp ipv6'), 'h-ebgp-requires-policy-show-bgp-ipv6.txt');
    compare(lab.vtysh('show bgp summary json'), 'h-ebgp-requires-policy-summary.json');
  });

  it('i: multipath limited and off', () => {
    const lab = established();
    for (const hostname of [controlPlane, worker, worker2]) {
      lab.announceService(hostname);
      lab.clock.advance(200);
    }
    lab.clock.advance(2000);
    compare(lab.vtysh('show bgp ipv6'), 'i-multipath-relax-show-bgp-ipv6.txt');
    const before = lab.router.bgpd?.speaker?.tableVersion('ipv6-unicast') ?? 0;
    lab.configure([`router bgp ${asn}`, 'no bgp bestpath as-path multipath-relax']);
    lab.clock.advance(2000);
    compare(lab.vtysh('show bgp ipv6'), 'i-no-multipath-relax-show-bgp-ipv6.txt');
    compare(lab.vtysh('show ipv6 route bgp'), 'i-no-multipath-relax-show-ipv6-route.txt');
    compare(lab.vtysh(`show bgp ipv6 ${fixture.service[1]}`), 'i-no-multipath-relax-show-bgp-ipv6-service.txt');
    lab.configure([`router bgp ${asn}`, 'bgp bestpath as-path multipath-relax', 'address-family ipv6 unicast', 'maximum-paths 1']);
    lab.clock.advance(2000);
    compare(lab.vtysh('show bgp ipv6'), 'i-maximum-paths-1-show-bgp-ipv6.txt');
    lab.configure([`router bgp ${asn}`, 'address-family ipv6 unicast', 'maximum-paths 2']);
    lab.clock.advance(2000);
    compare(lab.vtysh('show bgp ipv6'), 'i-maximum-paths-2-show-bgp-ipv6.txt');
    compare(lab.vtysh('show ipv6 route bgp'), 'i-maximum-paths-2-show-ipv6-route.txt');
    // 19, 20 and 21 in the recording: the first companion lost and won count, those between do not.
    expect(lab.router.bgpd?.speaker?.tableVersion('ipv6-unicast')).toBeGreaterThan(before);
  });

  it('j: a node that speaks IPv6 only', () => {
    const lab = established();
    lab.speakers.get(worker2)?.stop('killed');
    lab.startNode(worker2, { peer: { families: ['ipv6-unicast'] } });
    lab.clock.advance(8000);
    compare(lab.vtysh('show bgp summary'), 'j-node-ipv6-only-show-bgp-summary.txt');
    compare(lab.vtysh('show bgp ipv4'), 'j-node-ipv6-only-show-bgp-ipv4.txt');
    compare(lab.vtysh('show bgp summary json'), 'j-node-ipv6-only-summary.json');
  });

  it('k: without extended-nexthop nodes get IPv4 routes with an IPv4 next hop', () => {
    const lab = new RecordedLab(fixture);
    lab.establish(fixture.router.configuration.filter((line) => !line.includes('extended-nexthop')));
    lab.clock.advance(15_000);
    compare(lab.vtysh('show bgp ipv4'), 'k-no-extended-nexthop-show-bgp-ipv4.txt');
    compare(lab.vtysh('show bgp ipv6'), 'k-no-extended-nexthop-show-bgp-ipv6.txt');
    compare(lab.vtysh('show ip route bgp'), 'k-no-extended-nexthop-show-ip-route-bgp.txt');
    compare(lab.vtysh('show bgp ipv4 json'), 'k-no-extended-nexthop-show-bgp-ipv4-json.txt');
    compare(lab.vtysh('show bgp summary'), 'k-no-extended-nexthop-show-bgp-summary.txt');
    compare(lab.vtysh(`show bgp neighbors ${neighbor2}`), 'k-no-extended-nexthop-show-bgp-neighbor.txt');
    compareRow(lab, worker, 'k-no-extended-nexthop-gobgp-neighbor.txt');
    for (const family of ['ipv4', 'ipv6'] as const)
      expect(nodeBestPaths(lab.speakers.get(worker), family)).toEqual(
        bestPathsOf(read(`08-variants/k-no-extended-nexthop-gobgp-rib-${family}.txt`)),
      );
  });

  it('l, m: a neighbour that is FRR itself tells a link-local next hop too; its end', async () => {
    const lab = new RecordedLab(fixture);
    // What had happened to the links before, in 05 and 06: the order of the link-local prefixes tells.
    lab.flap(worker);
    lab.destroyNode(worker2);
    lab.wireNode(worker2);
    lab.establish();
    lab.clock.advance(15_000);
    const neighbour = lab.startNeighbour();
    lab.configure(fixture.neighbour.routerConfiguration);
    lab.clock.advance(12_000);
    for (const [file, command] of fixture.neighbour.commands) compare(lab.vtysh(command), `l-frr-neighbour-${file}`);
    compare(neighbour.vtysh('show bgp ipv6'), 'l-frr-neighbour-its-show-bgp-ipv6.txt');
    compare(neighbour.vtysh('show bgp ipv4'), 'l-frr-neighbour-its-show-bgp-ipv4.txt');
    compare(await lab.ip('route'), `l-frr-neighbour-${router}-ip-route.txt`);
    compare(await lab.ip('-6', 'route'), `l-frr-neighbour-${router}-ip-6-route.txt`);
    neighbour.destroy();
    lab.clock.advance(2000);
    compare(lab.vtysh('show bgp ipv6 unicast summary'), 'm-frr-neighbour-gone-show-bgp-summary.txt');
  });

  it('n: daemons that do not run', () => {
    const lab = established();
    lab.router.killBgpd();
    lab.clock.advance(100);
    compare(lab.vtysh('show bgp ipv6'), 'n-bgpd-stopped-show-bgp-ipv6.txt');
    compare(lab.vtysh('show ip route'), 'n-bgpd-stopped-show-ip-route.txt');
  });
});
