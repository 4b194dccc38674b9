import type { Plan, Show } from './plan.ts';

/** Small networks made by hand, whose `show` commands have to print what real FRR prints. */

const every = (machine: string, commands: readonly string[]): Show[] => commands.map((command) => ({ machine, command }));

function router(name: string, addresses: readonly string[], configuration: readonly string[], statics: readonly string[] = []) {
  return { name, addresses, blackholes: [], configuration, statics };
}

function link(one: string, other: string, net: number): Plan['links'][number] {
  const end = (machine: string, to: string, host: number) => ({
    machine,
    device: `to-${to}`,
    addresses: [`192.0.2.${net * 4 + host}/30`, `2001:db8:${net}::${host}/64`],
  });
  return [end(one, other, 1), end(other, one, 2)];
}

/** A hub that takes whoever comes from a range, as labs do that do not name each node. */
const dynamicNeighbors: Plan = {
  seed: 9001,
  routers: [
    router(
      'hub',
      ['198.51.100.1/32'],
      [
        'router bgp 64500',
        ' bgp router-id 198.51.100.1',
        ' no bgp ebgp-requires-policy',
        ' neighbor NODES peer-group',
        ' neighbor NODES remote-as external',
        ' neighbor NODES description of a range',
        ' neighbor SIX peer-group',
        ' neighbor SIX remote-as 64503',
        ' neighbor 192.0.2.10 remote-as 64503',
        ' bgp listen limit 2',
        ' bgp listen range 2001:db8::/32 peer-group SIX',
        ' bgp listen range 192.0.2.0/29 peer-group NODES',
        ' address-family ipv4 unicast',
        '  network 198.51.100.1/32',
        ' exit-address-family',
        ' address-family ipv6 unicast',
        '  neighbor SIX activate',
        ' exit-address-family',
      ],
    ),
    ...([2, 3, 4] as const).map((n) =>
      router(
        `r${n}`,
        [`198.51.100.${n}/32`],
        [
          `router bgp ${64_499 + n}`,
          ` bgp router-id 198.51.100.${n}`,
          ' no bgp ebgp-requires-policy',
          ` neighbor 192.0.2.${(n - 2) * 4 + 1} remote-as 64500`,
          ...(n === 4 ? [` neighbor 2001:db8:${n - 2}::1 remote-as 64500`] : []),
          ' address-family ipv4 unicast',
          `  network 198.51.100.${n}/32`,
          ' exit-address-family',
          ...(n === 4 ? [' address-family ipv6 unicast', '  neighbor 2001:db8:2::1 activate', ' exit-address-family'] : []),
        ],
      ),
    ),
  ],
  hosts: [],
  links: [link('hub', 'r2', 0), link('hub', 'r3', 1), link('hub', 'r4', 2)],
  stages: [
    {
      name: 'at rest',
      actions: [],
      settleSeconds: 14,
      shows: [
        ...every('hub', [
          'show bgp summary',
          'show bgp summary json',
          'show bgp neighbors 192.0.2.2',
          'show bgp neighbors 192.0.2.2 json',
          'show bgp neighbors 192.0.2.6',
          'show bgp ipv4 unicast',
          'show running-config',
          'show bgp peer-group',
          'show bgp peer-group NODES',
          'show bgp ipv4 unicast 198.51.100.2/32',
          'show bgp ipv4 unicast neighbors 192.0.2.2 routes',
        ]),
        ...every('r4', ['show bgp summary']),
      ],
    },
    {
      name: 'one gone',
      actions: [{ machine: 'r2', argv: ['bgpd', 'kill'] }],
      settleSeconds: 6,
      shows: every('hub', ['show bgp summary', 'show bgp neighbors 192.0.2.2', 'show bgp ipv4 unicast']),
    },
    {
      name: 'back',
      actions: [{ machine: 'r2', argv: ['bgpd', 'start'] }],
      settleSeconds: 14,
      shows: every('hub', ['show bgp summary', 'show bgp ipv4 unicast']),
    },
    {
      name: 'cleared',
      actions: [{ machine: 'hub', argv: ['vtysh', '-c', 'clear bgp 192.0.2.2'] }],
      settleSeconds: 10,
      shows: every('hub', ['show bgp summary']),
    },
    {
      name: 'a limit raised',
      actions: [{ machine: 'hub', argv: ['vtysh', '-c', 'conf t', '-c', 'router bgp 64500', '-c', 'bgp listen limit 5'] }],
      settleSeconds: 130,
      shows: every('hub', ['show bgp summary', 'show bgp ipv6 unicast summary', 'show running-config']),
    },
    {
      name: 'the range taken away',
      actions: [
        {
          machine: 'hub',
          argv: ['vtysh', '-c', 'conf t', '-c', 'router bgp 64500', '-c', 'no bgp listen range 192.0.2.0/29 peer-group NODES'],
        },
      ],
      settleSeconds: 6,
      shows: every('hub', ['show bgp summary', 'show bgp neighbors 192.0.2.6', 'show running-config']),
    },
  ],
};

const policies = [
  'ip prefix-list IN seq 5 permit 198.51.100.0/24 ge 32',
  'ip prefix-list IN seq 10 deny any',
  'ip prefix-list OUT description what leaves',
  'ip prefix-list OUT seq 5 permit any',
  'ipv6 prefix-list SIX seq 5 permit 2001:db8::/32 le 64',
  'bgp as-path access-list OWN seq 5 permit ^$',
  'bgp as-path access-list OWN seq 10 deny _64502_',
  'bgp community-list standard BLUE seq 5 permit 64500:100',
  'bgp community-list expanded RED seq 5 permit 64500:.*',
  'route-map TAG permit 10',
  ' match ip address prefix-list IN',
  ' set community 64500:100',
  ' set local-preference 150',
  'route-map TAG permit 20',
  ' description the rest',
  ' on-match next',
  'route-map TAG deny 30',
];

const shows: Plan = {
  seed: 9002,
  routers: [
    router(
      'r1',
      ['198.51.100.1/32', '2001:db8:f::1/128'],
      [
        'router bgp 64500',
        ' bgp router-id 198.51.100.1',
        ' no bgp ebgp-requires-policy',
        ' neighbor UP peer-group',
        ' neighbor UP remote-as 64501',
        ' neighbor 192.0.2.2 peer-group UP',
        ' neighbor 192.0.2.6 remote-as 64500',
        ' neighbor 192.0.2.9 remote-as 64509',
        ' neighbor 2001:db8:0::2 remote-as 64501',
        ' address-family ipv4 unicast',
        '  network 198.51.100.1/32',
        '  neighbor UP soft-reconfiguration inbound',
        '  neighbor UP route-map TAG in',
        '  neighbor UP prefix-list OUT out',
        '  neighbor 192.0.2.6 next-hop-self',
        '  no neighbor 2001:db8:0::2 activate',
        ' exit-address-family',
        ' address-family ipv6 unicast',
        '  network 2001:db8:f::1/128',
        '  neighbor 2001:db8:0::2 activate',
        ' exit-address-family',
      ],
      ['ip route 203.0.113.0/24 192.0.2.6', 'ip route 203.0.113.128/25 blackhole'],
    ),
    router(
      'r2',
      ['198.51.100.2/32', '203.0.113.7/32', '2001:db8:f::2/128'],
      [
        'router bgp 64501',
        ' bgp router-id 198.51.100.2',
        ' no bgp ebgp-requires-policy',
        ' neighbor 192.0.2.1 remote-as 64500',
        ' neighbor 2001:db8:0::1 remote-as 64500',
        ' address-family ipv4 unicast',
        '  network 198.51.100.2/32',
        '  network 203.0.113.7/32',
        '  no neighbor 2001:db8:0::1 activate',
        ' exit-address-family',
        ' address-family ipv6 unicast',
        '  network 2001:db8:f::2/128',
        '  neighbor 2001:db8:0::1 activate',
        ' exit-address-family',
      ],
    ),
    router(
      'r3',
      ['198.51.100.3/32'],
      [
        'router bgp 64500',
        ' bgp router-id 198.51.100.3',
        ' neighbor 192.0.2.5 remote-as 64500',
        ' address-family ipv4 unicast',
        '  network 198.51.100.3/32',
        ' exit-address-family',
      ],
    ),
  ],
  hosts: [],
  links: [link('r1', 'r2', 0), link('r1', 'r3', 1)],
  stages: [
    {
      name: 'at rest',
      // Through vtysh, which tells each daemon what it has a use for.
      actions: [{ machine: 'r1', argv: ['vtysh', '-c', 'configure terminal', ...policies.flatMap((line) => ['-c', line])] }],
      settleSeconds: 14,
      shows: every('r1', [
        ...['advertised-routes', 'received-routes', 'routes'].flatMap((what) => [
          `show bgp ipv4 unicast neighbors 192.0.2.2 ${what}`,
          `show bgp ipv4 unicast neighbors 192.0.2.2 ${what} json`,
          `show bgp ipv6 unicast neighbors 2001:db8:0::2 ${what}`,
          `show bgp ipv6 unicast neighbors 2001:db8:0::2 ${what} json`,
        ]),
        'show ip prefix-list',
        'show ip prefix-list IN',
        'show ip prefix-list NONE',
        'show ip prefix-list summary',
        'show ip prefix-list detail',
        'show ipv6 prefix-list',
        'show ipv6 prefix-list SIX',
        'show route-map',
        'show route-map TAG',
        'show route-map NONE',
        'show bgp community-list',
        'show bgp community-list BLUE',
        'show bgp community-list BLUE detail',
        'show bgp as-path-access-list',
        'show bgp as-path-access-list OWN',
        'show bgp peer-group',
        'show bgp peer-group UP',
        'show ip route',
        'show ip route json',
        'show ip route 198.51.100.2',
        'show ip route 198.51.100.2/32',
        'show ip route 198.51.100.2/32 json',
        'show ip route 192.0.2.0/30',
        'show ip route 203.0.113.129',
        'show ip route 8.8.8.8',
        'show ip route 8.8.8.8/32',
        'show ip route summary',
        'show ip route summary json',
        'show ip route static',
        'show ip route bgp json',
        'show ip route connected',
        'show ipv6 route',
        'show ipv6 route summary',
        'show ipv6 route 2001:db8:f::2',
        'show interface brief',
        'show bgp summary',
        'show bgp ipv4 unicast summary',
        'show bgp ipv4 unicast summary json',
        'show bgp ipv4 unicast summary established',
        'show bgp ipv4 unicast summary established json',
        'show bgp ipv4 unicast summary failed',
        'show bgp ipv4 unicast summary failed json',
        'show bgp summary established',
        'show bgp summary failed',
        'show bgp ipv4 unicast 203.0.113.0/24',
        'show bgp ipv4 unicast 203.0.113.9',
        'show bgp ipv4 unicast neighbors 192.0.2.2 filtered-routes',
        'show bgp ipv4 unicast neighbors 192.0.2.9 routes',
        'show bgp ipv4 unicast neighbors 192.0.2.99 routes',
        'show bgp ipv4 unicast neighbors 192.0.2.99 routes json',
        'show bgp neighbors 192.0.2.9',
        'show bgp ipv4 unicast 198.51.100.2/32',
        'show bgp ipv4 unicast 198.51.100.2/32 json',
        'show ip bgp summary',
        'show bgp ipv4 unicast',
        'show running-config',
      ]),
    },
  ],
};

const refusals: readonly string[] = [
  'bgp listen limit 0',
  'bgp listen limit 65536',
  'bgp listen range 192.0.2.0/24 peer-group NONE',
  'bgp listen range 192.0.2.0/24 peer-group UP',
  'bgp listen range 192.0.2.0/25 peer-group UP',
  'bgp listen range 198.51.100.0/24 peer-group UP',
  'neighbor OTHER remote-as 64504',
  'bgp listen range 198.51.100.0/24 peer-group OTHER',
  'bgp listen range 198.51.100.7/24 peer-group UP',
  'bgp listen range fe80::/64 peer-group UP',
  'bgp listen range 203.0.113.0/24 peer-group NUMBERLESS',
  'no bgp listen range 203.0.113.0/24 peer-group NONE',
  'no bgp listen range 198.51.100.0/24 peer-group UP',
  'no bgp listen range 198.51.100.0/24 peer-group OTHER',
  'bgp listen limit 7',
  'no bgp listen limit',
  'no bgp listen range 203.0.113.0/24 peer-group UP',
  'bgp listen range 192.0.2.77/32 peer-group UP',
  'bgp listen range 2001:db8::1/64 peer-group UP',
  'neighbor 198.51.100.5 peer-group UP',
];

/** How lines of listen ranges are refused. */
const refused: Plan = {
  seed: 9003,
  routers: [
    router(
      'r1',
      ['198.51.100.1/32'],
      [
        'router bgp 64500',
        ' bgp router-id 198.51.100.1',
        ' neighbor UP peer-group',
        ' neighbor OTHER peer-group',
        ' neighbor UP remote-as 64503',
        ' neighbor NUMBERLESS peer-group',
      ],
    ),
  ],
  hosts: [],
  links: [],
  stages: [
    {
      name: 'at rest',
      actions: [],
      settleSeconds: 2,
      shows: [
        ...every(
          'r1',
          refusals.map((line) => `configure terminal\nrouter bgp 64500\n${line}`),
        ),
        ...every('r1', ['show running-config', 'show bgp peer-group', 'show bgp peer-group NONE']),
      ],
    },
  ],
};

export const showPlans: Readonly<Record<string, Plan>> = { 'dynamic-neighbors': dynamicNeighbors, shows, refused };
