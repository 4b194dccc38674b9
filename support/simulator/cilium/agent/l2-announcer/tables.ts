import { compareIps } from '../../../net/address.ts';
import type { Ip, NetworkInterface } from '../../../net/types.ts';
import { formatTabs } from '../../cli/tab-writer.ts';

/**
 * `cilium-dbg statedb TABLE` (up to 1.17) marks the line of titles and lists what was written last at the end;
 * `cilium-dbg shell -- db/show TABLE` has plain titles and the order of the table's key (upstream
 * cilium-dbg/cmd/statedb.go of 1.16 and statedb/script.go).
 */
export type TableStyle = 'statedb' | 'shell';

function table(titles: readonly string[], rows: readonly (readonly string[])[], style: TableStyle): string {
  const [first = '', ...rest] = titles;
  return formatTabs([[style === 'statedb' ? `# ${first}` : first, ...rest], ...rows], {
    minWidth: style === 'statedb' ? 6 : 5,
    padding: 3,
  });
}

export function formatL2Table(rows: readonly { readonly ip: Ip; readonly device: string }[], style: TableStyle): string {
  return table(
    ['IP', 'NetworkInterface'],
    rows.map(({ ip, device }) => [ip.text, device]),
    style,
  );
}

/** The `devices` table: those of the node's namespace, and whether Cilium works on them. */
export function formatDevices(devices: readonly NetworkInterface[], selected: readonly NetworkInterface[], style: TableStyle): string {
  return table(
    ['Name', 'Index', 'Selected', 'Type', 'MTU', 'HWAddr', 'Flags', 'Addresses'],
    devices.map((device) => [
      device.name,
      String(device.index),
      String(selected.includes(device)),
      device.kind === 'loopback' || device.kind === 'uplink' ? 'device' : device.kind,
      String(device.mtu),
      device.kind === 'loopback' ? '' : device.mac.toLowerCase(),
      [...(device.isAdminUp ? ['up'] : []), ...(device.kind === 'loopback' ? ['loopback'] : ['broadcast', 'multicast'])].join('|'),
      device.addresses
        .map(({ ip }) => ip)
        .toSorted((a, b) => a.family - b.family || compareIps(a, b))
        .map(({ text }) => text)
        .join(', '),
    ]),
    style,
  );
}

/** `bpftool map dump pinned …/cilium_l2_responder_v4`: the address as the little-endian number that it is in memory. */
export function formatResponderMap(rows: readonly { readonly ip: Ip; readonly ifindex: number; readonly responsesSent: number }[]): string {
  if (rows.length === 0) return '[]\n';
  const entries = rows.map(({ ip, ifindex, responsesSent }) => {
    const bytes = Number(ip.value);
    const ip4 = ((bytes & 0xff) * 2 ** 24 + ((bytes >>> 8) & 0xff) * 2 ** 16 + ((bytes >>> 16) & 0xff) * 2 ** 8 + (bytes >>> 24)) >>> 0;
    return [
      '{',
      '        "key": {',
      `            "ip4": ${ip4},`,
      `            "ifindex": ${ifindex}`,
      '        },',
      '        "value": {',
      `            "responses_sent": ${responsesSent}`,
      '        }',
      '    }',
    ].join('\n');
  });
  return `[${entries.join(',')}\n]\n`;
}
