import type { Plan, Show } from './plan.ts';

export const every = (machine: string, commands: readonly string[]): Show[] => commands.map((command) => ({ machine, command }));

export function router(name: string, addresses: readonly string[], configuration: readonly string[], statics: readonly string[] = []) {
  return { name, addresses, blackholes: [], configuration, statics };
}

export function link(one: string, other: string, net: number): Plan['links'][number] {
  const end = (machine: string, to: string, host: number) => ({
    machine,
    device: `to-${to}`,
    addresses: [`192.0.2.${net * 4 + host}/30`, `2001:db8:${net}::${host}/64`],
  });
  return [end(one, other, 1), end(other, one, 2)];
}
