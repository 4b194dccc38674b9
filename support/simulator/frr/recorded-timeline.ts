import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { ip } from '../net/address.ts';
import type { NetworkInterface } from '../net/types.ts';
import { burstsOf, Capture, recordedSegments } from './recorded-capture.ts';
import { addAddress, type LabFixture, RecordedLab } from './recorded-lab.ts';
import { nodeRow, rowOf } from './recorded-nodes.ts';

const folder = new URL('../../testdata/frr/', import.meta.url);
export const read = (path: string): string => readFileSync(new URL(path, folder), 'utf8');
export const fixture = JSON.parse(read('lab.json')) as LabFixture;
export const peerOf = (hostname: string): string =>
  fixture.nodes.find((node) => node.hostname === hostname)?.addresses[1]?.split('/')[0] ?? '';

/** Versions, counters and clock times grow with what happened before in the recording; states, prefixes and marks do not. */
function masked(text: string): string {
  return (
    text
      .replace(/table version( is)? \d+/g, 'table version N')
      .replace(
        /("(?:tableVersion|version|msgRcvd|msgSent|peerUptimeMsec|peerUptimeEstablishedEpoch|ribCount|ribMemory|connectionsEstablished|connectionsDropped)":) ?\d+/g,
        '$1N',
      )
      // How long the sessions had been up before the recording began, and the seconds that the recorder took to read.
      .replace(/("(?:bgpTimer\w*(?:Msecs|Msec|Read|Write|Epoch|Expiry)|bgpInUpdateElapsedTimeMsecs|lastResetTimerMsecs)":)\d+/g, '$1N')
      .replace(/("(?:(?:keepalives|total|updates)(?:Sent|Recv)|portForeign|\w*(?:Group|group)Id)":)\d+/g, '$1N')
      .replace(/("(?:nexthopLocal|bgpTimerUpString)":)"[^"]+"/g, '$1"…"')
      .replace(/Foreign port: \d+/g, 'Foreign port: PORT')
      .replace(/@if\d+ +(\S+ +)\S+/g, '@ifN $1MAC')
      .replace(/^\d+: (\w+)@if\d+|(?<=link\/ether |link-netnsid |fe80::)[0-9a-f:]+/gm, '$1')
      .replace(/^ +"estimatedRttInMsecs":\d+,\n/gm, '')
      .replace(/("next(?:Connect|Start)TimerDueInMsecs":)\d+/g, '$1N')
      .replace(/^Estimated round trip time: \d+ ms\n/gm, '')
      .replace(/("peerMemory":)\d+/g, '$1N')
      .replace(/^(\S+ +4 +\d+) +\d+ +\d+/gm, '$1 N N')
      .replace(/ nhid \d+/g, ' nhid N')
      .replace(/("(?:uptime|peerUptime)":)"[^"]+"/g, '$1"TIME"')
      .replace(/\b\d\d:\d\d:\d\d\b/g, 'TIME')
      // zebra keeps the link-local prefix of an interface that went, in the place of another's: which one differs from run to run.
      .replace(/^C \* fe80::\/64 is directly connected, .*\n/gm, '')
      .replace(/^( {4}(?:Updates|Keepalives|Total):) +\d+ +\d+$/gm, '$1 N N')
      .replace(/timer due in \d+ seconds/g, 'timer due in N seconds')
      .replace(/^RIB entries \d+, using \d+ bytes/gm, 'RIB entries N, using N bytes')
  );
}

interface Change {
  readonly at: number;
  readonly state: string;
}

/** The lab with its sessions up for a minute; `at(0)` is then. */
export class Timeline {
  readonly lab: RecordedLab;
  readonly start: number;
  readonly #seen = new Map<string, Change[]>();
  readonly #captures = new Map<string, Capture>();

  /** @param flapped nodes whose links had gone and come before, in that order: it is that of the kernel's link-local routes */
  constructor(watched: readonly string[], flapped: readonly string[] = []) {
    this.lab = new RecordedLab(fixture);
    for (const hostname of flapped) this.lab.flap(hostname);
    this.lab.establish();
    this.lab.clock.advance(15_000);
    // The recordings began shortly after a KEEPALIVE of the node: 82 s before the hold timer ended.
    this.lab.clock.advance(53_500);
    this.start = this.lab.clock.now();
    for (const hostname of watched) {
      this.#seen.set(hostname, []);
      const device = this.lab.nodeNamespaces.get(hostname)?.getInterface('net0');
      if (device !== undefined) this.#captures.set(hostname, new Capture(device, () => (this.lab.clock.now() - this.start) / 1000));
    }
  }

  /** What a node's link carried from a second on, burst by burst, as far as the capture of it tells. */
  expectCapture(hostname: string, file: string, from: number, part?: CapturePart): void {
    expectSameBursts(this.captured(hostname, from), file, part);
  }

  captured(hostname: string, from: number): ReturnType<Capture['segments']> {
    return this.#captures.get(hostname)?.segments(from, (this.lab.clock.now() - this.start) / 1000) ?? [];
  }

  /** Goes to that second, looking twice a second, as the recording did. */
  at(seconds: number): void {
    const end = this.start + seconds * 1000;
    while (this.lab.clock.now() < end) {
      this.lab.clock.advance(Math.min(500, end - this.lab.clock.now()));
      this.#look();
    }
  }

  #look(): void {
    const now = (this.lab.clock.now() - this.start) / 1000;
    for (const [hostname, changes] of this.#seen) {
      const peer = this.lab.router.bgpd?.speaker?.findPeer(ip(peerOf(hostname)));
      const { connectionsEstablished, connectionsDropped } = peer?.counters ?? {};
      const state = `${peer?.state} est ${connectionsEstablished} drop ${connectionsDropped}, ${peer?.lastReset?.reason}, ${this.#stateOf(hostname)}`;
      if (changes.at(-1)?.state !== state) changes.push({ at: now, state });
    }
  }

  #stateOf(hostname: string): string {
    return this.lab.speakers.get(hostname)?.peers[0]?.state ?? 'not running';
  }

  changes(hostname: string): readonly Change[] {
    return this.#seen.get(hostname) ?? [];
  }

  compare(command: string, file: string): void {
    expect(masked(this.lab.vtysh(command)), file).toBe(masked(read(file)));
  }

  /** What the node itself shows. */
  compareNode(hostname: string, file: string): void {
    expect(nodeRow(this.lab.speakers.get(hostname)), file).toEqual(rowOf(read(file)));
  }

  async compareIp(args: string, file: string): Promise<void> {
    expect(masked(await this.lab.ip(...args.split(' '))), file).toBe(masked(read(file)));
  }

  device(hostname: string): NetworkInterface {
    return this.lab.namespace.getInterface(this.lab.node(hostname).device) as NetworkInterface;
  }

  giveAddress(hostname: string): void {
    addAddress(this.device(hostname), this.lab.node(hostname).routerAddresses[1] as string);
  }
}

/** The states one after the other, each begun within its range of seconds. */
export function expectChanges(changes: readonly Change[], expected: readonly (readonly [string, number, number])[]): void {
  const text = changes.map(({ at, state }) => `${at} ${state}`).join('\n');
  expect(
    changes.map(({ state }) => state),
    text,
  ).toEqual(expected.map(([state]) => state));
  for (const [index, [state, low, high]] of expected.entries()) {
    const at = changes[index]?.at ?? Number.NaN;
    expect(at >= low && at <= high, `${state} at ${at}, recorded between ${low} and ${high}\n${text}`).toBe(true);
  }
}

export interface CapturePart {
  /** In the recording. */
  readonly from?: number;
  readonly until?: number;
  readonly pauseSeconds?: number;
}

export function expectSameBursts(segments: Parameters<typeof burstsOf>[0], file: string, part: CapturePart = {}): void {
  const { from = 0, until = Number.POSITIVE_INFINITY, pauseSeconds } = part;
  const captured = recordedSegments(read(`11-captures/${file}`)).filter(({ at }) => at >= from && at <= until);
  const recorded = burstsOf(captured, pauseSeconds);
  const simulated = burstsOf(segments, pauseSeconds).slice(0, recorded.length);
  const said = (bursts: typeof recorded) => bursts.map(({ node, router }) => `node: ${node}; router: ${router}`);
  expect(said(simulated), file).toEqual(said(recorded));
  for (const [index, { at }] of recorded.entries()) {
    if (index === 0) continue;
    const gap = at - (recorded[index - 1]?.at ?? 0);
    const simulatedGap = (simulated[index]?.at ?? 0) - (simulated[index - 1]?.at ?? 0);
    // FRR gathers for 0.6 to 1.2 s; a node's dial is drawn from 5 to 9 s, here the shortest.
    const tolerance = gap < 2 ? 1 : 4.3;
    expect(Math.abs(simulatedGap - gap), `${file}, burst ${index}: ${simulatedGap} s after the one before, recorded ${gap}`).toBeLessThan(
      tolerance,
    );
  }
}
