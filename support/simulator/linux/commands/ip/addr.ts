import { parsePrefix } from '../../../docker/addresses.ts';
import type { CommandResult } from '../../../docker/types.ts';
import { parseIp } from '../../../net/address.ts';
import type { InterfaceAddress, Ip, NetworkInterface } from '../../../net/types.ts';
import { CommandFailure, output } from '../result.ts';
import {
  byIndex,
  deviceJson,
  deviceText,
  inet6DeviceJson,
  inet6DeviceText,
  inet6Name,
  isDockerDevice,
  isLoopback,
  linkJson,
  nameWithPeer,
  stateOf,
  statisticsText,
} from './device.ts';
import { asKernel, changedDevice, expectPrefix, type IpContext, json, matches, shownDevice, Words } from './words.ts';

/** Broadcast addresses that were given by hand (`brd +`); the network layer has no use for them. */
const broadcasts = new WeakMap<NetworkInterface, Map<Ip, string>>();
/** Labels that are not the device's name (`label eth0:1`). */
const labels = new WeakMap<NetworkInterface, Map<Ip, string>>();
/** Addresses added with `nodad`: the flag stays and is shown. */
const noDads = new WeakMap<NetworkInterface, Set<Ip>>();

export function ipAddr(words: readonly string[], context: IpContext): CommandResult {
  const [verb = 'show', ...rest] = words;
  if (matches(verb, 'add')) return add(new Words(rest), context, false);
  if (matches(verb, 'change') || matches(verb, 'chg') || matches(verb, 'replace')) return add(new Words(rest), context, true);
  if (matches(verb, 'delete')) return remove(new Words(rest), context);
  if (matches(verb, 'show') || matches(verb, 'list') || matches(verb, 'lst')) return show(new Words(rest), context);
  if (matches(verb, 'flush')) return flush(new Words(rest), context);
  if (matches(verb, 'help')) return { stdout: '', stderr: usage, exitCode: 255 };
  throw new CommandFailure(`Command "${verb}" is unknown, try "ip address help".\n`, 255);
}

const usage = `Usage: ip address {add|change|replace} IFADDR dev IFNAME [ LIFETIME ]
                                                      [ CONFFLAG-LIST ]
       ip address del IFADDR dev IFNAME [mngtmpaddr]
       ip address {save|flush} [ dev IFNAME ] [ scope SCOPE-ID ]
                            [ to PREFIX ] [ FLAG-LIST ] [ label LABEL ] [up]
       ip address [ show [ dev IFNAME ] [ scope SCOPE-ID ] [ master DEVICE ]
                         [ type TYPE ] [ to PREFIX ] [ FLAG-LIST ]
                         [ label LABEL ] [up] [ vrf NAME ] ]
       ip address {showdump|restore}
`;

function addressWords(
  words: Words,
  context: IpContext,
): { readonly ip: Ip; readonly length: number | undefined; readonly device: NetworkInterface; readonly options: Map<string, string> } {
  let text: string | undefined;
  let deviceName: string | undefined;
  const options = new Map<string, string>();
  while (words.hasMore) {
    const word = words.take();
    if (word === 'dev') deviceName = words.take();
    else if (word === 'local' || word === 'to') text = words.take();
    else if (word === 'peer' || word === 'remote' || word === 'anycast')
      throw new CommandFailure(`Error: not simulated: ip address ${word}\n`, 2);
    else if (word === 'brd' || matches(word, 'broadcast')) options.set('brd', words.take());
    else if (
      word === 'scope' ||
      word === 'label' ||
      word === 'valid_lft' ||
      word === 'preferred_lft' ||
      word === 'metric' ||
      word === 'proto'
    )
      options.set(word, words.take());
    else if (['nodad', 'noprefixroute', 'home', 'mngtmpaddr', 'autojoin', 'optimistic', 'secondary'].includes(word)) options.set(word, '');
    else if (text === undefined) text = word;
    else throw new CommandFailure(`Error: either "local" is duplicate, or "${word}" is a garbage.\n`, 255);
  }
  if (deviceName === undefined) throw new CommandFailure('Not enough information: "dev" argument is required.\n', 1);
  if (text === undefined) throw new CommandFailure('RTNETLINK answers: Operation not supported\n', 2);
  const [addressText = '', lengthText] = text.split('/');
  const ip = parseIp(addressText);
  const length = lengthText === undefined ? undefined : Number(lengthText);
  if (
    ip === undefined ||
    (context.family !== undefined && ip.family !== context.family) ||
    (lengthText !== undefined && parsePrefix(text) === undefined)
  ) {
    const kind = context.family === undefined ? 'any valid' : context.family === 4 ? 'inet' : 'inet6';
    throw new CommandFailure(`Error: ${kind} prefix is expected rather than "${text}".\n`, 1);
  }
  return { ip, length, device: changedDevice(context.namespace, deviceName), options };
}

function add(words: Words, context: IpContext, isReplace: boolean): CommandResult {
  const { ip, length = ip.family === 4 ? 32 : 128, device, options } = addressWords(words, context);
  for (const word of ['valid_lft', 'preferred_lft'])
    if ((options.get(word) ?? 'forever') !== 'forever') throw new CommandFailure(`Error: not simulated: ip address ${word}\n`, 2);
  const wantedLabel = options.get('label');
  if (wantedLabel !== undefined && !wantedLabel.startsWith(device.name))
    throw new CommandFailure(`"dev" (${device.name}) must match "label" (${wantedLabel}).\n`, 255);
  if (isReplace && device.addresses.some((address) => address.ip === ip && address.prefixLength === length)) return output('');
  asKernel(() =>
    device.addAddress(ip, length, {
      ...(options.has('nodad') ? { noDad: true } : {}),
      ...(options.has('noprefixroute') ? { noPrefixRoute: true } : {}),
    }),
  );
  const unchecked = new Set(noDads.get(device));
  if (options.has('nodad')) unchecked.add(ip);
  else unchecked.delete(ip);
  noDads.set(device, unchecked);
  const label = options.get('label');
  if (label !== undefined && ip.family === 4) labels.set(device, new Map(labels.get(device)).set(ip, label));
  const broadcast = options.get('brd');
  if (broadcast !== undefined && ip.family === 4) {
    const text = broadcast === '+' || broadcast === '-' ? broadcastOf(ip, length) : broadcast;
    broadcasts.set(device, new Map(broadcasts.get(device)).set(ip, text));
  }
  return output('');
}

function remove(words: Words, context: IpContext): CommandResult {
  const { ip, length, device } = addressWords(words, context);
  asKernel(() => device.removeAddress(ip, length));
  if (length !== undefined || ip.family === 6) return output('');
  const warning = `Warning: Executing wildcard deletion to stay compatible with old scripts.
         Explicitly specify the prefix length (${ip.text}/32) to avoid this warning.
         This special behaviour is likely to disappear in further releases,
         fix your scripts!
`;
  return { stdout: '', stderr: warning, exitCode: 0 };
}

interface Filter {
  device: string | undefined;
  isUp: boolean;
  scope: string | undefined;
  master: string | undefined;
  type: string | undefined;
  to: string | undefined;
  label: string | undefined;
  group: string | undefined;
  /** `secondary`, `-tentative`…: what the flags of an address must or must not say. */
  readonly flags: { readonly name: string; readonly isWanted: boolean }[];
}

/** `primary` and `permanent` are words for the absence of a flag (ipaddress.c, get_filter). */
const flagFilters: Readonly<Record<string, readonly [string, boolean]>> = {
  secondary: ['secondary', true],
  temporary: ['secondary', true],
  primary: ['secondary', false],
  dynamic: ['dynamic', true],
  permanent: ['dynamic', false],
  tentative: ['tentative', true],
  deprecated: ['deprecated', true],
  dadfailed: ['dadfailed', true],
  nodad: ['nodad', true],
  noprefixroute: ['noprefixroute', true],
};

function filterWords(words: Words): Filter {
  const filter: Filter = {
    device: undefined,
    isUp: false,
    scope: undefined,
    master: undefined,
    type: undefined,
    to: undefined,
    label: undefined,
    group: undefined,
    flags: [],
  };
  while (words.hasMore) {
    const word = words.take();
    if (word === 'dev') filter.device = words.take();
    else if (word === 'up') filter.isUp = true;
    else if (word === 'scope') filter.scope = words.take();
    else if (word === 'master') filter.master = words.take();
    else if (word === 'type') filter.type = words.take();
    else if (word === 'to') filter.to = words.take();
    else if (word === 'label') filter.label = words.take();
    else if (word === 'group') filter.group = words.take();
    else if (flagFilters[word.replace(/^-/, '')] !== undefined) {
      const [name, isWanted] = flagFilters[word.replace(/^-/, '')] as readonly [string, boolean];
      filter.flags.push({ name, isWanted: word.startsWith('-') ? !isWanted : isWanted });
    } else if (filter.device === undefined) filter.device = word;
    else throw new CommandFailure(`Error: either "dev" is duplicate, or "${word}" is a garbage.\n`, 255);
  }
  return filter;
}

/** Devices that a `show` or `flush` is about. */
export function selectDevices(
  words: Words,
  context: IpContext,
): { readonly devices: readonly NetworkInterface[]; readonly filter: Filter } {
  const filter = filterWords(words);
  const { namespace } = context;
  if (filter.master !== undefined && namespace.getInterface(filter.master) === undefined)
    throw new CommandFailure(`Error: argument "${filter.master}" is wrong: Device does not exist\n\n`, 255);
  const all = filter.device === undefined ? byIndex(namespace.interfaces) : [shownDevice(namespace, filter.device)];
  const devices = all.filter(
    (device) =>
      (!filter.isUp || device.isAdminUp) &&
      (filter.group === undefined || filter.group === 'default' || filter.group === '0') &&
      (filter.master === undefined || device.master?.name === filter.master) &&
      (filter.type === undefined || device.kind === filter.type),
  );
  return { devices, filter };
}

function addressesOf(device: NetworkInterface, context: IpContext, filter: Filter): readonly InterfaceAddress[] {
  const network = filter.to === undefined ? undefined : expectPrefix(filter.to, context.family);
  const chosen = device.addresses.filter(
    (address) =>
      (context.family === undefined || address.ip.family === context.family) &&
      (filter.scope === undefined || address.scope === filter.scope) &&
      filter.flags.every(({ name, isWanted }) => addressFlags(device, address).includes(name) === isWanted) &&
      (network === undefined || (address.ip.family === network.family && parsePrefix(`${address.ip.text}/${network.length}`) === network)),
  );
  // the kernel lists IPv6 addresses by scope, the widest first
  const rank = { global: 0, link: 1, host: 2 } as const;
  const chosen4 = chosen.filter(
    (address) => address.ip.family === 4 && (filter.label === undefined || labelOf(device, address) === filter.label),
  );
  if (filter.label !== undefined) return chosen4;
  return [
    ...chosen4.filter((address) => !isSecondary(device, address)),
    ...chosen4.filter((address) => isSecondary(device, address)),
    ...chosen.filter((address) => address.ip.family === 6).sort((a, b) => rank[a.scope] - rank[b.scope]),
  ];
}

function labelOf(device: NetworkInterface, address: InterfaceAddress): string {
  return address.ip.family === 4 ? (labels.get(device)?.get(address.ip) ?? device.name) : '';
}

/** In the subnet of an earlier address (net/ipv4/devinet.c, __inet_insert_ifa). */
function isSecondary(device: NetworkInterface, { ip, prefixLength }: InterfaceAddress): boolean {
  if (ip.family === 6) return false;
  const network = parsePrefix(`${ip.text}/${prefixLength}`);
  const first = device.addresses.find(
    (other) => other.ip.family === 4 && other.prefixLength === prefixLength && parsePrefix(`${other.ip.text}/${prefixLength}`) === network,
  );
  return first !== undefined && first.ip !== ip;
}

function broadcastOf(address: Ip, length: number): string {
  const value = address.value | ((1n << BigInt(32 - length)) - 1n);
  return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join('.');
}

function broadcastShown(device: NetworkInterface, address: InterfaceAddress): string | undefined {
  if (address.ip.family === 6) return undefined;
  const given = broadcasts.get(device)?.get(address.ip);
  if (given !== undefined) return given;
  const madeByDocker = isDockerDevice(device) || (device.kind === 'bridge' && device.mac.startsWith('02:42:')) || device.kind === 'uplink';
  return madeByDocker && address.prefixLength < 31 ? broadcastOf(address.ip, address.prefixLength) : undefined;
}

function addressFlags(device: NetworkInterface, address: InterfaceAddress): readonly string[] {
  const flags: string[] = [];
  if (isSecondary(device, address)) flags.push('secondary');
  const isUnchecked = noDads.get(device)?.has(address.ip) === true;
  if (address.ip.family === 6 && (isUnchecked || (address.scope === 'global' && isDockerDevice(device)))) flags.push('nodad');
  if (address.dadFailed === true) flags.push('dadfailed');
  if (address.state === 'tentative') flags.push('tentative');
  // ::1 needs no route either, and has no flag that says so
  if (address.noPrefixRoute === true && !isLoopback(device)) flags.push('noprefixroute');
  return flags;
}

function addressText(device: NetworkInterface, address: InterfaceAddress, separator: string): string {
  const broadcast = broadcastShown(device, address);
  const flags = addressFlags(device, address).map((flag) => `${flag} `);
  const label = labelOf(device, address);
  const head = `    ${address.ip.family === 4 ? 'inet' : 'inet6'} ${address.ip.text}/${address.prefixLength} ${broadcast === undefined ? '' : `brd ${broadcast} `}`;
  return `${head}scope ${address.scope} ${flags.join('')}${label}${separator}       valid_lft forever preferred_lft forever`;
}

function show(words: Words, context: IpContext): CommandResult {
  const { devices, filter } = selectDevices(words, context);
  // `ip -4 addr` leaves out devices without such an address
  const isFiltered =
    context.family !== undefined ||
    filter.to !== undefined ||
    filter.scope !== undefined ||
    filter.label !== undefined ||
    filter.flags.length > 0;
  const shown = devices
    .map((device) => ({ device, addresses: addressesOf(device, context, filter) }))
    .filter((entry) => !isFiltered || entry.addresses.length > 0);
  if (context.isJson) {
    return output(
      json(
        shown.map(({ device, addresses }) => ({
          ...(context.isBrief
            ? { ...linkJson(device), ifname: device.name, operstate: stateOf(device) }
            : headJson(device, context, filter)),
          addr_info: addresses.map((address) => addressJson(device, address, context.isBrief)),
        })),
        context,
      ),
    );
  }
  if (context.isBrief) {
    return output(
      shown
        .map(
          ({ device, addresses }) =>
            `${(isInet6Dump(context, filter) ? inet6Name(device) : nameWithPeer(device)).padEnd(16)} ${stateOf(device).padEnd(14)} ${addresses.map((address) => `${address.ip.text}/${address.prefixLength} `).join('')}\n`,
        )
        .join(''),
    );
  }
  if (context.isOneLine) {
    return output(
      shown
        .flatMap(({ device, addresses }) =>
          addresses.map((address) => `${device.index}: ${device.name.padEnd(1)}${addressText(device, address, '\\')}\n`),
        )
        .join(''),
    );
  }
  return output(
    shown
      .map(
        ({ device, addresses }) =>
          `${headText(device, context, filter)}${addresses.map((address) => `${addressText(device, address, '\n')}\n`).join('')}${statisticsText(device, context)}`,
      )
      .join(''),
  );
}

/** The kernel has a list of its own for IPv6; a device asked for by name comes from the list of all. */
function isInet6Dump(context: IpContext, filter: Filter): boolean {
  return context.family === 6 && filter.device === undefined;
}

/** With a family asked for, by option or by a prefix, the line with the MAC address is left out. */
function headText(device: NetworkInterface, context: IpContext, filter: Filter): string {
  if (isInet6Dump(context, filter)) return inet6DeviceText(device);
  return deviceText(device, context, false, context.family !== undefined || filter.to !== undefined);
}

function headJson(device: NetworkInterface, context: IpContext, filter: Filter): Record<string, unknown> {
  if (isInet6Dump(context, filter)) return inet6DeviceJson(device);
  return deviceJson(device, context, false, context.family !== undefined || filter.to !== undefined);
}

function addressJson(device: NetworkInterface, address: InterfaceAddress, isBrief: boolean): Record<string, unknown> {
  if (isBrief) return { local: address.ip.text, prefixlen: address.prefixLength };
  const broadcast = broadcastShown(device, address);
  const flags = Object.fromEntries(addressFlags(device, address).map((flag) => [flag, true]));
  return {
    family: address.ip.family === 4 ? 'inet' : 'inet6',
    local: address.ip.text,
    prefixlen: address.prefixLength,
    ...(broadcast === undefined ? {} : { broadcast }),
    scope: address.scope,
    ...flags,
    ...(address.ip.family === 4 ? { label: labelOf(device, address) } : {}),
    valid_life_time: 4294967295,
    preferred_life_time: 4294967295,
  };
}

function flush(words: Words, context: IpContext): CommandResult {
  if (!words.hasMore) throw new CommandFailure('Flush requires arguments.\n', 1);
  const { devices, filter } = selectDevices(words, context);
  for (const device of devices)
    for (const address of [...addressesOf(device, context, filter)]) asKernel(() => device.removeAddress(address.ip, address.prefixLength));
  return output('');
}
