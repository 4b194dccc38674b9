import type { CustomResource, Schema } from '../../kubernetes/types.ts';
import type { CiliumVersion } from '../types.ts';
import { isAtLeast } from '../version.ts';
import { ageColumn, boolean, conditions, labelSelector, list, object, resource, text } from './schema.ts';

const block = object({ cidr: text({ format: 'cidr' }), start: text(), stop: text() });

const poolSpec: Schema = object({
  allowFirstLastIPs: text({ enum: ['Yes', 'No'] }),
  blocks: list(block),
  disabled: boolean({ default: false }),
  serviceSelector: labelSelector('services that may have addresses of this pool'),
});

const poolColumns = [
  { name: 'Disabled', type: 'boolean', jsonPath: '.spec.disabled' },
  { name: 'Conflicting', type: 'string', jsonPath: '.status.conditions[?(@.type=="cilium.io/PoolConflict")].status' },
  { name: 'IPs Available', type: 'string', jsonPath: '.status.conditions[?(@.type=="cilium.io/IPsAvailable")].message' },
  ageColumn,
] as const;

const l2Spec: Schema = object({
  externalIPs: boolean(),
  interfaces: list(text()),
  loadBalancerIPs: boolean(),
  nodeSelector: labelSelector('nodes that may announce'),
  serviceSelector: labelSelector('services to announce'),
});

const ipv4Cidr = '^(?:(?:25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)\\.){3}(?:25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)\\/([0-9]|[1-2][0-9]|3[0-2])$';
/** The pattern of 1.18: IPv6 beside IPv4, with the backslashes that upstream's generator lost (its cegp_types.go). */
const anyCidr = (() => {
  const byte = '(25[0-5]|2[0-4]d|1dd|[1-9]?d)';
  const dotted = `(${byte}(.${byte}){3})`;
  const group = '[0-9A-Fa-f]{1,4}';
  const shapes = [`((${group}:){7}(${group}|:))`, `((${group}:){6}(:${group}|${dotted}|:))`];
  for (let before = 5; before >= 1; before--) {
    const between = before === 4 ? `(:${group})?` : `(:${group}){0,${5 - before}}`;
    const tail = before === 5 ? `:${dotted}` : `(${between}:${dotted})`;
    shapes.push(`((${group}:){${before}}(((:${group}){1,${7 - before}})|${tail}|:))`);
  }
  shapes.push(`(:(((:${group}){1,7})|((:${group}){0,5}:${dotted})|:))`);
  return `${ipv4Cidr}|^s*(${shapes.join('|')})(%.+)?s*(\\/(12[0-8]|1[0-1][0-9]|[1-9][0-9]|[0-9]))$`;
})();

function egressSpec(version: CiliumVersion): Schema {
  const cidr = text({ pattern: isAtLeast(version, 18) ? anyCidr : ipv4Cidr });
  const gateway = object({ egressIP: text({ format: 'ipv4' }), interface: text(), nodeSelector: labelSelector('the gateway node') }, [
    'nodeSelector',
  ]);
  return object(
    {
      destinationCIDRs: list(cidr),
      egressGateway: gateway,
      ...(isAtLeast(version, 18) ? { egressGateways: list(gateway, { default: [] }) } : {}),
      excludedCIDRs: list(cidr),
      selectors: list(
        object({
          namespaceSelector: labelSelector('namespaces of the pods'),
          ...(isAtLeast(version, 17) ? { nodeSelector: labelSelector('nodes of the pods') } : {}),
          podSelector: labelSelector('pods that use the gateway'),
        }),
      ),
    },
    ['destinationCIDRs', 'egressGateway', 'selectors'],
  );
}

/** Load-balancer address pools and L2 announcements: sections 1.1 and 2.1 of the reference. */
export function loadBalancingResources(version: CiliumVersion): readonly CustomResource[] {
  // `cidrs` is gone since 1.16; since 1.17 a pool must have a spec.
  const v2alpha1 = {
    name: 'v2alpha1',
    schema: resource(
      'Addresses for services of type LoadBalancer',
      poolSpec,
      conditions,
      isAtLeast(version, 17) ? ['metadata', 'spec'] : ['metadata'],
    ),
    printerColumns: poolColumns,
    hasStatus: true,
  };
  return [
    {
      group: 'cilium.io',
      kind: 'CiliumLoadBalancerIPPool',
      plural: 'ciliumloadbalancerippools',
      singular: 'ciliumloadbalancerippool',
      shortNames: ['ippools', 'ippool', 'lbippool', 'lbippools'],
      categories: ['cilium'],
      isNamespaced: false,
      versions: isAtLeast(version, 18)
        ? [
            { ...v2alpha1, name: 'v2' },
            {
              ...v2alpha1,
              // 1.18 serves both without a word.
              ...(isAtLeast(version, 19)
                ? {
                    deprecationWarning:
                      'cilium.io/v2alpha1 CiliumLoadBalancerIPPool is deprecated; use cilium.io/v2 CiliumLoadBalancerIPPool',
                  }
                : {}),
            },
          ]
        : [v2alpha1],
    },
    {
      group: 'cilium.io',
      kind: 'CiliumL2AnnouncementPolicy',
      plural: 'ciliuml2announcementpolicies',
      singular: 'ciliuml2announcementpolicy',
      shortNames: ['l2announcement'],
      categories: ['cilium'],
      isNamespaced: false,
      versions: [
        {
          name: 'v2alpha1',
          schema: resource('Which services are announced on which devices of which nodes', l2Spec, conditions, ['metadata']),
          printerColumns: [ageColumn],
          hasStatus: true,
        },
      ],
    },
  ];
}

/** Section 3.1 of the reference; no status. */
export function egressGatewayResource(version: CiliumVersion): CustomResource {
  return {
    group: 'cilium.io',
    kind: 'CiliumEgressGatewayPolicy',
    plural: 'ciliumegressgatewaypolicies',
    singular: 'ciliumegressgatewaypolicy',
    shortNames: ['cegp'],
    categories: ['cilium', 'ciliumpolicy'],
    isNamespaced: false,
    versions: [
      {
        name: 'v2',
        schema: resource('Pods that leave the cluster by a gateway node', egressSpec(version), undefined, ['metadata']),
        printerColumns: [ageColumn],
        hasStatus: false,
      },
    ],
  };
}
