import type { Device } from './interface.ts';
import { NetworkError } from './network-error.ts';

/** What the forwarding path needs of a device's sysctls, worked out once per change (all, default and device combined as the kernel does). */
export interface DeviceSettings {
  readonly forwarding4: boolean;
  readonly reversePathFilter: number;
  readonly arpIgnore: number;
  readonly proxyArp: boolean;
  readonly arpAccept: boolean;
  readonly acceptLocal: boolean;
  readonly routeLocalnet: boolean;
  readonly disableIpv6: boolean;
  readonly acceptDad: boolean;
  readonly keepAddressOnDown: boolean;
  readonly proxyNdp: boolean;
}

type Settings = Readonly<Record<string, string>>;

// Documentation/networking/ip-sysctl.rst; values are those of a new network namespace.
const perDevice4: Settings = {
  accept_local: '0',
  accept_redirects: '1',
  accept_source_route: '0',
  arp_accept: '0',
  arp_announce: '0',
  arp_filter: '0',
  arp_ignore: '0',
  arp_notify: '0',
  disable_policy: '0',
  disable_xfrm: '0',
  forwarding: '0',
  ignore_routes_with_linkdown: '0',
  log_martians: '0',
  promote_secondaries: '1',
  proxy_arp: '0',
  proxy_arp_pvlan: '0',
  route_localnet: '0',
  rp_filter: '0',
  secure_redirects: '1',
  send_redirects: '1',
  src_valid_mark: '0',
};

const perDevice6: Settings = {
  accept_dad: '1',
  accept_ra: '1',
  accept_redirects: '1',
  accept_source_route: '0',
  addr_gen_mode: '0',
  autoconf: '1',
  dad_transmits: '1',
  disable_ipv6: '0',
  disable_policy: '0',
  forwarding: '0',
  hop_limit: '64',
  ignore_routes_with_linkdown: '0',
  keep_addr_on_down: '0',
  mtu: '1280',
  optimistic_dad: '0',
  proxy_ndp: '0',
  router_solicitations: '-1',
  seg6_enabled: '0',
  use_tempaddr: '0',
};

const global: Settings = {
  'net.core.default_qdisc': 'noqueue',
  'net.core.somaxconn': '4096',
  'net.ipv4.fib_multipath_hash_policy': '0',
  'net.ipv4.fib_multipath_use_neigh': '0',
  'net.ipv4.icmp_echo_ignore_all': '0',
  'net.ipv4.icmp_echo_ignore_broadcasts': '1',
  'net.ipv4.ip_default_ttl': '64',
  'net.ipv4.ip_forward': '0',
  'net.ipv4.ip_local_port_range': '32768\t60999',
  'net.ipv4.ip_nonlocal_bind': '0',
  'net.ipv4.ip_unprivileged_port_start': '1024',
  'net.ipv4.ping_group_range': '1\t0',
  'net.ipv4.tcp_fin_timeout': '60',
  'net.ipv4.tcp_keepalive_time': '7200',
  'net.ipv4.tcp_l3mdev_accept': '0',
  'net.ipv4.tcp_retries2': '15',
  'net.ipv4.tcp_syn_retries': '6',
  'net.ipv4.tcp_synack_retries': '5',
  'net.ipv4.tcp_timestamps': '1',
  'net.ipv4.udp_l3mdev_accept': '0',
  'net.ipv6.bindv6only': '0',
  'net.ipv6.fib_multipath_hash_policy': '0',
  'net.ipv6.icmp.echo_ignore_all': '0',
  'net.ipv6.ip_nonlocal_bind': '0',
  'net.netfilter.nf_conntrack_max': '262144',
  'net.netfilter.nf_conntrack_tcp_be_liberal': '0',
};

// The kernel combines `all` with the device's own; a loopback never looks for duplicates.
const all6: Settings = { ...perDevice6, accept_dad: '0' };
const loopback6: Settings = { ...perDevice6, accept_dad: '-1' };

const isNumeric = /^-?\d+$/;
const perDeviceKey = /^net\.ipv([46])\.conf\.(.+)\.([^.]+)$/;

/** Settings that began as a table shared by many namespaces; what was set since is kept apart. */
class Scope {
  readonly #start: Settings;
  #set: Map<string, string> | undefined;
  #now: Settings | undefined;

  constructor(start: Settings) {
    this.#start = start;
  }

  get(key: string): string | undefined {
    return this.#set?.get(key) ?? (Object.hasOwn(this.#start, key) ? this.#start[key] : undefined);
  }

  set(key: string, value: string): void {
    if (this.get(key) === value) return;
    this.#now = undefined;
    this.#set ??= new Map();
    this.#set.set(key, value);
  }

  /** All settings as they are: a table for others to begin with. */
  get now(): Settings {
    if (this.#set === undefined) return this.#start;
    this.#now ??= { ...this.#start, ...Object.fromEntries(this.#set) };
    return this.#now;
  }
}

const knownSettings = new Map<string, DeviceSettings>();

/** One object for all devices with equal settings: nearly all have the kernel's own. */
function shared(settings: DeviceSettings): DeviceSettings {
  const key = Object.values(settings).join();
  const known = knownSettings.get(key);
  if (known !== undefined) return known;
  knownSettings.set(key, settings);
  return settings;
}

/** The network part of `/proc/sys` of one namespace. What a setting does is told through the hooks. */
export class Sysctls {
  readonly #devices: () => readonly Device[];
  readonly #global = new Scope(global);
  readonly #scopes4 = new Map<string, Scope>();
  readonly #scopes6 = new Map<string, Scope>();
  /** Counted up on every change, for values that others keep in numbers. */
  version = 0;

  constructor(devices: () => readonly Device[]) {
    this.#devices = devices;
    for (const scope of ['all', 'default']) {
      this.#scopes4.set(scope, new Scope(perDevice4));
      this.#scopes6.set(scope, new Scope(scope === 'all' ? all6 : perDevice6));
    }
  }

  addDevice(name: string): void {
    const start6 = this.#scope(6, 'default').now;
    this.#scopes4.set(name, new Scope(this.#scope(4, 'default').now));
    this.#scopes6.set(name, new Scope(name === 'lo' && start6 === perDevice6 ? loopback6 : start6));
    if (name === 'lo') this.#scope(6, name).set('accept_dad', '-1');
  }

  removeDevice(name: string): void {
    this.#scopes4.delete(name);
    this.#scopes6.delete(name);
  }

  renameDevice(from: string, to: string): void {
    for (const scopes of [this.#scopes4, this.#scopes6]) {
      const scope = scopes.get(from);
      scopes.delete(from);
      if (scope !== undefined) scopes.set(to, scope);
    }
  }

  /** Every key with its value. */
  *entries(): Generator<readonly [key: string, value: string]> {
    yield* Object.entries(this.#global.now);
    for (const [family, scopes] of [['ipv4', this.#scopes4] as const, ['ipv6', this.#scopes6] as const])
      for (const [name, scope] of scopes)
        for (const [key, value] of Object.entries(scope.now)) yield [`net.${family}.conf.${name}.${key}`, value];
  }

  get(key: string): string | undefined {
    const [scope, field] = this.#find(key);
    return scope?.get(field);
  }

  /**
   * @returns false when there is no such key
   * @throws NetworkError EINVAL when a number is expected and this is none
   */
  set(key: string, value: string): boolean {
    const [scope, field, device] = this.#find(key);
    const old = scope?.get(field);
    if (scope === undefined || old === undefined) return false;
    const text = value.trim();
    if (isNumeric.test(old) && !isNumeric.test(text)) throw new NetworkError('EINVAL');
    scope.set(field, text);
    if (key === 'net.ipv4.ip_forward' || key === 'net.ipv4.conf.all.forwarding') {
      this.#global.set('net.ipv4.ip_forward', text);
      for (const each of this.#scopes4.values()) each.set('forwarding', text);
    } else if (key === 'net.ipv6.conf.all.forwarding') for (const each of this.#scopes6.values()) each.set('forwarding', text);
    else if (key === 'net.ipv6.conf.all.disable_ipv6') for (const each of this.#scopes6.values()) each.set('disable_ipv6', text);
    this.version++;
    for (const each of this.#devices()) if (device === undefined || device === each.name) each.applySettings();
    return true;
  }

  number(key: string): number {
    return toNumber(this.get(key));
  }

  settingsOf(name: string): DeviceSettings {
    const scope4 = this.#scope(4, name);
    const scope6 = this.#scope(6, name);
    const all4 = this.#scope(4, 'all');
    const all6 = this.#scope(6, 'all');
    const own4 = (key: string) => toNumber(scope4.get(key));
    const own6 = (key: string) => toNumber(scope6.get(key));
    const max4 = (key: string) => Math.max(toNumber(all4.get(key)), own4(key));
    const max6 = (key: string) => Math.max(toNumber(all6.get(key)), own6(key));
    return shared({
      forwarding4: own4('forwarding') > 0,
      reversePathFilter: max4('rp_filter'),
      arpIgnore: max4('arp_ignore'),
      proxyArp: max4('proxy_arp') > 0,
      arpAccept: max4('arp_accept') > 0,
      acceptLocal: max4('accept_local') > 0,
      routeLocalnet: max4('route_localnet') > 0,
      disableIpv6: own6('disable_ipv6') > 0,
      acceptDad: max6('accept_dad') > 0 && own6('dad_transmits') > 0,
      keepAddressOnDown: max6('keep_addr_on_down') > 0,
      proxyNdp: max6('proxy_ndp') > 0,
    });
  }

  #scope(family: 4 | 6, name: string): Scope {
    const scope = (family === 4 ? this.#scopes4 : this.#scopes6).get(name);
    if (scope === undefined) throw new Error(`no settings of device ${name}`);
    return scope;
  }

  /** Where a key stands; with the device's name when it is about no other. */
  #find(key: string): readonly [scope: Scope | undefined, field: string, device?: string] {
    const match = perDeviceKey.exec(key);
    if (match === null) return [this.#global, key];
    const [, family, name = '', field = ''] = match;
    const scope = (family === '4' ? this.#scopes4 : this.#scopes6).get(name);
    return name === 'all' || name === 'default' ? [scope, field] : [scope, field, name];
  }
}

function toNumber(text: string | undefined): number {
  return Number.parseInt(text ?? '0', 10) || 0;
}
