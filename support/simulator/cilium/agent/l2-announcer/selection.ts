import type { Service } from '../../../kubernetes/objects.ts';
import { parseIp } from '../../../net/address.ts';
import type { Ip } from '../../../net/types.ts';
import type { CiliumNode, L2AnnouncementPolicy } from '../../objects.ts';
import { selectorProblem, selects, serviceSelectorLabels } from '../../selector.ts';

const ownClass = 'io.cilium/l2-announcer';

export type PolicyProblem = {
  readonly type: 'io.cilium/bad-node-selector' | 'io.cilium/bad-interface-regex' | 'io.cilium/bad-service-selector';
  readonly message: string;
};

/** A policy that is in force on a node. */
export interface ActivePolicy {
  readonly name: string;
  readonly policy: L2AnnouncementPolicy;
  readonly interfaces: readonly RegExp[];
}

/**
 * Whether a policy is in force on a node. Evaluation ends at the first error, in the order node selector, regular
 * expressions, service selector; a node whose labels do not match looks no further (section 2.7).
 */
export function activate(policy: L2AnnouncementPolicy, node: CiliumNode): ActivePolicy | { readonly problem: PolicyProblem } | undefined {
  const nodeProblem = selectorProblem(policy.spec?.nodeSelector);
  if (nodeProblem !== undefined) return { problem: { type: 'io.cilium/bad-node-selector', message: nodeProblem } };
  if (!selects(policy.spec?.nodeSelector, node.metadata.labels ?? {}, 'all')) return undefined;
  const interfaces: RegExp[] = [];
  for (const pattern of policy.spec?.interfaces ?? []) {
    const compiled = compileGoRegex(pattern);
    if (typeof compiled === 'string') return { problem: { type: 'io.cilium/bad-interface-regex', message: compiled } };
    interfaces.push(compiled);
  }
  const serviceProblem = selectorProblem(policy.spec?.serviceSelector);
  if (serviceProblem !== undefined) return { problem: { type: 'io.cilium/bad-service-selector', message: serviceProblem } };
  return { name: policy.metadata.name, policy, interfaces };
}

/** A Go regular expression, or the text of Go's error. Go has no look-around and no back-references. */
export function compileGoRegex(pattern: string): RegExp | string {
  const perl = /\(\?(?:=|!|<=|<!)/.exec(pattern);
  if (perl !== null) return `error parsing regexp: invalid or unsupported Perl syntax: \`${perl[0]}\``;
  const backReference = /(?:^|[^\\])(?:\\\\)*(\\[1-9])/.exec(pattern);
  if (backReference !== null) return `error parsing regexp: invalid escape sequence: \`${backReference[1]}\``;
  try {
    return new RegExp(pattern);
  } catch (error) {
    const why = error instanceof Error ? error.message : '';
    if (/Unterminated character class/.test(why))
      return `error parsing regexp: missing closing ]: \`${pattern.slice(pattern.lastIndexOf('['))}\``;
    if (/Unterminated group/.test(why)) return `error parsing regexp: missing closing ): \`${pattern}\``;
    if (/Unmatched '\)'/.test(why)) return `error parsing regexp: unexpected ): \`${pattern}\``;
    if (/Nothing to repeat/.test(why))
      return `error parsing regexp: missing argument to repetition operator: \`${/[*+?]/.exec(pattern)?.[0] ?? pattern}\``;
    if (/\\ at end of pattern/.test(why)) return 'error parsing regexp: trailing backslash at end of expression: ``';
    return `error parsing regexp: invalid escape sequence: \`${pattern}\``;
  }
}

/** Addresses of a service that a policy announces; none when it does not select the service (section 2.3). */
export function announcedAddresses({ policy }: ActivePolicy, service: Service): readonly Ip[] {
  const { spec } = service;
  if (spec.loadBalancerClass !== undefined && spec.loadBalancerClass !== ownClass) return [];
  if (!selects(policy.spec?.serviceSelector, serviceSelectorLabels(service), 'all')) return [];
  const texts = [
    ...(policy.spec?.externalIPs === true ? (spec.externalIPs ?? []) : []),
    ...(policy.spec?.loadBalancerIPs === true ? (service.status.loadBalancer?.ingress ?? []).map(({ ip }) => ip ?? '') : []),
  ];
  return texts.map(parseIp).filter((address) => address !== undefined);
}

/** An absent or empty list of expressions stands for all devices; the search is not anchored. */
export function matchesInterface({ interfaces }: ActivePolicy, device: string): boolean {
  return interfaces.length === 0 || interfaces.some((pattern) => pattern.test(device));
}

/** Timing of the leases, with the corrections that the agent makes (section 2.4). */
export function leaseTiming(given: {
  readonly durationMs: number | undefined;
  readonly renewDeadlineMs: number | undefined;
  readonly retryPeriodMs: number | undefined;
}): {
  readonly leaseDurationMs: number;
  readonly renewDeadlineMs: number;
  readonly retryPeriodMs: number;
} {
  const leaseDurationMs = Math.max(1000, given.durationMs ?? 15_000);
  let renewDeadlineMs = given.renewDeadlineMs ?? 5_000;
  if (renewDeadlineMs >= leaseDurationMs) renewDeadlineMs = leaseDurationMs / 2;
  let retryPeriodMs = given.retryPeriodMs ?? 2_000;
  if (renewDeadlineMs <= 1.2 * retryPeriodMs) retryPeriodMs = renewDeadlineMs / 2;
  return { leaseDurationMs, renewDeadlineMs, retryPeriodMs };
}
