import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SimulatedClock } from '../clock/clock.ts';
import { Random } from '../clock/random.ts';
import { ip, prefix } from '../net/address.ts';
import { createNetwork } from '../net/network.ts';
import type { Ip, NetworkInterface } from '../net/types.ts';
import { createSpeaker } from './speaker.ts';
import type { BgpSpeaker } from './types.ts';

/** Speakers and the links between them, each speaker with its AS number; either end of a link may add themselves to the path more than once. */
interface Plan {
  readonly asns: readonly number[];
  readonly links: readonly { readonly ends: readonly [number, number]; readonly prepends: readonly [number, number] }[];
}

/** Every speaker has an AS of its own, so that policy is path length alone: such networks have one stable state (RFC 4264 has those that do not). */
const plans: fc.Arbitrary<Plan> = fc.integer({ min: 2, max: 5 }).chain((count) => {
  const pairs = Array.from({ length: count }, (_, a) => Array.from({ length: count - a - 1 }, (__, b) => [a, a + b + 1] as const)).flat();
  return fc.record({
    asns: fc.constant(Array.from({ length: count }, (_, index) => 64500 + index)),
    links: fc.subarray(pairs, { minLength: 1, maxLength: Math.min(7, pairs.length) }).chain((chosen) =>
      fc.tuple(
        ...chosen.map(([a, b]) =>
          fc.record({
            ends: fc.constant([a, b] as const),
            prepends: fc.tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 2 })),
          }),
        ),
      ),
    ),
  });
});

const prefixOf = (index: number) => prefix(`198.51.100.${index}/32`);
const addressOf = (link: number, side: 0 | 1): Ip => ip(`192.0.2.${link * 4 + 1 + side}`);

/** Bellman and Ford, on whole paths: the table that everybody has in the end, by speaker and prefix. */
function expected({ asns, links }: Plan): Record<string, string> {
  type Route = { readonly path: readonly number[]; readonly from: number };
  const best = asns.map((_, index) => new Map<number, Route>([[index, { path: [], from: index }]]));
  for (let round = 0; round <= asns.length * 4; round++) {
    const next = asns.map((_, index) => new Map<number, Route>([[index, { path: [], from: index }]]));
    links.forEach(({ ends, prepends }) => {
      for (const side of [0, 1] as const) {
        const [sender, receiver] = [ends[side], ends[side === 0 ? 1 : 0]];
        for (const [origin, { path }] of best[sender] ?? []) {
          const own = asns[sender] ?? 0;
          const route = {
            path: [...Array.from({ length: prepends[side] + 1 }, () => own), ...path],
            from: sender,
          };
          if (origin === receiver || route.path.includes(asns[receiver] ?? 0)) continue;
          const former = next[receiver]?.get(origin);
          const isBetter =
            former === undefined ||
            route.path.length < former.path.length ||
            (route.path.length === former.path.length && route.from < former.from);
          if (isBetter) next[receiver]?.set(origin, route);
        }
      }
    });
    next.forEach((table, index) => {
      best[index] = table;
    });
  }
  return Object.fromEntries(
    best.flatMap((table, speaker) =>
      [...table].map(([origin, { path }]) => [`${speaker} ${prefixOf(origin).text}`, path.join(' ')] as const),
    ),
  );
}

function build({ asns, links }: Plan) {
  const clock = new SimulatedClock(1_700_000_000_000);
  const network = createNetwork({ clock, random: new Random('path-vector') });
  const namespaces = asns.map((asn) => network.createNamespace(`r${asn}`));
  const devices: NetworkInterface[] = [];
  const extra = new Map<string, number>();
  links.forEach(({ ends, prepends }, link) => {
    const [one, other] = ends.map((end) => namespaces[end]);
    if (one === undefined || other === undefined) throw new Error('a link of nobody');
    const pair = network.createVeth({ namespace: one, name: `eth${link}` }, { namespace: other, name: `eth${link}` });
    pair.forEach((device, side) => {
      device.setUp();
      device.addAddress(addressOf(link, side as 0 | 1), 30);
      extra.set(`${ends[side]} ${addressOf(link, side === 0 ? 1 : 0).text}`, prepends[side] ?? 0);
    });
    devices.push(pair[0]);
  });
  const speakers: BgpSpeaker[] = asns.map((localAsn, index) => {
    const speaker = createSpeaker({
      namespace: namespaces[index] as (typeof namespaces)[number],
      clock,
      random: new Random(`speaker ${index}`),
      implementation: 'frr',
      localAsn,
      routerId: ip(`203.0.113.${index + 1}`),
      listenPort: 179,
      hostname: `r${index}`,
      // Without it the older of two paths wins, which is a matter of history.
      decision: { compareRouterId: true },
      exportPolicy: ({ attributes }, peer) => {
        const times = extra.get(`${index} ${peer.config.address.text}`) ?? 0;
        return { attributes: { ...attributes, asPath: [...Array.from({ length: times }, () => localAsn), ...attributes.asPath] } };
      },
    });
    speaker.originate({ prefix: prefixOf(index) });
    return speaker;
  });
  links.forEach(({ ends }, link) => {
    for (const side of [0, 1] as const)
      speakers[ends[side]]?.addPeer({
        address: addressOf(link, side === 0 ? 1 : 0),
        remoteAs: 'external',
        port: 179,
        families: ['ipv4-unicast'],
        holdTimeSeconds: 9,
        keepaliveSeconds: 3,
        connectRetrySeconds: 5,
        multihopTtl: 1,
      });
  });
  const tables = () =>
    Object.fromEntries(
      speakers.flatMap((speaker, index) =>
        speaker
          .locRib('ipv4-unicast')
          .flatMap(({ prefix: { text }, best }) =>
            best === undefined ? [] : [[`${index} ${text}`, best.attributes.asPath.join(' ')] as const],
          ),
      ),
    );
  return { clock, devices, speakers, tables };
}

describe('any network of speakers', () => {
  it('comes to rest in the one state that path vectors have', () => {
    fc.assert(
      fc.property(plans, (plan) => {
        const { clock, tables } = build(plan);
        clock.advance(60_000);
        expect(tables()).toEqual(expected(plan));
      }),
      { numRuns: 40 },
    );
  });

  it('is as before once a link or a session that broke is back', () => {
    fc.assert(
      fc.property(plans, fc.nat(), fc.boolean(), (plan, which, isLink) => {
        const { clock, devices, speakers, tables } = build(plan);
        clock.advance(60_000);
        const before = tables();
        const link = which % plan.links.length;
        if (isLink) {
          devices[link]?.setDown();
          clock.advance(30_000);
          const others = plan.links.filter((_, index) => index !== link);
          expect(tables()).toEqual(expected({ ...plan, links: others }));
          devices[link]?.setUp();
        } else speakers[plan.links[link]?.ends[0] ?? 0]?.clearPeer(addressOf(link, 1), 'hard');
        clock.advance(200_000);
        expect(tables()).toEqual(before);
      }),
      { numRuns: 25 },
    );
  });
});
