import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { type LabFixture, RecordedLab } from './recorded-lab.ts';
import { bestPathsOf, nodeBestPaths, nodeRow, rowOf } from './recorded-nodes.ts';

const folder = new URL('../../testdata/frr/', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, folder), 'utf8');
const fixture = JSON.parse(read('lab.json')) as LabFixture;
const router = fixture.router.hostname;

/** What differs from run to run, or belongs to the machine of the recording. */
function masked(text: string): string {
  return text
    .replace(/Foreign port: \d+/g, 'Foreign port: PORT')
    .replace(/"portForeign":\d+/g, '"portForeign":PORT')
    .replace(/FD used: \d+/g, 'FD used: N')
    .replace(/round trip time: \d+ ms/g, 'round trip time: N ms')
    .replace(/("estimatedRttInMsecs":)\d+/g, '$1N')
    .replace(/"interfaceIndex":\d+/g, '"interfaceIndex":N')
    .replace(/"(nexthopGroupId|installedNexthopGroupId)":\d+/g, '"$1":N')
    .replace(/Last update: .*/g, 'Last update: TIME')
    .replace(/ nhid \d+/g, ' nhid N')
    .replace(/"epoch":\d+/g, '"epoch":N')
    .replace(/"string":"[A-Z].* \d{4}\\n"/g, '"string":"TIME"')
    .replace(/on Linux\(.*\)/g, 'on Linux(KERNEL)')
    .replace(/("(?:uptime|peerUptime|bgpTimerUpString)":)"[\d:]+"/g, '$1"UPTIME"')
    .replace(
      /("(?:peerUptimeMsec|bgpTimerUpMsec|bgpTimerUpEstablishedEpoch|peerUptimeEstablishedEpoch|bgpTimerLastRead|bgpTimerLastWrite|bgpInUpdateElapsedTimeMsecs|lastResetTimerMsecs)":)\d+/g,
      '$1N',
    )
    .replace(/\b\d\d:\d\d:\d\d\b/g, 'UPTIME')
    .replace(/Read thread: on {2}Write thread: on/g, 'Threads on');
}

/** Clock times are rounded twice in FRR; whole seconds are compared where the text has no others. */
function compare(actual: string, file: string): void {
  expect(masked(actual)).toBe(masked(read(file)));
}

describe('the recorded lab', () => {
  const lab = new RecordedLab(fixture);
  beforeAll(() => lab.establish());

  const [controlPlane, worker, worker2] = fixture.nodes.map((node) => node.hostname) as [string, string, string];
  const { established, first, tables, counted, service } = fixture.commands;
  const all = [...tables, ...counted];

  it.each(established)('01-established: %s', (file, command) => {
    if (lab.clock.now() < 1795353540 * 1000) lab.runUntil(1795353540.5);
    compare(lab.vtysh(command), `01-established/${file}`);
  });

  /** All of a situation: what FRR, the nodes and the router's kernel show. */
  async function compareAll(situation: string, commands: readonly (readonly [string, string])[]): Promise<void> {
    // Reading took the recorder a moment, in which a KEEPALIVE may come.
    for (const [file, command] of first) {
      compare(lab.vtysh(command), `${situation}/${file}`);
      lab.clock.advance(100);
    }
    for (const [file, command] of commands) compare(lab.vtysh(command), `${situation}/${file}`);
    for (const { hostname } of fixture.nodes) {
      const speaker = lab.speakers.get(hostname);
      expect(nodeRow(speaker), hostname).toEqual(rowOf(read(`${situation}/${hostname}-gobgp-neighbor.txt`)));
      for (const family of ['ipv4', 'ipv6'] as const)
        expect(nodeBestPaths(speaker, family), hostname).toEqual(bestPathsOf(read(`${situation}/${hostname}-gobgp-rib-${family}.txt`)));
    }
    compare(await lab.ip('route'), `${situation}/${router}-ip-route.txt`);
    compare(await lab.ip('-6', 'route'), `${situation}/${router}-ip-6-route.txt`);
  }

  it('01-established: nodes and kernel', () => compareAll('01-established', []));

  it('shows a service of one node', async () => {
    lab.runUntil(1795353576.2);
    lab.announceService(worker);
    lab.runUntil(1795353578.05);
    await compareAll('02a-service-from-one-node', [...all, ...service]);
  });

  it('shows a service of three nodes as multipath', async () => {
    lab.runUntil(1795353581.2);
    lab.announceService(worker2);
    lab.runUntil(1795353583.2);
    lab.announceService(controlPlane);
    lab.runUntil(1795353586.2);
    await compareAll('02b-service-from-three-nodes', [...all, ...service]);
  });

  it('falls back to the lowest router id when the best path goes', async () => {
    lab.runUntil(1795353589);
    lab.withdrawService(worker);
    lab.runUntil(1795353590.9);
    await compareAll('02c-best-path-withdrawn', all);
  });

  it('keeps the new best path when the former comes back', async () => {
    lab.announceService(worker);
    lab.runUntil(1795353595.9);
    await compareAll('02d-former-best-back', [...all, ...service]);
  });

  it('has a withdrawn path out of the kernel, and an announced one in it, as soon as recorded', () => {
    const runs = read('02b-service-from-three-nodes/update-convergence.txt').trim().split('\n');
    const longest = Math.max(...[...runs.join().matchAll(/(?:gone|there) after (\S+) s/g)].map(([, seconds]) => Number(seconds)));
    const [hop] = fixture.nodes[1]?.addresses[1]?.split('/') ?? [];
    const isThere = () =>
      lab.namespace.routes
        .list()
        .some(({ destination, nextHops = [] }) => destination.text === fixture.service[1] && nextHops.some(({ via }) => via?.text === hop));
    for (const run of runs) {
      for (const isAnnounced of [false, true]) {
        const from = lab.clock.now();
        if (isAnnounced) lab.announceService(worker);
        else lab.withdrawService(worker);
        while (isThere() !== isAnnounced && lab.clock.now() - from < 2000) lab.clock.advance(10);
        expect((lab.clock.now() - from) / 1000, run).toBeLessThanOrEqual(longest);
      }
    }
  });

  it('is as before when all are withdrawn, but for the versions', async () => {
    for (const { hostname } of fixture.nodes) {
      lab.withdrawService(hostname);
      lab.clock.advance(200);
    }
    lab.clock.advance(1000);
    await compareAll('03-service-withdrawn', all);
  });
});
