import type { CommandResult } from '../../../docker/types.ts';
import type { NetworkInterface } from '../../../net/types.ts';
import { CommandFailure, output } from '../result.ts';
import { selectDevices } from './addr.ts';
import { deviceJson, deviceText, flagsOf, isLoopback, linkJson, nameWithPeer, remember, stateOf, statisticsText } from './device.ts';
import { asKernel, changedDevice, expectNamespace, expectNumber, type IpContext, json, matches, Words } from './words.ts';

export function ipLink(words: readonly string[], context: IpContext): CommandResult {
  const [verb = 'show', ...rest] = words;
  if (matches(verb, 'add')) return add(new Words(rest), context);
  if (matches(verb, 'set') || matches(verb, 'change')) return set(new Words(rest), context);
  if (matches(verb, 'delete')) return remove(new Words(rest), context);
  if (matches(verb, 'show') || matches(verb, 'list') || matches(verb, 'lst')) return show(new Words(rest), context);
  if (matches(verb, 'help'))
    return { stdout: '', stderr: 'Usage: ip link add  [link DEV | parentdev NAME] [ name ] NAME\n', exitCode: 255 };
  throw new CommandFailure(`Command "${verb}" is unknown, try "ip link help".\n`, 255);
}

function show(words: Words, context: IpContext): CommandResult {
  const { devices } = selectDevices(words, context);
  if (context.isJson) {
    return output(
      json(
        devices.map((device) =>
          context.isBrief
            ? { ...linkJson(device), ifname: device.name, operstate: stateOf(device), address: macShown(device), flags: flagsOf(device) }
            : deviceJson(device, context, true),
        ),
        context,
      ),
    );
  }
  if (context.isBrief) {
    return output(
      devices
        .map(
          (device) =>
            `${nameWithPeer(device).padEnd(16)} ${stateOf(device).padEnd(14)} ${macShown(device)} <${flagsOf(device).join(',')}> \n`,
        )
        .join(''),
    );
  }
  return output(
    devices.map((device) => (deviceText(device, context, true) + statisticsText(device, context)).replace(/\\$/, '\n')).join(''),
  );
}

function macShown(device: NetworkInterface): string {
  return isLoopback(device) ? '00:00:00:00:00:00' : device.mac;
}

const notSimulated = new Set([
  'vlan',
  'macvlan',
  'ipvlan',
  'bond',
  'vrf',
  'gre',
  'ipip',
  'sit',
  'wireguard',
  'ifb',
  'tun',
  'geneve',
  'gretap',
  'ip6tnl',
]);

interface NewLink {
  name: string | undefined;
  type: string | undefined;
  mtu: number | undefined;
  mac: string | undefined;
  peer: string | undefined;
  peerNamespace: string | undefined;
  /** The device that a VLAN or macvlan stands on. */
  under: string | undefined;
  vxlan: { id: number; port: number };
}

function add(words: Words, context: IpContext): CommandResult {
  const wanted: NewLink = {
    name: undefined,
    type: undefined,
    mtu: undefined,
    mac: undefined,
    peer: undefined,
    peerNamespace: undefined,
    under: undefined,
    vxlan: { id: 0, port: 8472 },
  };
  while (words.hasMore) {
    const word = words.take();
    if (word === 'link') wanted.under = words.take();
    else if (word === 'name' || word === 'dev') wanted.name = words.take();
    else if (word === 'mtu') wanted.mtu = expectNumber(words.take(), 'mtu');
    else if (word === 'address') wanted.mac = words.take();
    else if (word === 'type') {
      wanted.type = words.take();
      break;
    } else if (wanted.name === undefined) wanted.name = word;
    else throw new CommandFailure(`Error: either "dev" is duplicate, or "${word}" is a garbage.\n`, 255);
  }
  if (wanted.type === undefined) throw new CommandFailure('Not enough information: "type" argument is required\n', 1);
  if (notSimulated.has(wanted.type)) throw new CommandFailure(`Error: not simulated: ip link add type ${wanted.type}\n`, 2);
  typeWords(words, wanted);
  const { namespace } = context;
  const { type } = wanted;
  const name = wanted.name ?? freeName(context, type);
  // iproute2 leaves a name that is too long to the kernel
  if (name.length > 15) throw new CommandFailure('Error: Attribute failed policy validation.\n', 2);
  checkName(name);
  if (namespace.getInterface(name) !== undefined) throw new CommandFailure('RTNETLINK answers: File exists\n', 2);
  let device: NetworkInterface;
  if (type === 'veth') {
    const peerNamespace = wanted.peerNamespace === undefined ? namespace : expectNamespace(namespace, wanted.peerNamespace);
    const peerName = wanted.peer ?? freeName(context, 'veth', name);
    checkName(peerName);
    if (peerNamespace.getInterface(peerName) !== undefined) throw new CommandFailure('RTNETLINK answers: File exists\n', 2);
    [device] = asKernel(() => namespace.network.createVeth({ namespace, name }, { namespace: peerNamespace, name: peerName }));
  } else if (type === 'dummy' || type === 'bridge' || type === 'vxlan') {
    device = asKernel(() => namespace.addInterface({ name, kind: type, ...(type === 'vxlan' ? { vxlan: wanted.vxlan } : {}) }));
  } else {
    throw new CommandFailure('Error: Unknown device type.\n', 2);
  }
  if (wanted.mtu !== undefined) device.setMtu(wanted.mtu);
  if (wanted.mac !== undefined) device.setMac(expectMac(wanted.mac));
  return output('');
}

function typeWords(words: Words, wanted: NewLink): void {
  while (words.hasMore) {
    const word = words.take();
    if (wanted.type === 'veth' && word === 'peer') {
      while (words.hasMore) {
        const of = words.take();
        if (of === 'name') wanted.peer = words.take();
        else if (of === 'netns') wanted.peerNamespace = words.take();
        else if (of === 'mtu' || of === 'address') words.take();
        else if (wanted.peer === undefined) wanted.peer = of;
        else throw new CommandFailure(`Error: either "dev" is duplicate, or "${of}" is a garbage.\n`, 255);
      }
    } else if (wanted.type === 'vxlan' && (word === 'id' || word === 'vni')) wanted.vxlan.id = expectNumber(words.take(), 'id');
    else if (wanted.type === 'vxlan' && word === 'dstport') wanted.vxlan.port = expectNumber(words.take(), 'dst port');
    else if (wanted.type === 'vxlan' && (word === 'external' || word === 'nolearning' || word === 'learning')) continue;
    else if (wanted.type === 'vxlan' && ['dev', 'local', 'remote', 'group', 'ttl'].includes(word)) words.take();
    else if (wanted.type === 'bridge') bridgeOption(word, words, 'add');
    else if (wanted.type !== 'veth' && wanted.type !== 'vxlan' && wanted.type !== 'dummy')
      throw new CommandFailure('Error: Unknown device type.\n', 2);
    else throw new CommandFailure(`${wanted.type}: unknown command "${word}"?\n`, 255);
  }
}

/** Timers of a protocol that is off change nothing. */
const idleBridgeOptions = new Set(
  'forward_delay hello_time max_age priority ageing_time group_fwd_mask vlan_default_pvid mcast_router mcast_querier mcast_snooping nf_call_iptables nf_call_ip6tables'.split(
    ' ',
  ),
);

/** The bridge of the model learns and floods; it knows neither the spanning tree protocol nor VLANs. */
function bridgeOption(word: string, words: Words, verb: string): void {
  const value = words.take();
  if (idleBridgeOptions.has(word)) return;
  if ((word === 'stp_state' || word === 'vlan_filtering' || word === 'vlan_stats_enabled') && expectNumber(value, word) === 0) return;
  throw new CommandFailure(`Error: not simulated: ip link ${verb} type bridge ${word} ${value}\n`, 2);
}

/** `%d` of the kernel: dummy0, veth0… */
function freeName(context: IpContext, kind: string, except?: string): string {
  for (let number = 0; ; number++) {
    const name = `${kind}${number}`;
    if (name !== except && context.namespace.getInterface(name) === undefined) return name;
  }
}

function checkName(name: string): void {
  if (name.length > 15 || name === '' || /[\s/]/.test(name))
    throw new CommandFailure(`Error: argument "${name}" is wrong: "name" not a valid ifname\n`, 255);
}

function expectMac(text: string): string {
  if (!/^([0-9a-fA-F]{1,2}:){5}[0-9a-fA-F]{1,2}$/.test(text)) throw new CommandFailure(`"${text}" is invalid lladdr.\n`, 1);
  return text
    .toLowerCase()
    .split(':')
    .map((byte) => byte.padStart(2, '0'))
    .join(':');
}

function remove(words: Words, context: IpContext): CommandResult {
  words.skip('dev');
  const device = changedDevice(context.namespace, words.take());
  if (device.kind === 'loopback' || device.kind === 'uplink') throw new CommandFailure('RTNETLINK answers: Operation not supported\n', 2);
  asKernel(() => device.delete());
  return output('');
}

function set(words: Words, context: IpContext): CommandResult {
  words.skip('dev');
  if (!words.hasMore) throw new CommandFailure('Not enough information: "dev" argument is required.\n', 255);
  const device = changedDevice(context.namespace, words.take());
  const actions: (() => void)[] = [];
  if (!words.hasMore) throw new CommandFailure('Command line is not complete. Try option "help"\n', 255);
  while (words.hasMore) {
    const word = words.take();
    if (word === 'up') actions.push(() => device.setUp());
    else if (word === 'down') actions.push(() => device.setDown());
    else if (word === 'mtu') {
      const mtu = expectNumber(words.take(), 'mtu');
      if (mtu < 68) actions.push(() => refuse('Error: mtu less than device minimum.\n'));
      else if (mtu > 65535 && device.kind !== 'loopback') actions.push(() => refuse('Error: mtu greater than device maximum.\n'));
      else actions.push(() => device.setMtu(mtu));
    } else if (word === 'address') {
      const mac = expectMac(words.take());
      actions.push(() => device.setMac(mac));
    } else if (word === 'name') {
      const name = words.take();
      checkName(name);
      actions.push(() => {
        if (context.namespace.getInterface(name) !== undefined) refuse('RTNETLINK answers: File exists\n');
        device.rename(name);
      });
    } else if (word === 'master') {
      const bridge = changedDevice(context.namespace, words.take());
      if (bridge.kind !== 'bridge') refuse('RTNETLINK answers: Operation not supported\n');
      actions.push(() => device.setMaster(bridge));
    } else if (word === 'nomaster') actions.push(() => device.setMaster(undefined));
    else if (word === 'netns') {
      const target = expectNamespace(context.namespace, words.take());
      actions.push(() => {
        if (device.kind === 'loopback') refuse('RTNETLINK answers: Invalid argument\n');
        if (target.getInterface(device.name) !== undefined) refuse('RTNETLINK answers: File exists\n');
        device.moveTo(target);
      });
    } else if (word === 'type' && device.kind === 'bridge') {
      words.skip('bridge');
      while (words.hasMore) bridgeOption(words.take(), words, 'set');
    } else if (word === 'type') refuse('RTNETLINK answers: Operation not supported\n');
    else if (word === 'txqueuelen' || word === 'txqlen' || word === 'qlen') {
      const length = expectNumber(words.take(), 'txqueuelen');
      actions.push(() => remember(device, { queueLength: length }));
    } else if (word === 'alias') {
      const alias = words.take();
      actions.push(() => remember(device, { alias: alias === '' ? undefined : alias }));
    } else if (word === 'promisc' || word === 'allmulticast') {
      const value = words.take();
      if (value !== 'on' && value !== 'off')
        throw new CommandFailure(`Error: argument of "${word}" must be "on" or "off", not "${value}"\n`, 1);
      // Nothing here listens to frames for others.
      actions.push(() => remember(device, word === 'promisc' ? { isPromiscuous: value === 'on' } : {}));
    } else if (['group', 'multicast', 'arp', 'addrgenmode', 'vrf', 'xdp', 'vf', 'carrier', 'protodown'].includes(word)) {
      throw new CommandFailure(`Error: not simulated: ip link set ${device.name} ${word}\n`, 2);
    } else throw new CommandFailure(`Error: either "dev" is duplicate, or "${word}" is a garbage.\n`, 255);
  }
  asKernel(() => {
    for (const action of actions) action();
  });
  return output('');
}

function refuse(text: string): never {
  throw new CommandFailure(text, 2);
}
