import { matchesSelector } from '../../../kubernetes/labels.ts';
import type { LabelSelector } from '../../../kubernetes/types.ts';
import { contains } from '../../../net/address.ts';
import type { Family, Ip, Prefix } from '../../../net/types.ts';
import type { Identity } from '../../types.ts';
import { policyLabels, reserved } from './identity.ts';

/** What a rule lets through or denies: a peer and a port, of which either may be anything. */
export interface PolicyRule {
  readonly isDeny: boolean;
  /** Undefined: any peer. */
  readonly peers: readonly PolicyPeer[] | undefined;
  /** Undefined: any port. */
  readonly ports: readonly PolicyPort[] | undefined;
}

export type PolicyPeer =
  | { readonly kind: 'labels'; readonly selector: LabelSelector }
  | { readonly kind: 'cidr'; readonly cidr: Prefix; readonly except: readonly Prefix[] }
  | { readonly kind: 'entity'; readonly entity: string }
  | { readonly kind: 'service'; readonly service: ServicePeer };

/** A service whose backends are meant: by its name, or by labels. */
export interface ServicePeer {
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly selector: LabelSelector | undefined;
}

export type PolicyPort =
  | {
      readonly protocol: 'tcp' | 'udp' | 'sctp' | 'any';
      /** 0: every port. */
      readonly low: number;
      readonly high: number;
      /** A port of this name, in the place of numbers. */
      readonly name?: string;
    }
  | { readonly protocol: 'icmp'; readonly family: Family; readonly type: number };

/** Rules in force at an endpoint; undefined for a direction that no policy selects. */
export interface EndpointPolicy {
  readonly ingress: readonly PolicyRule[] | undefined;
  readonly egress: readonly PolicyRule[] | undefined;
}

export type PolicyMatch = 'none' | 'L3-Only' | 'L3-L4' | 'L4-Only' | 'all' | 'L3-Proto' | 'Proto-Only';

export interface PolicyDecision {
  readonly isAllowed: boolean;
  readonly isDenyRule: boolean;
  /** As in `policy-verdict:…`. */
  readonly match: PolicyMatch;
}

export interface PolicySubject {
  readonly identity: Identity;
  readonly ip: Ip;
  readonly protocol: 'tcp' | 'udp' | 'icmp';
  readonly port: number;
  readonly icmpType?: number;
  /** Whether a port of this name is the subject's: the endpoint's own at ingress, any pod's at egress. */
  readonly isNamedPort?: (name: string, protocol: 'tcp' | 'udp', port: number) => boolean;
  readonly isBackendOf?: (service: ServicePeer, ip: Ip) => boolean;
}

/** The order in which the policy map is looked up (Cilium's bpf/lib/policy.h). */
const precedence: readonly PolicyMatch[] = ['L3-L4', 'L4-Only', 'L3-Proto', 'Proto-Only', 'L3-Only', 'all', 'none'];

/** Deny rules win; without a rule that allows, an enforced direction drops. */
export function decidePolicy(rules: readonly PolicyRule[], subject: PolicySubject): PolicyDecision {
  let allowed: PolicyMatch | undefined;
  let denied: PolicyMatch | undefined;
  const first = (a: PolicyMatch | undefined, b: PolicyMatch): PolicyMatch =>
    a === undefined || precedence.indexOf(b) < precedence.indexOf(a) ? b : a;
  for (const rule of rules) {
    const match = matchRule(rule, subject);
    if (match === undefined) continue;
    if (rule.isDeny) denied = first(denied, match);
    else allowed = first(allowed, match);
  }
  if (denied !== undefined) {
    // Where a deny of a peer meets an allowed port, the map has a denying entry for both.
    const isNarrowed = denied === 'L3-Only' && allowed === 'L4-Only';
    return { isAllowed: false, isDenyRule: true, match: isNarrowed ? 'L3-L4' : denied };
  }
  return { isAllowed: allowed !== undefined, isDenyRule: false, match: allowed ?? 'none' };
}

function matchRule(rule: PolicyRule, subject: PolicySubject): PolicyMatch | undefined {
  const peer = matchPeers(rule.peers, subject);
  if (peer === undefined) return undefined;
  const port = matchPorts(rule.ports, subject);
  if (port === undefined) return undefined;
  const isSpecific = peer === 'specific';
  if (port === 'port') return isSpecific ? 'L3-L4' : 'L4-Only';
  if (port === 'protocol') return isSpecific ? 'L3-Proto' : 'Proto-Only';
  return isSpecific ? 'L3-Only' : 'all';
}

function matchPeers(peers: PolicyRule['peers'], subject: PolicySubject): 'any' | 'specific' | undefined {
  if (peers === undefined) return 'any';
  let isMatching = false;
  for (const peer of peers) {
    if (peer.kind === 'entity' && peer.entity === 'all') return 'any';
    isMatching ||= matchPeer(peer, subject);
  }
  return isMatching ? 'specific' : undefined;
}

function matchPorts(ports: PolicyRule['ports'], subject: PolicySubject): 'any' | 'protocol' | 'port' | undefined {
  if (ports === undefined) return 'any';
  let found: 'any' | 'protocol' | undefined;
  for (const port of ports) {
    if (port.protocol === 'icmp') {
      if (subject.protocol === 'icmp' && subject.icmpType === port.type && subject.ip.family === port.family) return 'port';
      continue;
    }
    if (port.name === undefined && port.low === 0) {
      if (port.protocol === 'any') found ??= 'any';
      else if (port.protocol === subject.protocol) found = 'protocol';
      continue;
    }
    const { protocol } = subject;
    if (protocol === 'icmp' || (port.protocol !== 'any' && port.protocol !== protocol)) continue;
    if (
      port.name !== undefined
        ? subject.isNamedPort?.(port.name, protocol, subject.port)
        : subject.port >= port.low && subject.port <= port.high
    )
      return 'port';
  }
  return found;
}

function matchPeer(peer: PolicyPeer, subject: PolicySubject): boolean {
  const { identity } = subject;
  switch (peer.kind) {
    case 'labels':
      return matchesSelector(peer.selector, policyLabels(identity));
    case 'cidr':
      // CIDRs are for what is outside: they do not select pods and nodes of the cluster.
      return isWorld(identity) && contains(peer.cidr, subject.ip) && !peer.except.some((hole) => contains(hole, subject.ip));
    case 'entity':
      return matchEntity(peer.entity, identity);
    case 'service':
      return subject.isBackendOf?.(peer.service, subject.ip) ?? false;
  }
}

const worldLabels = ['reserved:world', 'reserved:world-ipv4', 'reserved:world-ipv6'];

function isWorld({ labels }: Identity): boolean {
  return worldLabels.some((label) => labels.includes(label));
}

function matchEntity(entity: string, identity: Identity): boolean {
  switch (entity) {
    case 'world':
      return isWorld(identity);
    case 'cluster':
      return !isWorld(identity) && identity.id !== reserved.unknown;
    default:
      return identity.labels.includes(`reserved:${entity}`);
  }
}

/** A policy as the agent holds it. */
export interface ParsedPolicy {
  readonly name: string;
  /** Which endpoints it selects, by the labels of their identity. */
  readonly subject: LabelSelector;
  /** Undefined: has nothing to say about this direction. */
  readonly ingress: readonly PolicyRule[] | undefined;
  readonly egress: readonly PolicyRule[] | undefined;
  /** Whether what no rule allows is dropped (`enableDefaultDeny`). */
  readonly deniesIngress: boolean;
  readonly deniesEgress: boolean;
  /** What of the object has no effect here. */
  readonly unmodelled: readonly string[];
}

const everything: PolicyRule = { isDeny: false, peers: undefined, ports: undefined };
/** The node's own processes always reach its pods: probes must work (`allow-localhost`, which Kubernetes sets to `always`). */
const localHost: PolicyRule = { isDeny: false, peers: [{ kind: 'entity', entity: 'host' }], ports: undefined };

/** What all policies together ask of one endpoint. */
export function policyOf(
  identity: Identity,
  policies: readonly ParsedPolicy[],
  enforcement: 'default' | 'always' | 'never',
): EndpointPolicy | undefined {
  if (enforcement === 'never') return undefined;
  const labels = policyLabels(identity);
  const ingress: PolicyRule[] = [];
  const egress: PolicyRule[] = [];
  const isAlways = enforcement === 'always';
  let hasIngress = isAlways;
  let hasEgress = isAlways;
  let deniesIngress = isAlways;
  let deniesEgress = isAlways;
  for (const policy of policies) {
    if (!matchesSelector(policy.subject, labels)) continue;
    if (policy.ingress !== undefined) {
      hasIngress = true;
      deniesIngress ||= policy.deniesIngress;
      ingress.push(...policy.ingress);
    }
    if (policy.egress !== undefined) {
      hasEgress = true;
      deniesEgress ||= policy.deniesEgress;
      egress.push(...policy.egress);
    }
  }
  if (!hasIngress && !hasEgress) return undefined;
  // Where no policy asks for the default deny, all is allowed that nothing denies.
  if (hasIngress) ingress.push(localHost, ...(deniesIngress ? [] : [everything]));
  if (hasEgress && !deniesEgress) egress.push(everything);
  return { ingress: hasIngress ? ingress : undefined, egress: hasEgress ? egress : undefined };
}
