import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SimulatedClock } from '../clock/clock.ts';
import { Random } from '../clock/random.ts';
import { ip, prefix } from '../net/address.ts';
import { createNetwork } from '../net/network.ts';
import type { Ip, NetworkNamespace } from '../net/types.ts';
import { createSpeaker } from './speaker.ts';
import type { BgpSpeaker, PeerConfig } from './types.ts';

/** An AS of its own that announces the one prefix to one router of ours. */
interface External {
  readonly border: number;
  readonly localPref: number;
  readonly prepends: number;
}

/** One AS: a full mesh, or routers that are clients of route reflectors, which are meshed with each other. */
interface Plan {
  readonly count: number;
  /** For each router the reflectors whose client it is; undefined: it is a reflector, or there are none. */
  readonly clientOf: readonly (readonly number[] | undefined)[];
  readonly externals: readonly External[];
  readonly isNextHopSelf: boolean;
  /** Which routers have a route to the subnets of external neighbors: without one a path over them is of no use. */
  readonly knowsOutside: readonly boolean[];
  /** The metric of the way from one router to another. */
  readonly metrics: readonly (readonly number[])[];
}

const ownAsn = 64_500;
const announced = prefix('198.51.100.0/24');
const idOf = (router: number) => `192.0.2.${router + 1}`;
const outsideOf = (index: number, host: number) => `203.0.113.${4 * index + host}`;

/**
 * Networks that come to rest whatever the order of messages: no MED, and where paths are reflected the distance to a next hop says nothing
 * (RFC 3345 tells of those that oscillate).
 */
const plans: fc.Arbitrary<Plan> = fc
  .record({ count: fc.integer({ min: 2, max: 5 }), reflectors: fc.integer({ min: 0, max: 2 }) })
  .chain(({ count, reflectors }) => {
    const router = fc.integer({ min: 0, max: count - 1 });
    const heads = Array.from({ length: Math.min(reflectors, count - 1) }, (_, index) => index);
    return fc.record({
      count: fc.constant(count),
      clientOf: fc.tuple(
        ...Array.from({ length: count }, (_, index) =>
          heads.length === 0 || index < heads.length ? fc.constant(undefined) : fc.subarray(heads, { minLength: 1 }),
        ),
      ),
      externals: fc.array(
        fc.record({ border: router, localPref: fc.constantFrom(100, 100, 200), prepends: fc.integer({ min: 0, max: 1 }) }),
        {
          minLength: 1,
          maxLength: 4,
        },
      ),
      isNextHopSelf: fc.boolean(),
      knowsOutside: fc.array(fc.boolean(), { minLength: count, maxLength: count }),
      metrics: fc.array(
        fc.array(heads.length === 0 ? fc.integer({ min: 1, max: 3 }) : fc.constant(1), { minLength: count, maxLength: count }),
        {
          minLength: count,
          maxLength: count,
        },
      ),
    });
  });

/** The two sides of each internal session. */
function sessionsOf({ count, clientOf }: Plan): readonly (readonly [number, number])[] {
  const all = Array.from({ length: count }, (_, a) => Array.from({ length: count - a - 1 }, (__, b) => [a, a + b + 1] as const)).flat();
  const has = (one: number, other: number) => clientOf[one]?.includes(other) === true;
  return all.filter(([a, b]) => (clientOf[a] === undefined && clientOf[b] === undefined) || has(a, b) || has(b, a));
}

interface Route {
  readonly external: number;
  /** Undefined: from the external neighbor itself. */
  readonly from: number | undefined;
  readonly originator: number;
  readonly clusters: readonly number[];
  readonly isOriginatorTold: boolean;
}

/** Rounds of everybody telling everybody, until nobody has anything new: the best path of each router. */
function expected(plan: Plan): Record<string, string> {
  const { count, clientOf, externals, isNextHopSelf, knowsOutside, metrics } = plan;
  const sessions = sessionsOf(plan);
  const neighbors = (router: number) => sessions.flatMap(([a, b]) => (a === router ? [b] : b === router ? [a] : []));
  const isClient = (router: number, of: number) => clientOf[router]?.includes(of) === true;
  const rank = (router: number, { external, from, originator, clusters }: Route): readonly number[] => {
    const { localPref, prepends, border } = externals[external] as External;
    const metric = from === undefined || border === router ? 0 : (metrics[router]?.[border] ?? 0);
    const identifier = from === undefined ? 100 + external : originator;
    return [-localPref, prepends, from === undefined ? 0 : 1, metric, identifier, clusters.length, from ?? 0];
  };
  const isBetter = (router: number, one: Route, other: Route) => {
    const [a, b] = [rank(router, one), rank(router, other)];
    const at = a.findIndex((value, index) => value !== b[index]);
    return at >= 0 && (a[at] ?? 0) < (b[at] ?? 0);
  };
  const isUsable = (router: number, { external, from }: Route) =>
    from === undefined || isNextHopSelf || (externals[external] as External).border === router || knowsOutside[router] === true;
  const told = (sender: number, receiver: number, route: Route | undefined): Route | undefined => {
    if (route === undefined) return undefined;
    if (route.from === undefined) return { ...route, from: sender, originator: sender };
    if (!isClient(route.from, sender) && !isClient(receiver, sender)) return undefined;
    if (route.originator === receiver || route.clusters.includes(receiver)) return undefined;
    return { ...route, from: sender, clusters: [sender, ...route.clusters], isOriginatorTold: true };
  };
  let best: readonly (Route | undefined)[] = Array.from({ length: count }, () => undefined);
  for (let round = 0; round < 20; round++) {
    const before = best;
    best = before.map((_, router) => {
      const own = externals.flatMap(({ border }, external): Route[] =>
        border === router ? [{ external, from: undefined, originator: router, clusters: [], isOriginatorTold: false }] : [],
      );
      const others = neighbors(router).flatMap((sender) => told(sender, router, before[sender]) ?? []);
      return [...own, ...others]
        .filter((route) => isUsable(router, route))
        .reduce<Route | undefined>((found, route) => (found === undefined || isBetter(router, route, found) ? route : found), undefined);
    });
  }
  return Object.fromEntries(
    best.flatMap((route, router) => {
      if (route === undefined) return [];
      const { external, from, originator, clusters, isOriginatorTold } = route;
      const border = (externals[external] as External).border;
      const nextHop = from !== undefined && isNextHopSelf ? idOf(border) : outsideOf(external, 2);
      const origin = isOriginatorTold ? ` originator ${idOf(originator)} clusters ${clusters.map(idOf).join(' ')}` : '';
      return [[`router ${router}`, `external ${external} by ${nextHop}${origin}`] as const];
    }),
  );
}

function build(plan: Plan) {
  const { count, clientOf, externals, isNextHopSelf, knowsOutside, metrics } = plan;
  const clock = new SimulatedClock(1_700_000_000_000);
  const network = createNetwork({ clock, random: new Random('internal paths') });
  const namespaces = Array.from({ length: count }, (_, router) => network.createNamespace(`r${router}`));
  namespaces.forEach((namespace, router) => {
    namespace.getInterface('lo')?.setUp();
    namespace.getInterface('lo')?.addAddress(ip(idOf(router)), 32);
  });
  const connect = (one: NetworkNamespace, other: NetworkNamespace, name: string, addresses: readonly [string, string]) =>
    network.createVeth({ namespace: one, name }, { namespace: other, name }).forEach((device, side) => {
      device.setUp();
      device.addAddress(ip(addresses[side] as string), 30);
    });
  for (let one = 0; one < count; one++) {
    for (let other = one + 1; other < count; other++) {
      const net = 64 + 4 * (one * count + other);
      const ends = [`192.0.2.${net + 1}`, `192.0.2.${net + 2}`] as const;
      const [a, b] = [namespaces[one] as NetworkNamespace, namespaces[other] as NetworkNamespace];
      connect(a, b, `x${net}`, ends);
      const [toOther, toOne] = [{ nextHops: [{ via: ip(ends[1]) }] }, { nextHops: [{ via: ip(ends[0]) }] }];
      a.routes.add({ destination: prefix(`${idOf(other)}/32`), ...toOther });
      b.routes.add({ destination: prefix(`${idOf(one)}/32`), ...toOne });
      externals.forEach(({ border }, index) => {
        const destination = prefix(`${outsideOf(index, 0)}/30`);
        if (border === other && knowsOutside[one] === true) a.routes.add({ destination, ...toOther });
        if (border === one && knowsOutside[other] === true) b.routes.add({ destination, ...toOne });
      });
    }
  }
  const speakers = namespaces.map((namespace, router) =>
    createSpeaker({
      namespace,
      clock,
      random: new Random(`router ${router}`),
      implementation: 'frr',
      localAsn: ownAsn,
      routerId: ip(idOf(router)),
      listenPort: 179,
      hostname: `r${router}`,
      decision: { compareRouterId: true },
      metricOf: ({ text }) => {
        const target = text.startsWith('203.0.113.')
          ? externals[Number(text.split('.')[3]?.split('/')[0]) / 4]?.border
          : Number(text.split('.')[3]?.split('/')[0]) - 1;
        return metrics[router]?.[target ?? -1] ?? 0;
      },
      importPolicy: ({ attributes }, peer) => {
        const external = externals[(peer.remoteAsn ?? 0) - 64_600];
        return { attributes: peer.isExternal ? { ...attributes, localPref: external?.localPref ?? 100 } : attributes };
      },
    }),
  );
  const peer = (address: string, remoteAs: number, more: Partial<PeerConfig>): PeerConfig => ({
    address: ip(address),
    remoteAs,
    port: 179,
    families: ['ipv4-unicast'],
    holdTimeSeconds: 9,
    keepaliveSeconds: 3,
    connectRetrySeconds: 5,
    multihopTtl: 1,
    ...more,
  });
  const outside: BgpSpeaker[] = [];
  externals.forEach(({ border, prepends }, index) => {
    const namespace = network.createNamespace(`e${index}`);
    connect(namespaces[border] as NetworkNamespace, namespace, `out${index}`, [outsideOf(index, 1), outsideOf(index, 2)]);
    const localAsn = 64_600 + index;
    const speaker = createSpeaker({
      namespace,
      clock,
      random: new Random(`external ${index}`),
      implementation: 'frr',
      localAsn,
      routerId: ip(`192.0.2.${101 + index}`),
      listenPort: 179,
      hostname: `e${index}`,
      exportPolicy: ({ attributes }) => ({
        attributes: { ...attributes, asPath: [...Array.from({ length: prepends }, () => localAsn), ...attributes.asPath] },
      }),
    });
    speaker.originate({ prefix: announced });
    speaker.addPeer(peer(outsideOf(index, 1), ownAsn, {}));
    outside.push(speaker);
    speakers[border]?.addPeer(peer(outsideOf(index, 2), localAsn, {}));
  });
  for (const [one, other] of sessionsOf(plan)) {
    for (const [own, far] of [
      [one, other],
      [other, one],
    ] as const) {
      const routeReflectorClient = clientOf[far]?.includes(own) === true;
      speakers[own]?.addPeer(
        peer(idOf(far), ownAsn, {
          localAddress: ip(idOf(own)),
          multihopTtl: 255,
          perFamily: { 'ipv4-unicast': { routeReflectorClient, ...(isNextHopSelf ? { nextHopSelf: 'own' } : {}) } },
        }),
      );
    }
  }
  const text = (address: Ip | undefined) => address?.text ?? '';
  const tables = () =>
    Object.fromEntries(
      speakers.flatMap((speaker, router) => {
        const best = speaker.lookup(announced)?.best;
        if (best === undefined) return [];
        const { asPath, nextHop, originatorId, clusterList } = best.attributes;
        const origin =
          originatorId === undefined ? '' : ` originator ${text(originatorId)} clusters ${(clusterList ?? []).map(text).join(' ')}`;
        return [[`router ${router}`, `external ${Number(asPath[0]) - 64_600} by ${nextHop.text}${origin}`] as const];
      }),
    );
  return { clock, speakers, outside, tables };
}

describe('any AS of routers that are meshed or reflect', () => {
  it('comes to rest in the state that the rules of RFC 4456 and the next hops leave', () => {
    fc.assert(
      fc.property(plans, (plan) => {
        const { clock, tables } = build(plan);
        clock.advance(40_000);
        expect(tables()).toEqual(expected(plan));
      }),
      { numRuns: 40 },
    );
  });

  it('finds the next best when an external neighbor goes, and the former again when it is back', () => {
    fc.assert(
      fc.property(plans, fc.nat(), (plan, which) => {
        const { clock, outside, tables } = build(plan);
        clock.advance(40_000);
        const gone = which % plan.externals.length;
        outside[gone]?.withdraw(announced);
        clock.advance(10_000);
        const lost = plan.externals.map((each, index) => (index === gone ? { ...each, border: -1 } : each));
        expect(tables()).toEqual(expected({ ...plan, externals: lost }));
        outside[gone]?.originate({ prefix: announced });
        clock.advance(10_000);
        expect(tables()).toEqual(expected(plan));
      }),
      { numRuns: 25 },
    );
  });
});
