export const matchModules = new Set([
  ...['tcp', 'udp', 'icmp', 'icmp6', 'ipv6-icmp', 'conntrack', 'state', 'mark', 'comment', 'multiport', 'limit', 'addrtype', 'iprange'],
  ...['statistic', 'ttl', 'hl', 'sctp'],
]);

/** Modules of iptables-extensions(8) that are not modelled. */
export const otherModules = new Set(
  'ah bpf cgroup cluster connbytes connlabel connlimit connmark cpu dccp devgroup dscp dst ecn esp eui64 frag hashlimit hbh helper ipv6header ipvs length mac mh nfacct osf owner physdev pkttype policy quota rateest realm recent rpfilter rt set socket srh string tcpmss time tos u32'.split(
    ' ',
  ),
);

export const otherTargets = new Set(
  'AUDIT CHECKSUM CLASSIFY CLUSTERIP CONNMARK CONNSECMARK CT DNPT DSCP ECN HL HMARK IDLETIMER LED NETMAP NFLOG NFQUEUE NOTRACK RATEEST SECMARK SET SNPT SYNPROXY TCPOPTSTRIP TEE TOS TPROXY TRACE TTL ULOG'.split(
    ' ',
  ),
);

export const icmp4Names: Readonly<Record<string, readonly [number, number?]>> = {
  'echo-reply': [0],
  pong: [0],
  'destination-unreachable': [3],
  'network-unreachable': [3, 0],
  'host-unreachable': [3, 1],
  'protocol-unreachable': [3, 2],
  'port-unreachable': [3, 3],
  'fragmentation-needed': [3, 4],
  'echo-request': [8],
  ping: [8],
  'time-exceeded': [11],
  'ttl-exceeded': [11],
};

export const icmp6Names: Readonly<Record<string, readonly [number, number?]>> = {
  'destination-unreachable': [1],
  'no-route': [1, 0],
  'communication-prohibited': [1, 1],
  'address-unreachable': [1, 3],
  'port-unreachable': [1, 4],
  'packet-too-big': [2],
  'time-exceeded': [3],
  'echo-request': [128],
  'echo-reply': [129],
  'router-solicitation': [133],
  'router-advertisement': [134],
  'neighbour-solicitation': [135],
  'neighbor-solicitation': [135],
  'neighbour-advertisement': [136],
  'neighbor-advertisement': [136],
};

export const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86400 };

export const unitNames: Readonly<Record<string, string>> = { s: 'sec', m: 'min', h: 'hour', d: 'day' };

export const logLevels = ['emerg', 'alert', 'crit', 'error', 'warn', 'notice', 'info', 'debug'];
