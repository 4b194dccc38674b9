import { isAtLeast } from '../../version.ts';
import { formatColumns } from './egress-gateway.ts';
import type { Kernel } from './kernel.ts';
import { type Backend, eligibleBackends, type Frontend } from './services.ts';

/** One frontend as the service map has it: an address and a port in one scope. */
interface Row {
  readonly id: number;
  readonly address: { readonly text: string; readonly family: 4 | 6 };
  readonly scope: 'external' | 'internal';
  readonly frontend: Frontend;
  readonly backends: readonly Backend[];
  /** Stands for all addresses of the node. */
  readonly isSurrogate: boolean;
}

function rowsOf(kernel: Kernel): Row[] {
  const rows: Row[] = [];
  const tellsProtocols = isAtLeast(kernel.version, 17);
  const seen = new Set<string>();
  for (const frontend of kernel.services.frontends) {
    const { family, protocol, externalPolicy, internalPolicy } = frontend.entry;
    const any = { text: family === 4 ? '0.0.0.0' : '::', family };
    const own = kernel.devices.flatMap((device) =>
      device.addresses.filter((address) => address.ip.family === family && address.scope === 'global').map((address) => address.ip),
    );
    const addresses = frontend.ip !== undefined ? [frontend.ip] : frontend.isLoopbackOnly === true ? [any] : [...own, any];
    // Policies that differ split what comes from outside from what comes from inside.
    const isSplit = (frontend.type === 'NodePort' || frontend.type === 'LoadBalancer') && externalPolicy !== internalPolicy;
    for (const [index, address] of addresses.entries())
      for (const scope of isSplit ? (['external', 'internal'] as const) : (['external'] as const)) {
        // Until 1.16 the map did not know protocols: of two ports with one number there is one frontend.
        const place = `${address.text} ${frontend.port} ${scope}${tellsProtocols ? ` ${protocol}` : ''}`;
        if (seen.has(place)) continue;
        seen.add(place);
        const variant = scope === 'internal' ? `/i ${address.text}` : index === 0 ? '' : address.text;
        rows.push({
          id: variant === '' ? frontend.id : kernel.services.idOfVariant(frontend, variant),
          address,
          scope,
          frontend,
          backends: scope === 'external' ? eligibleBackends(frontend, 'external') : insideBackends(frontend),
          isSurrogate: frontend.ip === undefined && address === any,
        });
      }
  }
  return rows.sort((a, b) => a.id - b.id);
}

/** Of a frontend with two scopes: the other one. */
function insideBackends({ entry }: Frontend): readonly Backend[] {
  return entry.internalPolicy === 'Local' ? entry.localBackends : entry.backends;
}

function endpointText({ text, family }: Row['address'], port: number): string {
  return family === 6 ? `[${text}]:${port}` : `${text}:${port}`;
}

/** `cilium-dbg service list`. */
export function serviceList(kernel: Kernel, output: 'text' | 'json'): string {
  const rows = rowsOf(kernel);
  if (output === 'json')
    return `${JSON.stringify(
      rows.map((row) => {
        const spec = specOf(row, kernel);
        return { spec, status: { realized: spec } };
      }),
      null,
      2,
    )}\n`;
  const lines: string[][] = [['ID', 'Frontend', 'Service Type', 'Backend']];
  const protocol = ({ frontend }: Row): string => (isAtLeast(kernel.version, 17) ? `/${frontend.entry.protocol.toUpperCase()}` : '');
  for (const row of rows) {
    const front = `${endpointText(row.address, row.frontend.port)}${protocol(row)}${row.scope === 'internal' ? '/i' : ''}`;
    const backends = row.backends.map(
      (backend, index) =>
        `${index + 1} => ${endpointText(backend.ip, backend.port)}${protocol(row)} (${backend.isTerminating ? 'terminating' : 'active'})`,
    );
    lines.push([String(row.id), front, row.frontend.type, backends[0] ?? '']);
    for (const more of backends.slice(1)) lines.push(['', '', '', more]);
  }
  return columns(lines);
}

function specOf({ id, address, scope, frontend, backends }: Row, kernel: Kernel) {
  const { entry, port, type } = frontend;
  return {
    'backend-addresses': backends.map((backend) => ({
      ip: backend.ip.text,
      ...(backend.nodeName === undefined ? {} : { nodeName: backend.nodeName }),
      port: backend.port,
      ...(isAtLeast(kernel.version, 17) ? { protocol: entry.protocol.toUpperCase() } : {}),
      state: backend.isTerminating ? 'terminating' : 'active',
      weight: 100,
    })),
    flags: {
      extTrafficPolicy: entry.externalPolicy,
      intTrafficPolicy: entry.internalPolicy,
      name: entry.name,
      namespace: entry.namespace,
      trafficPolicy: entry.externalPolicy,
      type,
    },
    'frontend-address': {
      ip: address.text,
      port,
      ...(isAtLeast(kernel.version, 17) ? { protocol: entry.protocol.toUpperCase() } : {}),
      scope,
    },
    id,
  };
}

/** `cilium-dbg bpf lb list`. */
export function loadBalancerList(kernel: Kernel): string {
  const lines: string[][] = [['SERVICE ADDRESS', 'BACKEND ADDRESS (REVNAT_ID) (SLOT)']];
  const tellsProtocols = isAtLeast(kernel.version, 17);
  const found: string[][] = [];
  for (const row of rowsOf(kernel)) {
    const { frontend, address, scope, backends, id } = row;
    const protocol = tellsProtocols ? `/${frontend.entry.protocol.toUpperCase()}` : '';
    const place = `${endpointText(address, frontend.port)}${protocol}${scope === 'internal' ? '/i' : ''}`;
    const zero = address.family === 4 ? '0.0.0.0:0' : '[::]:0';
    found.push([`${place} (0)`, `${zero} (${id}) (0) [${flagsOf(row)}] `]);
    for (const [index, backend] of backends.entries())
      found.push([`${place} (${index + 1})`, `${endpointText(backend.ip, backend.port)}${protocol} (${id}) (${index + 1})`]);
  }
  return columns([...lines, ...found.sort(([a = ''], [b = '']) => (a < b ? -1 : a > b ? 1 : 0))]);
}

/** ServiceFlags.String in pkg/loadbalancer. */
function flagsOf({ frontend, isSurrogate }: Row): string {
  const { entry, type } = frontend;
  const isExternalLocal = entry.externalPolicy === 'Local';
  const isInternalLocal = entry.internalPolicy === 'Local';
  return [
    type,
    ...(isExternalLocal ? ['Local'] : []),
    ...(isInternalLocal ? ['InternalLocal'] : []),
    ...(isExternalLocal !== isInternalLocal && type !== 'ClusterIP' ? ['two-scopes'] : []),
    ...(entry.affinitySeconds === undefined ? [] : ['sessionAffinity']),
    ...(type === 'ClusterIP' || isSurrogate ? ['non-routable'] : []),
    ...(type === 'LoadBalancer' && entry.sourceRanges.length > 0 ? ['check source-range'] : []),
    ...(frontend.isLoopbackOnly === true ? ['loopback'] : []),
  ].join(', ');
}

/** cilium-dbg's tables end every cell with a tab, so that the last column is padded too. */
export function columns(rows: readonly (readonly string[])[]): string {
  return formatColumns(rows.map((row) => [...row, '']));
}
