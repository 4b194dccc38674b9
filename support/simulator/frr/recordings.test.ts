import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { type LabFixture, RecordedLab } from './recorded-lab.ts';

const folder = new URL('../../testdata/frr/', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, folder), 'utf8');
const fixture = JSON.parse(read('lab.json')) as LabFixture;

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
  const { established, tables, counted, service } = fixture.commands;
  const all = [...tables, ...counted];

  it.each(established)('01-established: %s', (file, command) => {
    if (lab.clock.now() < 1795353540 * 1000) lab.runUntil(1795353540.5);
    compare(lab.vtysh(command), `01-established/${file}`);
  });

  it('shows a service of one node', () => {
    lab.runUntil(1795353576.2);
    lab.announceService(worker);
    lab.runUntil(1795353578.2);
    for (const [file, command] of [...all, ...service]) compare(lab.vtysh(command), `02a-service-from-one-node/${file}`);
  });

  it('shows a service of three nodes as multipath', () => {
    lab.runUntil(1795353581.2);
    lab.announceService(worker2);
    lab.runUntil(1795353583.2);
    lab.announceService(controlPlane);
    lab.runUntil(1795353586.2);
    for (const [file, command] of [...all, ...service]) compare(lab.vtysh(command), `02b-service-from-three-nodes/${file}`);
  });

  it('falls back to the lowest router id when the best path goes', () => {
    lab.runUntil(1795353589);
    lab.withdrawService(worker);
    lab.runUntil(1795353590.9);
    for (const [file, command] of all) compare(lab.vtysh(command), `02c-best-path-withdrawn/${file}`);
  });

  it('keeps the new best path when the former comes back', () => {
    lab.announceService(worker);
    lab.runUntil(1795353595.9);
    for (const [file, command] of [...all, ...service]) compare(lab.vtysh(command), `02d-former-best-back/${file}`);
  });

  it('is as before when all are withdrawn, but for the versions', () => {
    for (const { hostname } of fixture.nodes) {
      lab.withdrawService(hostname);
      lab.clock.advance(200);
    }
    lab.clock.advance(1000);
    for (const [file, command] of tables) compare(lab.vtysh(command), `03-service-withdrawn/${file}`);
  });
});
