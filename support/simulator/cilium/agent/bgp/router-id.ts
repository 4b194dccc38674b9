import { parseIp } from '../../../net/address.ts';
import type { Ip } from '../../../net/types.ts';
import type { CiliumNode } from '../../objects.ts';

export interface RouterAnnotation {
  readonly routerId?: Ip;
  readonly localPort?: number;
}

/**
 * The annotation `cilium.io/bgp-virtual-router.<ASN>`: a comma list of `router-id=A.B.C.D` and `local-port=N`. Unknown
 * keys and items without exactly one `=` are skipped, of a repeated key the last counts. The port is read as a
 * signed 16-bit number.
 * @returns the problem's text when an item does not parse
 */
export function parseRouterAnnotation(
  annotations: Readonly<Record<string, string>>,
  localAsn: number,
): RouterAnnotation | { readonly problem: string } {
  const result: { routerId?: Ip; localPort?: number } = {};
  const text = annotations[`cilium.io/bgp-virtual-router.${localAsn}`];
  for (const item of text?.split(',') ?? []) {
    const [key, value, ...more] = item.split('=');
    if (value === undefined || more.length > 0) continue;
    if (key === 'router-id') {
      const address = parseIp(value);
      if (address?.family !== 4) return { problem: `failed to parse router-id ${value} for local ASN ${localAsn}` };
      result.routerId = address;
    } else if (key === 'local-port') {
      if (!/^[+-]?\d+$/.test(value) || Number(value) > 32767 || Number(value) < -32768)
        return { problem: `failed to parse local-port ${value} for local ASN ${localAsn}` };
      result.localPort = Number(value);
    }
  }
  return result;
}

/** Annotation, then the node's IPv4 address (InternalIP first), else none: an IPv6-only node has no router id. */
export function resolveRouterId(node: CiliumNode, annotation: RouterAnnotation, localAsn: number): Ip | { readonly problem: string } {
  if (annotation.routerId !== undefined) return annotation.routerId;
  const addresses = node.spec?.addresses ?? [];
  for (const type of ['InternalIP', 'ExternalIP']) {
    for (const candidate of addresses) {
      const address = candidate.type === type ? parseIp(candidate.ip) : undefined;
      if (address?.family === 4) return address;
    }
  }
  return {
    problem: `failed to get ciliumnode IP <nil>: router id not specified by annotation, cannot resolve router id for local ASN ${localAsn}`,
  };
}
