import type { Ip } from '../net/types.ts';
import type { Capability } from './capabilities.ts';
import type { Connection } from './connection.ts';
import { MessageError, type OpenMessage } from './message.ts';
import type { BgpFamily, BgpImplementation, PeerConfig } from './types.ts';

const asTrans = 23456;
const canonicalOrder: readonly BgpFamily[] = ['ipv4-unicast', 'ipv6-unicast'];

export interface LocalIdentity {
  readonly implementation: BgpImplementation;
  readonly localAsn: number;
  readonly routerId: Ip;
  readonly hostname: string;
}

/**
 * The OPEN that this implementation sends (FRR 8.4.4 and gobgp 3.10, both recorded): FRR puts each capability in an
 * optional parameter of its own, gobgp all in one.
 */
export function buildOpen(identity: LocalIdentity, config: PeerConfig, isRestarting = false): OpenMessage {
  const families = canonicalOrder.filter((family) => config.families.includes(family));
  const offersExtendedNextHop =
    families.includes('ipv4-unicast') &&
    (identity.implementation === 'gobgp' || (config.extendedNextHop === true && config.address.family === 6));
  const extendedNextHop: Capability = { kind: 'extended-next-hop', families: [{ family: 'ipv4-unicast', nextHopAfi: 2 }] };
  const asn = config.localAs ?? identity.localAsn;
  const head = {
    type: 'open',
    version: 4,
    asn: asn > 0xffff ? asTrans : asn,
    holdTimeSeconds: config.holdTimeSeconds,
    routerId: identity.routerId,
  } as const;
  const fourOctetAs: Capability = { kind: 'four-octet-as', asn };
  if (identity.implementation === 'gobgp') {
    const capabilities: Capability[] = [{ kind: 'route-refresh' }, { kind: 'fqdn', hostname: identity.hostname, domain: '' }];
    for (const family of config.families) capabilities.push({ kind: 'multiprotocol', family });
    capabilities.push(fourOctetAs);
    if (config.gracefulRestart !== undefined) {
      // fsm.go, capabilitiesFromConfig: a speaker that has just started says that it restarted and kept its routes, later neither.
      const restart = config.families.map((family) => ({ family, isPreserved: isRestarting }));
      capabilities.push({
        kind: 'graceful-restart',
        // Notifications count too (RFC 8538), as Cilium asks for.
        flags: isRestarting ? 0xc : 0x4,
        restartTimeSeconds: config.gracefulRestart.restartTimeSeconds,
        families: restart,
      });
    }
    if (offersExtendedNextHop) capabilities.push(extendedNextHop);
    return { ...head, parameters: [capabilities] };
  }
  const capabilities: Capability[] = [];
  for (const family of families) {
    capabilities.push({ kind: 'multiprotocol', family });
    if (family === 'ipv4-unicast' && offersExtendedNextHop) capabilities.push(extendedNextHop);
  }
  capabilities.push({ kind: 'route-refresh-cisco' }, { kind: 'route-refresh' }, { kind: 'enhanced-route-refresh' }, fourOctetAs, {
    kind: 'extended-message',
  });
  capabilities.push({ kind: 'add-path', families: families.map((family) => ({ family, mode: 1 })) });
  capabilities.push({ kind: 'fqdn', hostname: identity.hostname, domain: '' });
  // As a helper FRR lists no families; a speaker told to restart gracefully lists them all.
  const restart = config.gracefulRestart;
  capabilities.push({
    kind: 'graceful-restart',
    flags: 0xc,
    restartTimeSeconds: restart?.restartTimeSeconds ?? 120,
    families: restart === undefined ? [] : families.map((family) => ({ family, isPreserved: false })),
  });
  capabilities.push({
    kind: 'long-lived-graceful-restart',
    families: families.map((family) => ({ family, flags: 0x80, staleTimeSeconds: 0 })),
  });
  return { ...head, parameters: capabilities.map((capability) => [capability]) };
}

/**
 * Checks the peer's OPEN and settles what the session will use.
 * @throws MessageError OPEN Message Error (RFC 4271 §6.2)
 */
export function negotiate(identity: LocalIdentity, config: PeerConfig, connection: Connection, open: OpenMessage): void {
  const isFrr = identity.implementation === 'frr';
  const capabilities = open.parameters.flat();
  const localAsn = config.localAs ?? identity.localAsn;
  if (open.version !== 4) throw new MessageError(2, 1, `version ${open.version}`, Uint8Array.of(0, 4));
  const fourOctet = capabilities.find((capability) => capability.kind === 'four-octet-as');
  const asn = fourOctet?.asn ?? open.asn;
  const isExpected =
    config.remoteAs === 'any' ||
    (config.remoteAs === 'external' ? asn !== localAsn : config.remoteAs === 'internal' ? asn === localAsn : asn === config.remoteAs);
  // FRR adds the number that it saw, gobgp nothing (recorded).
  if (!isExpected)
    throw new MessageError(2, 2, `AS ${asn}`, isFrr ? Uint8Array.of((open.asn >>> 8) & 0xff, open.asn & 0xff) : new Uint8Array());
  if (open.routerId.value === 0n || (asn === localAsn && open.routerId === identity.routerId))
    throw new MessageError(2, 3, `router id ${open.routerId.text}`);
  if (open.holdTimeSeconds === 1 || open.holdTimeSeconds === 2) throw new MessageError(2, 6, `hold time ${open.holdTimeSeconds}`);
  const offered = new Set<BgpFamily>();
  for (const capability of capabilities) if (capability.kind === 'multiprotocol') offered.add(capability.family);
  if (offered.size === 0) offered.add('ipv4-unicast');
  const families = canonicalOrder.filter((family) => config.families.includes(family) && offered.has(family));
  if (isFrr && families.length === 0) throw new MessageError(2, 7, 'no family in common');
  connection.peerOpen = open;
  connection.peerAsn = asn;
  connection.families = new Set(families);
  connection.setFourOctetAs(fourOctet !== undefined);
  connection.hasExtendedNextHop =
    connection.sentCapabilities.some((capability) => capability.kind === 'extended-next-hop') &&
    capabilities.some(
      (capability) =>
        capability.kind === 'extended-next-hop' &&
        capability.families.some(({ family, nextHopAfi }) => family === 'ipv4-unicast' && nextHopAfi === 2),
    );
  const holdTime = Math.min(open.holdTimeSeconds, config.holdTimeSeconds);
  connection.holdTimeSeconds = holdTime;
  const third = Math.floor(holdTime / 3);
  // RFC 4271 §4.4: a third of the hold time; gobgp keeps its own interval while the peer does not ask for less.
  if (isFrr) connection.keepaliveSeconds = Math.min(config.keepaliveSeconds, third);
  else connection.keepaliveSeconds = holdTime < config.holdTimeSeconds ? third : config.keepaliveSeconds;
  if (holdTime === 0) connection.keepaliveSeconds = 0;
}
