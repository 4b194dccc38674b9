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

// Documentation/networking/ip-sysctl.rst; values are those of a new network namespace.
const perDevice4: Readonly<Record<string, string>> = {
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

const perDevice6: Readonly<Record<string, string>> = {
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

const global: Readonly<Record<string, string>> = {
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

const isNumeric = /^-?\d+$/;

/** The network part of `/proc/sys` of one namespace. What a setting does is told through the hooks. */
export class Sysctls {
  readonly values = new Map<string, string>(Object.entries(global));
  readonly #devices: () => readonly Device[];
  /** Counted up on every change, for values that others keep in numbers. */
  version = 0;

  constructor(devices: () => readonly Device[]) {
    this.#devices = devices;
    for (const scope of ['all', 'default']) this.#addScope(scope);
    // A namespace's `all` differs from `default` where the kernel combines the two.
    this.values.set('net.ipv6.conf.all.accept_dad', '0');
  }

  addDevice(name: string): void {
    for (const key of Object.keys(perDevice4)) this.values.set(`net.ipv4.conf.${name}.${key}`, this.text(`net.ipv4.conf.default.${key}`));
    for (const key of Object.keys(perDevice6)) this.values.set(`net.ipv6.conf.${name}.${key}`, this.text(`net.ipv6.conf.default.${key}`));
    if (name === 'lo') this.values.set('net.ipv6.conf.lo.accept_dad', '-1');
  }

  removeDevice(name: string): void {
    for (const key of Object.keys(perDevice4)) this.values.delete(`net.ipv4.conf.${name}.${key}`);
    for (const key of Object.keys(perDevice6)) this.values.delete(`net.ipv6.conf.${name}.${key}`);
  }

  renameDevice(from: string, to: string): void {
    for (const [family, keys] of [['ipv4', perDevice4] as const, ['ipv6', perDevice6] as const]) {
      for (const key of Object.keys(keys)) {
        this.values.set(`net.${family}.conf.${to}.${key}`, this.text(`net.${family}.conf.${from}.${key}`));
        this.values.delete(`net.${family}.conf.${from}.${key}`);
      }
    }
  }

  /**
   * @returns false when there is no such key
   * @throws NetworkError EINVAL when a number is expected and this is none
   */
  set(key: string, value: string): boolean {
    const old = this.values.get(key);
    if (old === undefined) return false;
    const text = value.trim();
    if (isNumeric.test(old) && !isNumeric.test(text)) throw new NetworkError('EINVAL');
    this.values.set(key, text);
    if (key === 'net.ipv4.ip_forward' || key === 'net.ipv4.conf.all.forwarding') {
      this.values.set('net.ipv4.ip_forward', text);
      this.#setEverywhere('net.ipv4.conf', 'forwarding', text);
    } else if (key === 'net.ipv6.conf.all.forwarding') this.#setEverywhere('net.ipv6.conf', 'forwarding', text);
    else if (key === 'net.ipv6.conf.all.disable_ipv6') this.#setEverywhere('net.ipv6.conf', 'disable_ipv6', text);
    this.version++;
    for (const device of this.#devices()) device.applySettings();
    return true;
  }

  text(key: string): string {
    return this.values.get(key) ?? '0';
  }

  number(key: string): number {
    return Number.parseInt(this.text(key), 10) || 0;
  }

  settingsOf(name: string): DeviceSettings {
    const own4 = (key: string) => this.number(`net.ipv4.conf.${name}.${key}`);
    const own6 = (key: string) => this.number(`net.ipv6.conf.${name}.${key}`);
    const max4 = (key: string) => Math.max(this.number(`net.ipv4.conf.all.${key}`), own4(key));
    const max6 = (key: string) => Math.max(this.number(`net.ipv6.conf.all.${key}`), own6(key));
    return {
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
    };
  }

  #addScope(scope: string): void {
    for (const [key, value] of Object.entries(perDevice4)) this.values.set(`net.ipv4.conf.${scope}.${key}`, value);
    for (const [key, value] of Object.entries(perDevice6)) this.values.set(`net.ipv6.conf.${scope}.${key}`, value);
  }

  #setEverywhere(tree: string, key: string, value: string): void {
    for (const scope of ['all', 'default', ...this.#devices().map((device) => device.name)])
      this.values.set(`${tree}.${scope}.${key}`, value);
  }
}
