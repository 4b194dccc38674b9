import { parseIp } from '../../../net/address.ts';
import type { Ip } from '../../../net/types.ts';
import type { CiliumNode } from '../../objects.ts';

export interface RouterAnnotation {
  readonly routerId?: Ip;
  readonly localPort?: number;
}

const prefix = 'cilium.io/bgp-virtual-router.';

/**
 * The annotations `cilium.io/bgp-virtual-router.<ASN>`: a comma list of `router-id=A.B.C.D` and `local-port=N`. Unknown
 * keys and items without exactly one `=` are skipped, of a repeated key the last counts. The port is read as a
 * signed 16-bit number. All are read together, so one that is wrong, for whichever AS, keeps every router back.
 * @returns the problems' text when an item does not parse (pkg/bgpv1/agent/annotations.go)
 */
export function parseRouterAnnotation(
  annotations: Readonly<Record<string, string>>,
  localAsn: number,
): RouterAnnotation | { readonly problem: string } {
  let own: RouterAnnotation = {};
  const problems: string[] = [];
  for (const [key, text] of Object.entries(annotations)) {
    if (!key.startsWith(prefix)) continue;
    const parsed = parseOne(key, text);
    if ('problem' in parsed) problems.push(parsed.problem);
    else if (Number(key.slice(prefix.length)) === localAsn) own = parsed;
  }
  return problems.length === 0 ? own : { problem: `unable to parse local node's annotations: ${problems.join('\n')}` };
}

function parseOne(key: string, text: string): RouterAnnotation | { readonly problem: string } {
  const asn = key.slice(prefix.length);
  if (asn.includes('.')) return { problem: `annotation ${key} provides no asn` };
  if (!/^\d+$/.test(asn) || Number(asn) > 4294967295)
    return { problem: `ASN${asn} in annotation ${key} cannot be parsed into integer: could not parse ASN as a 32bit integer` };
  const result: { routerId?: Ip; localPort?: number } = {};
  const refused = (attribute: string, why: string) => ({ problem: `annotation ${key} failed to parse attribute ${attribute}:${why}` });
  for (const item of text.split(',')) {
    const [name, value, ...more] = item.split('=');
    if (value === undefined || more.length > 0) continue;
    if (name === 'router-id') {
      const address = parseIp(value);
      if (address === undefined) return refused(name, 'could not parse router-id as an IPv4 address');
      if (address.family !== 4) return refused(name, 'router-id must be a valid IPv4 address');
      result.routerId = address;
    } else if (name === 'local-port') {
      if (!/^[+-]?\d+$/.test(value) || Number(value) > 32767 || Number(value) < -32768)
        return refused(name, 'could not parse into port number as 16bit integer');
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
