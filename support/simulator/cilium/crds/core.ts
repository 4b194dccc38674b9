import type { CustomResource, PrinterColumn, Schema } from '../../kubernetes/types.ts';
import type { CiliumVersion } from '../types.ts';
import { isAtLeast } from '../version.ts';
import { networkPolicyResources } from './network-policies.ts';
import { ageColumn, anything, integer, labelSelector, list, object, resource, stringMap, text } from './schema.ts';

const endpointColumns: readonly PrinterColumn[] = [
  { name: 'Security Identity', type: 'integer', jsonPath: '.status.identity.id' },
  { name: 'Ingress Enforcement', type: 'string', jsonPath: '.status.policy.ingress.state', priority: 1 },
  { name: 'Egress Enforcement', type: 'string', jsonPath: '.status.policy.egress.state', priority: 1 },
  { name: 'Visibility Policy', type: 'string', jsonPath: '.status.visibility-policy-status', priority: 1 },
  { name: 'Endpoint State', type: 'string', jsonPath: '.status.state' },
  { name: 'IPv4', type: 'string', jsonPath: '.status.networking.addressing[0].ipv4' },
  { name: 'IPv6', type: 'string', jsonPath: '.status.networking.addressing[0].ipv6' },
];

const nodeColumns: readonly PrinterColumn[] = [
  { name: 'CiliumInternalIP', type: 'string', jsonPath: '.spec.addresses[?(@.type=="CiliumInternalIP")].ip' },
  { name: 'InternalIP', type: 'string', jsonPath: '.spec.addresses[?(@.type=="InternalIP")].ip' },
  ageColumn,
];

const identityColumns: readonly PrinterColumn[] = [
  { name: 'Namespace', type: 'string', jsonPath: '.metadata.labels.io\\.kubernetes\\.pod\\.namespace' },
  ageColumn,
];

const nodeSpec: Schema = {
  type: 'object',
  'x-kubernetes-preserve-unknown-fields': true,
  properties: {
    addresses: list(object({ ip: text(), type: text() })),
    ipam: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true, properties: { podCIDRs: list(text()) } },
  },
};

const poolFamily = (low: number, high: number): Schema =>
  object({ cidrs: list(text({ format: 'cidr' }), { minItems: 1 }), maskSize: integer(low, high) }, ['cidrs', 'maskSize']);

/** Kinds that every installation has. */
export function coreResources(version: CiliumVersion): readonly CustomResource[] {
  const group = 'cilium.io';
  const cidrGroup = {
    schema: resource(
      'A named list of CIDRs',
      object({ externalCIDRs: list(text({ format: 'cidr' }), { minItems: 0 }) }, ['externalCIDRs']),
      undefined,
      ['metadata', 'spec'],
    ),
    printerColumns: [],
    hasStatus: false,
  };
  const nodeConfig = {
    schema: resource(
      'Settings of the agents on some nodes',
      object({ defaults: stringMap, nodeSelector: labelSelector('nodes with these settings') }, ['defaults', 'nodeSelector']),
      undefined,
      ['metadata', 'spec'],
    ),
    printerColumns: [],
    hasStatus: false,
  };
  return [
    ...networkPolicyResources(version),
    {
      group,
      kind: 'CiliumEndpoint',
      plural: 'ciliumendpoints',
      singular: 'ciliumendpoint',
      shortNames: ['cep', 'ciliumep'],
      categories: ['cilium'],
      isNamespaced: true,
      versions: [
        {
          name: 'v2',
          schema: resource('State of a pod in the datapath', undefined, anything),
          printerColumns: isAtLeast(version, 17) ? endpointColumns.filter(({ name }) => name !== 'Visibility Policy') : endpointColumns,
          hasStatus: false,
        },
      ],
    },
    {
      group,
      kind: 'CiliumIdentity',
      plural: 'ciliumidentities',
      singular: 'ciliumidentity',
      shortNames: ['ciliumid'],
      categories: ['cilium'],
      isNamespaced: false,
      versions: [
        {
          name: 'v2',
          schema: {
            type: 'object',
            description: 'Labels behind one security identity; the name is its number',
            properties: { apiVersion: text(), kind: text(), metadata: { type: 'object' }, 'security-labels': stringMap },
            required: ['metadata', 'security-labels'],
          },
          printerColumns: identityColumns,
          hasStatus: false,
        },
      ],
    },
    {
      group,
      kind: 'CiliumNode',
      plural: 'ciliumnodes',
      singular: 'ciliumnode',
      shortNames: ['cn', 'ciliumn'],
      categories: ['cilium'],
      isNamespaced: false,
      versions: [
        {
          name: 'v2',
          schema: resource('What agents and the operator know of a node', nodeSpec, anything, ['metadata', 'spec']),
          printerColumns: nodeColumns,
          hasStatus: true,
        },
      ],
    },
    {
      group,
      kind: 'CiliumNodeConfig',
      plural: 'ciliumnodeconfigs',
      singular: 'ciliumnodeconfig',
      shortNames: [],
      categories: ['cilium'],
      isNamespaced: true,
      versions: [
        { name: 'v2', ...nodeConfig },
        {
          name: 'v2alpha1',
          ...nodeConfig,
          deprecationWarning: 'cilium.io/v2alpha1 CiliumNodeConfig will be deprecated in cilium v1.16; use cilium.io/v2 CiliumNodeConfig',
        },
      ],
    },
    {
      group,
      kind: 'CiliumCIDRGroup',
      plural: 'ciliumcidrgroups',
      singular: 'ciliumcidrgroup',
      shortNames: ['ccg'],
      categories: ['cilium'],
      isNamespaced: false,
      versions: isAtLeast(version, 18)
        ? [
            { name: 'v2', ...cidrGroup },
            {
              name: 'v2alpha1',
              ...cidrGroup,
              deprecationWarning: 'cilium.io/v2alpha1 CiliumCIDRGroup is deprecated; use cilium.io/v2 CiliumCIDRGroup',
            },
          ]
        : [{ name: 'v2alpha1', ...cidrGroup }],
    },
    {
      group,
      kind: 'CiliumPodIPPool',
      plural: 'ciliumpodippools',
      singular: 'ciliumpodippool',
      shortNames: ['cpip'],
      categories: ['cilium'],
      isNamespaced: false,
      versions: [
        {
          name: 'v2alpha1',
          schema: resource(
            'Addresses for pods of a multi-pool installation',
            object({
              ipv4: poolFamily(1, 32),
              ipv6: poolFamily(1, 128),
              ...(isAtLeast(version, 19)
                ? { namespaceSelector: labelSelector('namespaces of the pods'), podSelector: labelSelector('pods with these addresses') }
                : {}),
            }),
            undefined,
            ['metadata', 'spec'],
          ),
          printerColumns: [ageColumn],
          hasStatus: false,
        },
      ],
    },
    ...(isAtLeast(version, 18)
      ? []
      : [
          {
            group,
            kind: 'CiliumExternalWorkload',
            plural: 'ciliumexternalworkloads',
            singular: 'ciliumexternalworkload',
            shortNames: ['cew'],
            categories: ['cilium'],
            isNamespaced: false,
            versions: [
              {
                name: 'v2',
                schema: resource(
                  'A workload outside the cluster',
                  object({ 'ipv4-alloc-cidr': text(), 'ipv6-alloc-cidr': text() }),
                  anything,
                  ['metadata'],
                ),
                printerColumns: [
                  { name: 'Cilium ID', type: 'integer', jsonPath: '.status.id' } as const,
                  { name: 'IP', type: 'string', jsonPath: '.status.ip' } as const,
                ],
                hasStatus: true,
              },
            ],
          },
        ]),
  ];
}

/** Envoy configuration, only with `envoyConfig.enabled` (or ingress, or Gateway API). */
export function envoyResources(): readonly CustomResource[] {
  const version = {
    name: 'v2',
    schema: resource('Envoy configuration', anything, undefined, ['metadata']),
    printerColumns: [ageColumn],
    hasStatus: false,
  };
  return [
    {
      group: 'cilium.io',
      kind: 'CiliumEnvoyConfig',
      plural: 'ciliumenvoyconfigs',
      singular: 'ciliumenvoyconfig',
      shortNames: ['cec'],
      categories: ['cilium'],
      isNamespaced: true,
      versions: [version],
    },
    {
      group: 'cilium.io',
      kind: 'CiliumClusterwideEnvoyConfig',
      plural: 'ciliumclusterwideenvoyconfigs',
      singular: 'ciliumclusterwideenvoyconfig',
      shortNames: ['ccec'],
      categories: ['cilium'],
      isNamespaced: false,
      versions: [version],
    },
  ];
}

/** Only with `localRedirectPolicy`; the datapath does not act on it. */
export function localRedirectResource(): CustomResource {
  return {
    group: 'cilium.io',
    kind: 'CiliumLocalRedirectPolicy',
    plural: 'ciliumlocalredirectpolicies',
    singular: 'ciliumlocalredirectpolicy',
    shortNames: ['clrp'],
    categories: ['cilium', 'ciliumpolicy'],
    isNamespaced: true,
    versions: [
      {
        name: 'v2',
        schema: resource('Traffic kept on the node', anything, anything, ['metadata']),
        printerColumns: [ageColumn],
        hasStatus: false,
      },
    ],
  };
}
