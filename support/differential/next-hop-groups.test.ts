import { describe, expect, it } from 'vitest';
import type { Action, End, Plan, Stage } from './plan.ts';
import { findRealFrr, observeReal } from './real-network.ts';
import { observeSimulated } from './simulated-network.ts';

/** A router with three external neighbors that announce one prefix, each over a link of its own. */
const numbers = [1, 2, 3] as const;
const announced = '203.0.113.0/24';

function plan(stages: readonly Stage[]): Plan {
  const addresses = (number: number, host: number) => [`192.0.2.${4 * number + host}/30`, `2001:db8:${number}::${host}/64`];
  const links = numbers.map((number): readonly [End, End] => [
    { machine: 'hub', device: `to-n${number}`, addresses: addresses(number, 1) },
    { machine: `n${number}`, device: 'to-hub', addresses: addresses(number, 2) },
  ]);
  const router = (name: string, asn: number, id: number, blackholes: readonly string[], ...lines: readonly string[]) => ({
    name,
    addresses: [],
    blackholes,
    statics: [],
    configuration: [`router bgp ${asn}`, ` bgp router-id 198.51.100.${id}`, ' no bgp ebgp-requires-policy', ' timers bgp 3 9', ...lines],
  });
  return {
    seed: 9100,
    routers: [
      router(
        'hub',
        64_500,
        1,
        [],
        ' bgp bestpath as-path multipath-relax',
        ...numbers.flatMap((number) => [
          ` neighbor 192.0.2.${4 * number + 2} remote-as ${64_500 + number}`,
          ` neighbor 192.0.2.${4 * number + 2} timers connect 3`,
        ]),
      ),
      ...numbers.map((number) =>
        router(
          `n${number}`,
          64_500 + number,
          10 + number,
          [announced],
          ` neighbor 192.0.2.${4 * number + 1} remote-as 64500`,
          ` neighbor 192.0.2.${4 * number + 1} timers connect 3`,
          ' address-family ipv4 unicast',
          `  network ${announced}`,
          ' exit-address-family',
        ),
      ),
    ],
    hosts: [],
    links,
    stages: [{ name: 'started', actions: [], settleSeconds: 6 }, ...stages],
  };
}

const link = (number: number, state: 'up' | 'down'): Action => ({ machine: 'hub', argv: ['ip', 'link', 'set', `to-n${number}`, state] });
const down = (number: number, seconds: number): Stage => ({
  name: `${number} down`,
  actions: [link(number, 'down')],
  settleSeconds: seconds,
});
const up = (number: number): Stage => ({ name: `${number} up`, actions: [link(number, 'up')], settleSeconds: 24 });
const cleared = (number: number): Stage => ({
  name: `${number} cleared`,
  actions: [{ machine: 'hub', argv: ['vtysh', '-c', `clear bgp 192.0.2.${4 * number + 2}`] }],
  settleSeconds: 20,
});

interface Case {
  readonly name: string;
  readonly stages: readonly Stage[];
  /** Which neighbors the kernel's route has after each stage, as FRR 8.4.4 on Linux 6.18 did. */
  readonly kernel: readonly (readonly number[])[];
}

const cases: readonly Case[] = [
  {
    name: 'a next hop whose link was down for two seconds stays out',
    stages: [down(1, 2), up(1)],
    kernel: [
      [1, 2, 3],
      [2, 3],
      [2, 3],
    ],
  },
  {
    name: 'one whose link was down for 100 seconds, too',
    stages: [down(1, 100), up(1)],
    kernel: [
      [1, 2, 3],
      [2, 3],
      [2, 3],
    ],
  },
  {
    name: 'after three minutes the group is forgotten, and made anew',
    stages: [down(1, 190), up(1)],
    kernel: [
      [1, 2, 3],
      [2, 3],
      [1, 2, 3],
    ],
  },
  {
    name: 'each loss takes one more out of the group, and a new session puts none back',
    stages: [down(1, 12), up(1), down(2, 2), up(2), cleared(3)],
    kernel: [[1, 2, 3], [2, 3], [2, 3], [1, 3], [3], [3]],
  },
  {
    name: 'a session that was cleared takes none out',
    stages: [cleared(1)],
    kernel: [
      [1, 2, 3],
      [1, 2, 3],
    ],
  },
];

/** By what the kernel holds of the route. */
const members = (text: string | undefined) => numbers.filter((number) => text?.includes(`dev to-n${number}`) === true);

describe('what is left of a next-hop group in the kernel', () => {
  it.each(cases)('$name', async ({ stages, kernel }) => {
    const views = await observeSimulated(plan(stages));
    expect(views.map(({ routers }) => members(routers['hub']?.kernel[announced]))).toEqual(kernel);
  });

  const frr = findRealFrr(process.env);
  it.skipIf(typeof frr === 'string' || process.env['OUTPOST_DIFFERENTIAL_SEEDS'] === undefined)(
    'of real routers now',
    async () => {
      if (typeof frr === 'string') return;
      await Promise.all(
        cases.map(async ({ stages, kernel }) => {
          const views = await observeReal(plan(stages), frr);
          expect(views.map(({ routers }) => members(routers['hub']?.kernel[announced]))).toEqual(kernel);
        }),
      );
    },
    400_000,
  );
});
