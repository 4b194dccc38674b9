import { describe, expect, it } from 'vitest';
import { ip } from '../net/address.ts';
import { burstsOf, Capture, recordedSegments, waitsOf } from './recorded-capture.ts';
import { RecordedLab } from './recorded-lab.ts';
import { nodeRow } from './recorded-nodes.ts';
import { expectChanges, expectSameBursts, fixture, peerOf, read, Timeline } from './recorded-timeline.ts';

const [controlPlane, worker, worker2] = fixture.nodes.map((node) => node.hostname) as [string, string, string];
const router = fixture.router.hostname;

const tables = ['show bgp ipv6', 'show bgp ipv4', 'show bgp summary', 'show bgp summary json', 'show ip route', 'show ipv6 route'] as const;
const fileOf = (command: string): string =>
  `${command.replace(/ json$/, '').replaceAll(' ', '-')}${command.endsWith('json') ? '.json' : '.txt'}`;

describe('05-link-down', () => {
  const timeline = new Timeline([worker, worker2]);
  const snapshot = async (name: string): Promise<void> => {
    for (const command of [...tables, 'show interface brief']) timeline.compare(command, `05-link-down/${name}-${fileOf(command)}`);
    for (const [ending, file] of [
      ['', 'txt'],
      [' json', 'json'],
    ] as const)
      timeline.compare(`show bgp neighbors ${peerOf(worker)}${ending}`, `05-link-down/${name}-show-bgp-neighbor-worker.${file}`);
    for (const hostname of [worker, worker2]) timeline.compareNode(hostname, `05-link-down/${name}-${hostname}-gobgp-neighbor.txt`);
    for (const args of ['route', '-6 route', '-br link'])
      await timeline.compareIp(args, `05-link-down/${name}-${router}-ip-${args.replace(/^-6 /, '6-').replace('-br ', '')}.txt`);
  };

  it('shows the tables recorded at each time', async () => {
    timeline.at(5);
    timeline.device(worker).setDown();
    timeline.device(worker2).setDown();
    timeline.at(6.8);
    await snapshot('t006s');
    timeline.at(25);
    timeline.device(worker2).setUp();
    const { device } = timeline.lab.node(worker2);
    await timeline.compareIp(`addr show ${device}`, `05-link-down/t025s-${router}-ip-addr-${device}-after-up.txt`);
    timeline.at(40);
    timeline.giveAddress(worker2);
    timeline.at(60);
    await snapshot('t060s');
    timeline.at(110);
    await snapshot('t110s');
    timeline.at(135);
    timeline.device(worker).setUp();
    timeline.giveAddress(worker);
    timeline.at(137);
    await snapshot('t137s');
    timeline.at(300);
    await snapshot('t240s');
  });

  it('has on its links what was captured', () => {
    // The old session's KEEPALIVE waits for the address, or for its next time: recorded 3 s after it.
    timeline.expectCapture(worker2, 'link-flap-packets.txt', 39.9, { until: 45, pauseSeconds: 4 });
    timeline.expectCapture(worker2, 'link-flap-packets.txt', 45, { from: 45, until: 200 });
  });

  it('goes through the recorded states', () => {
    const up = 'Established est 1 drop 0, No AFI/SAFI activated for peer, Established';
    const upAgain = up.replace('est 1 drop 0', 'est 2 drop 1');
    expectChanges(timeline.changes(worker), [
      [up, 0, 1],
      ['Idle est 1 drop 1, Waiting for NHT, Established', 5, 5.5],
      ['Active est 1 drop 1, Waiting for NHT, Established', 6, 6.5],
      // 90 s after the last message, recorded 82 s after the link went down.
      ['Active est 1 drop 1, Waiting for NHT, Idle', 86, 88],
      ['Active est 1 drop 1, Waiting for NHT, Active', 91, 93],
      ['Active est 1 drop 1, Waiting for peer OPEN, Active', 135, 136],
      // The attempt at 97 s failed: the next one comes 120 to 240 s later, recorded at 240 s.
      [upAgain, 215, 340],
    ]);
    expectChanges(timeline.changes(worker2), [
      [up, 0, 1],
      ['Idle est 1 drop 1, Waiting for NHT, Established', 5, 6],
      ['Active est 1 drop 1, Waiting for NHT, Established', 6, 7],
      // Not modelled: when the link comes up, bgpd shows Idle with "Interface down" for one second, then this row again.
      // The node's next KEEPALIVE meets a RST: up to 30 s later.
      ['Active est 1 drop 1, Waiting for peer OPEN, Idle', 40, 70],
      ['Active est 1 drop 1, Waiting for peer OPEN, Active', 45, 75],
      [upAgain, 50, 84],
    ]);
  });
});

describe('11-captures', () => {
  it('a session comes up', () => {
    const lab = new RecordedLab(fixture);
    const device = lab.nodeNamespaces.get(worker)?.getInterface('net0');
    if (device === undefined) throw new Error('no link of the node');
    const capture = new Capture(device, () => lab.clock.now() / 1000);
    lab.establish();
    lab.clock.advance(40_000);
    expectSameBursts(capture.segments(0, lab.clock.now() / 1000), 'session-establishment-packets.txt');
  });

  it('tcpdump reads the messages of the same lengths', async () => {
    const lab = new RecordedLab(fixture);
    lab.start();
    lab.configure();
    lab.startNode(worker);
    const device = lab.node(worker).device;
    const lines = await lab.tcpdump('-nt', '-c', '12', '-i', device, 'port', '179');
    const messages = (all: readonly string[], side: string) =>
      all.flatMap((line) => (new RegExp(`^IP6 ${side}.* length (\\d+): BGP$`).exec(line) ?? []).slice(1).map(Number));
    const recorded = recordedSegments(read('11-captures/session-establishment-packets.txt')).filter(({ bytes }) => bytes > 0);
    const own = lab.node(worker).routerAddresses[1]?.split('/')[0] ?? '';
    expect(messages(lines, peerOf(worker))).toEqual(
      recorded
        .filter(({ from }) => from === 'node')
        .map(({ bytes }) => bytes)
        .slice(0, 4),
    );
    expect(messages(lines, own)).toEqual(
      recorded
        .filter(({ from }) => from === 'router')
        .map(({ bytes }) => bytes)
        .slice(0, 2),
    );
  });
});

describe('04-wrong-asn', () => {
  it('a node and a router that expect another number never agree', () => {
    const timeline = new Timeline([worker, worker2]);
    const { lab } = timeline;
    timeline.at(1.7);
    lab.stopNode(worker2);
    timeline.at(2);
    lab.stopNode(worker);
    timeline.at(2.2);
    lab.configure([
      `router bgp ${fixture.router.asn}`,
      `no neighbor ${peerOf(worker)}`,
      `neighbor ${peerOf(worker)} remote-as ${fixture.otherAsn}`,
      `neighbor ${peerOf(worker)} capability extended-nexthop`,
    ]);
    lab.startNode(worker2, { peer: { remoteAs: fixture.otherAsn } });
    lab.startNode(worker);
    for (const [name, seconds] of [
      ['t010s', 10],
      ['t030s', 30],
      ['t060s', 60],
      ['t120s', 120],
    ] as const) {
      timeline.at(seconds);
      timeline.compare('show bgp ipv6 unicast summary', `04-wrong-asn/${name}-show-bgp-ipv6-unicast-summary.txt`);
      timeline.compare('show bgp summary json', `04-wrong-asn/${name}-show-bgp-summary.json`);
      timeline.compare(`show bgp neighbors ${peerOf(worker)}`, `04-wrong-asn/${name}-show-bgp-neighbor-worker.txt`);
      timeline.compare(`show bgp neighbors ${peerOf(worker2)}`, `04-wrong-asn/${name}-show-bgp-neighbor-worker2.txt`);
    }
    timeline.expectCapture(worker2, 'wrong-asn-node-side-packets.txt', 1, { until: 60 });
    timeline.expectCapture(worker, 'wrong-asn-router-side-packets.txt', 1, { until: 50 });
    timeline.at(200);
    timeline.compare('show bgp ipv6', '04-wrong-asn/show-bgp-ipv6.txt');
    timeline.compare('show ip route', '04-wrong-asn/show-ip-route.txt');
    for (const [hostname, state] of [
      [worker, 'Active est 0 drop 0, Waiting for peer OPEN'],
      [worker2, 'Active est 1 drop 1, Peer closed the session'],
    ] as const) {
      const later = timeline.changes(hostname).filter(({ at }) => at > 5);
      // The router's row stays, the node goes round: Active for 5 to 9 s, Idle for 5 s.
      expect(new Set(later.map((change) => change.state))).toEqual(new Set([`${state}, Active`, `${state}, Idle`]));
      for (const [index, change] of later.slice(0, -1).entries()) {
        const lasted = (later[index + 1]?.at ?? 0) - change.at;
        if (index > 0) expect(lasted).toBeGreaterThanOrEqual(4.5);
        if (index > 0) expect(lasted).toBeLessThanOrEqual(change.state.endsWith('Idle') ? 5.5 : 9.5);
      }
    }
  });
});

describe('06-node-down', () => {
  const timeline = new Timeline([controlPlane, worker, worker2], [worker2, worker]);
  const { lab } = timeline;
  const snapshot = async (name: string): Promise<void> => {
    for (const command of [...tables, 'show bgp neighbors json']) timeline.compare(command, `06-node-down/${name}-${fileOf(command)}`);
    for (const { hostname } of fixture.nodes) timeline.compareNode(hostname, `06-node-down/${name}-${hostname}-gobgp-neighbor.txt`);
    await timeline.compareIp('-6 route', `06-node-down/${name}-${router}-ip-6-route.txt`);
  };

  it('shows the tables recorded at each time', async () => {
    timeline.at(4);
    const cut = lab.nodeNamespaces.get(controlPlane)?.netfilter;
    for (const family of [4, 6] as const) for (const chain of ['INPUT', 'OUTPUT']) cut?.setPolicy(family, chain, 'drop');
    timeline.at(6);
    lab.stopNode(worker);
    timeline.at(8);
    await snapshot('t008s');
    timeline.at(20);
    lab.destroyNode(worker2);
    timeline.at(22);
    await snapshot('t022s');
    timeline.at(40);
    lab.startNode(worker);
    timeline.at(70);
    await snapshot('t070s');
    timeline.at(72);
    lab.wireNode(worker2);
    lab.startNode(worker2);
    timeline.at(110);
    await snapshot('t110s');
    timeline.at(112);
    lab.stopNode(worker, 'graceful');
    timeline.at(112.3);
    await snapshot('t112s');
    timeline.at(124);
    for (const family of [4, 6] as const) for (const chain of ['INPUT', 'OUTPUT']) cut?.setPolicy(family, chain, 'accept');
    timeline.at(130);
    lab.startNode(worker);
    timeline.at(217);
    await snapshot('t217s');
  });

  it('has on its links what was captured', () => {
    timeline.expectCapture(worker, 'node-killed-packets.txt', 5);
    const recorded = recordedSegments(read('11-captures/silent-drop-packets.txt'));
    const simulated = timeline.captured(controlPlane, 5);
    expect(burstsOf(simulated)[0]).toMatchObject({ node: '', router: burstsOf(recorded)[0]?.router });
    // Linux sends once more after the shortest time (a probe for a lost tail), then waits twice as long each time, until its neighbour is
    // given up. Not modelled: the probe, and that a router that lost something holds back what it has to send besides.
    const waits = waitsOf(simulated, 'router').slice(0, 6);
    for (const [index, wait] of waitsOf(recorded, 'router').slice(1, 7).entries())
      expect(Math.abs((waits[index] ?? 0) / wait - 1), `${waits}`).toBeLessThan(0.1);
    // The router's retry 120 s after its last: nobody listens.
    const dials = (segments: typeof recorded) => burstsOf(segments).filter(({ router }) => router.startsWith('SYN'));
    expect(dials(simulated)).toMatchObject([{ node: 'closed', router: 'SYN, closed' }]);
    expect(Math.abs((dials(simulated)[0]?.at ?? 0) - (dials(recorded)[0]?.at ?? 0))).toBeLessThan(4);
  });

  it('goes through the recorded states', () => {
    const up = 'Established est 1 drop 0, No AFI/SAFI activated for peer, Established';
    const reset = 'est 1 drop 1, BGP Notification send';
    expectChanges(timeline.changes(controlPlane), [
      [up, 0, 1],
      [`Idle ${reset}, Idle`, 84, 87],
      [`Connect ${reset}, Idle`, 85, 88],
      [`Active ${reset}, Idle`, 87, 91.1],
      [`Active ${reset}, Active`, 89, 93],
    ]);
    const closed = 'est 1 drop 1, Peer closed the session';
    const ceased = 'est 2 drop 2, BGP Notification received';
    expectChanges(timeline.changes(worker), [
      [up, 0, 1],
      [`Idle ${closed}, not running`, 6, 6.5],
      [`Active ${closed}, not running`, 6.5, 8.8],
      [`Active ${closed}, Active`, 40, 41],
      [up.replace('est 1 drop 0', 'est 2 drop 1'), 45, 50],
      [`Idle ${ceased}, not running`, 112, 113],
      [`Active ${ceased}, not running`, 113, 115],
      [`Active ${ceased}, Active`, 130, 131],
      [up.replace('est 1 drop 0', 'est 3 drop 2'), 135, 140],
    ]);
    expectChanges(timeline.changes(worker2), [
      [up, 0, 1],
      ['Idle est 1 drop 1, Waiting for NHT, not running', 20, 21],
      ['Active est 1 drop 1, Waiting for NHT, not running', 20.5, 23.1],
      // Connect lasted less than a second in the recording, as long as the new neighbour was looked for.
      ['Active est 1 drop 1, Waiting for peer OPEN, Active', 72.5, 74.3],
      [up.replace('est 1 drop 0', 'est 2 drop 1'), 77, 82],
    ]);
  });
});

describe('07-convergence', () => {
  /** By action: for each run until the session is up, until the route is in the router's kernel, until the node has all routes. */
  const times = new Map<string, (readonly [number, number, number])[]>();
  for (const line of read('07-convergence/times.tsv').trim().split('\n').slice(1)) {
    const [action = '', , , established, route, received] = line.split('\t');
    times.set(action, [...(times.get(action) ?? []), [Number(established), Number(route), Number(received)]]);
  }
  const summary = (name: string) => (timeline: Timeline) => {
    timeline.lab.clock.advance(300);
    timeline.compare('show bgp ipv6 unicast summary', `07-convergence/${name}-show-bgp-summary.txt`);
  };

  it.each<{ readonly action: string; readonly act: (timeline: Timeline) => void; readonly look: (timeline: Timeline) => void }>([
    {
      action: 'gobgpd killed, started again 1 s later',
      act: ({ lab }) => {
        lab.stopNode(worker);
        lab.clock.advance(1000);
      },
      look: ({ lab }) => void lab.startNode(worker),
    },
    {
      action: `clear bgp PEER on ${router}`,
      act: () => {},
      look: (timeline) => {
        timeline.lab.vtysh(`clear bgp ${peerOf(worker)}`);
        summary('after-clear-1')(timeline);
        timeline.compareNode(worker, '07-convergence/after-clear-1-gobgp-neighbor.txt');
      },
    },
    {
      action: 'gobgp neighbor PEER reset',
      act: ({ lab }) => {
        const speaker = lab.speakers.get(worker);
        const [peer] = speaker?.peers ?? [];
        if (speaker === undefined || peer === undefined) throw new Error('no session of the node');
        // gobgpd's own; the recording's configuration file asks for 5 in vain.
        speaker.updatePeer({ ...peer.config, idleHoldAfterResetSeconds: 30 });
      },
      look: (timeline) => {
        const speaker = timeline.lab.speakers.get(worker);
        const [peer] = speaker?.peers ?? [];
        if (peer !== undefined) speaker?.clearPeer(peer.config.address, 'hard');
        summary('after-gobgp-reset-1')(timeline);
      },
    },
    {
      action: 'FRR restarted',
      act: ({ lab }) => {
        lab.vtysh('write memory');
        expect(lab.files.get('/etc/frr/frr.conf')).toBe(read('07-convergence/frr.conf.txt'));
      },
      look: ({ lab }) => {
        lab.router.stop();
        lab.clock.advance(1000 * Number(/took (\S+) s/.exec(read('07-convergence/frr-restart.txt'))?.[1]));
        lab.router.start();
      },
    },
  ])('$action', ({ action, act, look }) => {
    const recorded = times.get(action) ?? [];
    expect(recorded.length).toBeGreaterThan(1);
    for (const waits of ['shortest', 'longest'] as const) {
      const timeline = new Timeline([]);
      const { lab } = timeline;
      lab.waits = waits;
      const destination = lab.node(worker).prefixes[1] ?? '';
      const isUp = () => lab.router.bgpd?.speaker?.findPeer(ip(peerOf(worker)))?.state === 'Established';
      const reached = [
        isUp,
        () => lab.namespace.routes.list().some((route) => route.destination.text === destination),
        () => nodeRow(lab.speakers.get(worker))?.received === 6,
      ];
      act(timeline);
      const from = lab.clock.now();
      look(timeline);
      expect(isUp()).toBe(false);
      const seconds = reached.map((condition) => {
        while (!condition() && lab.clock.now() - from < 60_000) lab.clock.advance(10);
        return (lab.clock.now() - from) / 1000;
      });
      for (const [index, each] of seconds.entries()) {
        const all = recorded.map((run) => run[index] as number);
        const text = `${waits} ${seconds.join(' ')}, recorded ${JSON.stringify(recorded)}`;
        // Nodes draw whole seconds from 5 to 9, and few runs need not have drawn both ends; a node has all routes when all nodes are back.
        expect(each, text).toBeGreaterThanOrEqual(Math.min(...recorded.flat()) - 1.3);
        expect(each, text).toBeLessThanOrEqual(Math.max(...all) + 0.1);
      }
    }
  });
});
