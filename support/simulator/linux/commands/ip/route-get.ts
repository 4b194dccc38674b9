import type { CommandResult } from '../../../docker/types.ts';
import { isLoopback, parseIp } from '../../../net/address.ts';
import { errnoText } from '../../../net/network-error.ts';
import type { Family, Ip, RouteDecision } from '../../../net/types.ts';
import { CommandFailure, output } from '../result.ts';
import { type Omitted, routeJson, routeText, tableNames, viaText } from './route-text.ts';
import { changedDevice, expectAddress, expectNumber, expectPrefix, type IpContext, json, type Words } from './words.ts';

/** Why a packet would go nowhere, as the kernel answers it. */
export function decisionErrno(decision: RouteDecision): 'EINVAL' | 'EHOSTUNREACH' | 'EACCES' | 'ENETUNREACH' | undefined {
  switch (decision.kind) {
    case 'blackhole':
      return 'EINVAL';
    case 'unreachable':
      return 'EHOSTUNREACH';
    case 'prohibit':
      return 'EACCES';
    case 'no-route':
      return 'ENETUNREACH';
    default:
      return undefined;
  }
}

/** `ip route get`: what the kernel would do with a packet. */
export function getRoute(words: Words, context: IpContext, warnings: string[]): CommandResult {
  let destination: Ip | undefined;
  let isMatch = false;
  const from: { source?: Ip; inputDevice?: string; outputDevice?: string; mark?: number } = {};
  while (words.hasMore) {
    const word = words.take();
    if (word === 'from') from.source = expectAddress(words.take(), undefined);
    else if (word === 'iif') from.inputDevice = words.take();
    else if (word === 'oif' || word === 'dev') from.outputDevice = changedDevice(context.namespace, words.take()).name;
    else if (word === 'mark') from.mark = expectNumber(words.take(), 'mark');
    else if (word === 'vrf') throw new CommandFailure(`Error: argument "${words.take()}" is wrong: Invalid VRF\n\n`, 255);
    else if (['uid', 'tos', 'ipproto', 'sport', 'dport'].includes(word)) words.take();
    else if (word === 'fibmatch') isMatch = true;
    else if (['connected', 'notify'].includes(word)) continue;
    else {
      const text = word === 'to' ? words.take() : word;
      const [address = '', length] = text.split('/');
      destination = parseIp(address);
      const whole = destination?.family === 6 ? '128' : '32';
      if (destination !== undefined && length !== undefined && length !== whole)
        warnings.push(`Warning: /${length} as prefix is invalid, only /${whole} (or none) is supported.\n`);
      if (destination === undefined || (context.family !== undefined && context.family !== destination.family))
        expectPrefix(text, context.family);
    }
  }
  if (destination === undefined) throw new CommandFailure('need at least a destination address\n', 1);
  if (from.inputDevice !== undefined) checkInput(context, destination, from.source, from.inputDevice);
  else if (destination.family === 4 && from.source !== undefined && !context.namespace.isLocalAddress(from.source))
    throw new CommandFailure('RTNETLINK answers: Network is unreachable\n', 2);
  const decision = context.namespace.routes.lookup(destination, from);
  const errno = decisionErrno(decision);
  if (errno !== undefined || (decision.kind !== 'local' && decision.kind !== 'forward')) {
    throw new CommandFailure(`RTNETLINK answers: ${errnoText(errno ?? 'ENETUNREACH')}\n`, 2);
  }
  const { family } = destination;
  const isLocal = decision.kind === 'local';
  if (isMatch) {
    const nothing: Omitted = { device: false, via: false, protocol: false, scope: false, table: false };
    return output(
      context.isJson ? json([routeJson(decision.route, context, nothing)], context) : routeText(decision.route, context, nothing),
    );
  }
  const device = isLocal ? 'lo' : decision.device.name;
  const gateway = decision.kind === 'forward' && decision.nextHop !== destination ? decision.nextHop : undefined;
  const source =
    from.source ??
    (isLocal ? destination : decision.route.preferredSource) ??
    (decision.kind === 'forward' ? decision.source : undefined) ??
    sourceOn(context, decision.device.name, family);
  const { route } = decision;
  if (context.isJson) {
    const value = {
      ...(isLocal ? { type: 'local' } : {}),
      dst: destination.text,
      ...(gateway === undefined
        ? {}
        : gateway.family === family
          ? { gateway: gateway.text }
          : { via: { family: 'inet6', host: gateway.text } }),
      dev: device,
      ...(family === 6 && route.protocol !== 'boot' ? { protocol: route.protocol } : {}),
      ...(source === undefined ? {} : { prefsrc: source.text }),
      ...(family === 6 ? { metric: isLocal ? 0 : route.metric } : {}),
      flags: [],
      ...(family === 4 ? { uid: 0, cache: isLocal ? ['local'] : [] } : { pref: 'medium' }),
    };
    return output(json([value], context));
  }
  const network = isLocal && family === 4 ? broadcastDevice(context, destination) : undefined;
  if (network !== undefined) {
    const separator = context.isOneLine ? '\\' : '\n';
    return output(`broadcast ${destination.text} dev ${network.device} src ${network.own.text} uid 0 ${separator}    cache <local,brd> \n`);
  }
  let text = `${isLocal ? 'local ' : ''}${destination.text} `;
  if (from.source !== undefined) text += `from ${from.source.text} `;
  else if (family === 6) text += 'from :: ';
  if (gateway !== undefined) text += viaText({ via: gateway }, family);
  text += `dev ${device} `;
  if (isLocal || route.table !== 254) text += family === 6 || !isLocal ? `table ${tableNames[route.table] ?? route.table} ` : '';
  if (family === 6) {
    if (route.protocol !== 'boot') text += `proto ${route.protocol} `;
    // the kernel tells the source that it would take, whatever `from` says; a packet that comes in has its own
    const chosen = from.source === undefined ? source : sourceWithout(context, destination, from);
    if (chosen !== undefined && from.inputDevice === undefined) text += `src ${chosen.text} `;
    text += `metric ${isLocal ? 0 : route.metric} `;
    const known = isLocal ? undefined : context.namespace.pathMtu(destination);
    if (known !== undefined) text += `${expiryText(known.expiresAt, context)}mtu ${known.mtu} `;
    return output(`${text}${from.inputDevice === undefined ? '' : `iif ${from.inputDevice} `}pref medium\n`);
  }
  if (source !== undefined && from.source === undefined) text += `src ${source.text} `;
  if (from.mark !== undefined) text += `mark ${from.mark < 16 ? from.mark : `0x${from.mark.toString(16)}`} `;
  if (from.inputDevice === undefined) text += 'uid 0 ';
  const learnt = isLocal ? undefined : context.namespace.pathMtu(destination);
  const mtu = learnt?.mtu ?? route.mtu;
  const expires = learnt === undefined ? '' : expiryText(learnt.expiresAt, context);
  const separator = context.isOneLine ? '\\' : '\n';
  return output(
    `${text}${separator}    cache ${isLocal || isLoopback(destination) ? '<local> ' : ''}${expires}${mtu === undefined ? '' : `mtu ${mtu} `}${from.inputDevice === undefined ? '' : `iif ${from.inputDevice} `}\n`,
  );
}

/** The device on whose subnet everybody hears this address. */
function broadcastDevice({ namespace }: IpContext, destination: Ip): { readonly device: string; readonly own: Ip } | undefined {
  if (namespace.isLocalAddress(destination)) return undefined;
  for (const device of namespace.interfaces) {
    for (const { ip, prefixLength } of device.addresses) {
      if (ip.family !== 4 || prefixLength > 30) continue;
      const rest = (1n << BigInt(32 - prefixLength)) - 1n;
      if ((ip.value | rest) === destination.value) return { device: device.name, own: ip };
    }
  }
  return undefined;
}

function sourceWithout(context: IpContext, destination: Ip, { outputDevice }: { outputDevice?: string }): Ip | undefined {
  const decision = context.namespace.routes.lookup(destination, outputDevice === undefined ? {} : { outputDevice });
  return decision.kind === 'forward' ? (decision.route.preferredSource ?? decision.source) : destination;
}

function expiryText(expiresAt: number, context: IpContext): string {
  return `expires ${Math.floor((expiresAt - context.command.clock.now()) / 1000)}sec `;
}

/** A packet that comes in on a device has a source, and not one of this host (net/ipv4/route.c, ip_route_input_slow). */
function checkInput(context: IpContext, destination: Ip, source: Ip | undefined, name: string): void {
  const { namespace } = context;
  const device = changedDevice(namespace, name);
  if (device.kind === 'loopback' || destination.family === 6) return;
  if (source === undefined || namespace.isLocalAddress(source)) throw new CommandFailure('RTNETLINK answers: Invalid argument\n', 2);
}

function sourceOn(context: IpContext, name: string, family: Family): Ip | undefined {
  const addresses = context.namespace.getInterface(name)?.addresses.filter((address) => address.ip.family === family) ?? [];
  return (addresses.find((address) => address.scope === 'global') ?? addresses[0])?.ip;
}
