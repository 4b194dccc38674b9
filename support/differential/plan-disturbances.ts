import type { Random } from '../simulator/clock/random.ts';
import { type Action, type Draft, type End, type Stage, settleSeconds } from './plan.ts';

const kinds = [
  'link',
  'link',
  'shutdown',
  'network',
  'clear',
  'policy',
  'policy',
  'kernel route',
  'static route',
  'bgpd',
  'timers',
  'aggregate',
  'maximum-prefix',
] as const;

/** One thing that goes wrong or is changed, and where it can be, that it is put right again. */
export function disturbances(routers: readonly Draft[], links: readonly (readonly [End, End])[], random: Random): readonly Stage[] {
  const chance = (probability: number) => random.fraction() < probability;
  const vtysh = (machine: string, ...lines: readonly string[]): Action => ({
    machine,
    argv: ['vtysh', ...lines.flatMap((line) => ['-c', line])],
  });
  const stage = (name: string, ...actions: readonly Action[]): Stage => ({ name, actions, settleSeconds });
  const router = random.pick(routers);
  const session = random.pick(router.sessions);
  const { name } = router;
  const family = session.families[0] ?? 'ipv4';
  const inBgp = ['configure terminal', `router bgp ${router.asn}`] as const;
  const inFamily = [...inBgp, `address-family ${family} unicast`] as const;
  const network = router.networks.ipv4[0] as string;
  const kind = random.pick(kinds);
  switch (kind) {
    case 'link': {
      const [end] = random.pick(links);
      const v6 = end.addresses.find((address) => address.includes(':')) as string;
      const ip = (...args: readonly string[]): Action => ({ machine: end.machine, argv: ['ip', ...args] });
      return [
        stage('link down', ip('link', 'set', end.device, 'down')),
        // Linux took the global IPv6 address away and does not give it back.
        stage('link up', ip('link', 'set', end.device, 'up'), ip('addr', 'add', v6, 'dev', end.device, 'nodad')),
      ];
    }
    case 'shutdown':
      return [
        stage('shutdown', vtysh(name, ...inBgp, `neighbor ${session.peer} shutdown`)),
        stage('no shutdown', vtysh(name, ...inBgp, `no neighbor ${session.peer} shutdown`)),
      ];
    case 'network':
      return [
        stage('network gone', vtysh(name, ...inBgp, 'address-family ipv4 unicast', `no network ${network}`)),
        stage('network back', vtysh(name, ...inBgp, 'address-family ipv4 unicast', `network ${network}`)),
      ];
    case 'clear': {
      const how = random.pick(['', ' soft', ' soft in', ' soft out', ' in', ' out'] as const);
      return [stage('clear', vtysh(name, how === '' ? 'clear bgp *' : `clear bgp ${family} unicast *${how}`))];
    }
    case 'policy': {
      const direction = random.pick(['in', 'out'] as const);
      return [
        stage(
          'policy changed',
          vtysh(
            name,
            'configure terminal',
            'route-map LATE permit 10',
            `set local-preference ${random.integer(50, 300)}`,
            'set metric 7',
            'set community 64496:9 additive',
          ),
          vtysh(name, ...inFamily, `neighbor ${session.peer} route-map LATE ${direction}`),
          ...(chance(0.5) ? [vtysh(name, `clear bgp ${family} unicast * soft ${direction}`)] : []),
        ),
        stage('policy gone', vtysh(name, ...inFamily, `no neighbor ${session.peer} route-map LATE ${direction}`)),
      ];
    }
    case 'kernel route': {
      const route = `203.0.113.${128 + 16 * router.number}/28`;
      const ip = (verb: string): Action => ({ machine: name, argv: ['ip', 'route', verb, 'blackhole', route] });
      const ip6 = (verb: string): Action => ({
        machine: name,
        argv: ['ip', 'route', verb, 'blackhole', `2001:db8:${router.number}f::/48`],
      });
      return [
        stage('kernel route added', vtysh(name, ...inBgp, 'address-family ipv4 unicast', 'redistribute kernel'), ip('add'), ip6('add')),
        stage('kernel route gone', ip('del'), ip6('del')),
      ];
    }
    case 'static route': {
      const prefix = `203.0.113.${128 + 16 * router.number}/28`;
      return [
        stage(
          'static route added',
          vtysh(name, ...inBgp, 'address-family ipv4 unicast', 'redistribute static metric 5'),
          vtysh(name, 'configure terminal', `ip route ${prefix} blackhole`),
        ),
        stage('static route gone', vtysh(name, 'configure terminal', `no ip route ${prefix} blackhole`)),
      ];
    }
    case 'bgpd':
      return [
        stage('bgpd killed', { machine: name, argv: ['bgpd', 'kill'] }),
        stage('bgpd started', { machine: name, argv: ['bgpd', 'start'] }),
      ];
    case 'timers':
      return [
        stage('timers changed', vtysh(name, ...inBgp, `neighbor ${session.peer} timers 2 6`)),
        stage('cleared with them', vtysh(name, 'clear bgp *')),
      ];
    case 'aggregate': {
      const aggregate = family === 'ipv4' ? '203.0.113.0/24' : '2001:db8::/32';
      const words = random.pick(['', ' summary-only', ' as-set', ' as-set summary-only'] as const);
      return [
        stage('aggregate', vtysh(name, ...inFamily, `aggregate-address ${aggregate}${words}`)),
        stage('no aggregate', vtysh(name, ...inFamily, `no aggregate-address ${aggregate}${words}`)),
      ];
    }
    case 'maximum-prefix': {
      const maximum = random.integer(1, 6);
      const words = random.pick(['', ' warning-only', ' 50'] as const);
      return [
        stage('maximum-prefix', vtysh(name, ...inFamily, `neighbor ${session.peer} maximum-prefix ${maximum}${words}`)),
        stage(
          'no maximum-prefix',
          vtysh(name, ...inFamily, `no neighbor ${session.peer} maximum-prefix ${maximum}${words}`),
          vtysh(name, 'clear bgp *'),
        ),
      ];
    }
  }
}
