import type { Family, NextHop, Prefix, Route } from '../../../net/types.ts';
import type { IpContext } from './words.ts';

export const tableNames: Readonly<Record<number, string>> = { 253: 'default', 254: 'main', 255: 'local' };

export function destinationText(destination: Prefix): string {
  if (destination.length === 0) return 'default';
  return destination.length === (destination.family === 4 ? 32 : 128) ? destination.address.text : destination.text;
}

/** What is left out since every line of the list has it in common. */
export interface Omitted {
  readonly device: boolean;
  readonly via: boolean;
  readonly protocol: boolean;
  readonly scope: boolean;
  readonly table: boolean;
}

export function viaText(hop: NextHop, family: Family): string {
  if (hop.via === undefined) return '';
  return hop.via.family === family ? `via ${hop.via.text} ` : `via inet${hop.via.family === 6 ? '6' : ''} ${hop.via.text} `;
}

export function routeText(route: Route, context: IpContext, omitted: Omitted): string {
  const { family } = route.destination;
  const hops = route.nextHops;
  const only = hops.length === 1 ? hops[0] : undefined;
  const isSilent = route.type === 'blackhole' || route.type === 'unreachable' || route.type === 'prohibit' || route.type === 'throw';
  const { hasDetails } = context;
  let text = route.type === 'unicast' && !hasDetails ? '' : `${route.type} `;
  text += `${destinationText(route.destination)} `;
  if (route.nextHopId !== undefined) text += `nhid ${route.nextHopId} `;
  if (only !== undefined && !omitted.via) text += viaText(only, family);
  const device = only?.device ?? (isSilent && family === 6 ? 'lo' : undefined);
  if (device !== undefined && !omitted.device) text += `dev ${device} `;
  if (!omitted.table && route.table !== 254) text += `table ${tableNames[route.table] ?? route.table} `;
  if (!omitted.protocol && (hasDetails || route.protocol !== 'boot')) text += `proto ${route.protocol} `;
  if (hasDetails ? !omitted.scope : family === 4 && !omitted.scope && route.scope !== 'global') text += `scope ${route.scope} `;
  if (route.preferredSource !== undefined) text += `src ${route.preferredSource.text} `;
  if (route.metric !== 0 || family === 6) text += `metric ${route.metric} `;
  if (only?.onLink === true) text += 'onlink ';
  if (only?.device !== undefined && isLinkDown(context, only.device)) text += 'linkdown ';
  if (route.mtu !== undefined) text += `mtu ${route.mtu} `;
  if (family === 6) text += 'pref medium';
  if (hops.length > 1) {
    for (const hop of hops) {
      text += `${context.isOneLine ? '\\' : '\n'}\tnexthop ${viaText(hop, family)}dev ${hop.device ?? ''} weight ${hop.weight ?? 1} `;
      if (hop.device !== undefined && isLinkDown(context, hop.device)) text += 'linkdown ';
    }
  }
  return `${text}\n`;
}

function isLinkDown(context: IpContext, name: string): boolean {
  const device = context.namespace.getInterface(name);
  return device?.isAdminUp === true && !device.hasCarrier;
}

export function routeJson(route: Route, context: IpContext, omitted: Omitted): Record<string, unknown> {
  const { family } = route.destination;
  const only = route.nextHops.length === 1 ? route.nextHops[0] : undefined;
  const via = (hop: NextHop): Record<string, unknown> => {
    if (hop.via === undefined) return {};
    return hop.via.family === family
      ? { gateway: hop.via.text }
      : { via: { family: hop.via.family === 6 ? 'inet6' : 'inet', host: hop.via.text } };
  };
  const flagsOf = (hop: NextHop | undefined): readonly string[] => [
    ...(hop?.onLink === true ? ['onlink'] : []),
    ...(hop?.device !== undefined && isLinkDown(context, hop.device) ? ['linkdown'] : []),
  ];
  const isSilent = route.type === 'blackhole' || route.type === 'unreachable' || route.type === 'prohibit' || route.type === 'throw';
  const device = only?.device ?? (isSilent && family === 6 ? 'lo' : undefined);
  return {
    ...(route.type === 'unicast' ? {} : { type: route.type }),
    dst: destinationText(route.destination),
    ...(route.nextHopId === undefined ? {} : { nhid: route.nextHopId }),
    ...(only === undefined || omitted.via ? {} : via(only)),
    ...(device === undefined || omitted.device ? {} : { dev: device }),
    ...(omitted.table || route.table === 254 ? {} : { table: tableNames[route.table] ?? String(route.table) }),
    ...(route.protocol === 'boot' || omitted.protocol ? {} : { protocol: route.protocol }),
    ...(family === 4 && route.scope !== 'global' && !omitted.scope ? { scope: route.scope } : {}),
    ...(route.preferredSource === undefined ? {} : { prefsrc: route.preferredSource.text }),
    ...(route.metric !== 0 || family === 6 ? { metric: route.metric } : {}),
    flags: flagsOf(only),
    ...(route.mtu === undefined ? {} : { metrics: [{ mtu: route.mtu }] }),
    ...(family === 6 ? { pref: 'medium' } : {}),
    ...(route.nextHops.length > 1
      ? { nexthops: route.nextHops.map((hop) => ({ ...via(hop), dev: hop.device, weight: hop.weight ?? 1, flags: flagsOf(hop) })) }
      : {}),
  };
}
