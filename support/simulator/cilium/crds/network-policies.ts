import type { CustomResource, Schema } from '../../kubernetes/types.ts';
import type { CiliumVersion } from '../types.ts';
import { isAtLeast } from '../version.ts';
import { ageColumn, boolean, integer, labelSelector, list, mapByKeys, object, stringMap, text } from './schema.ts';

const oneOf = (...names: readonly string[]): Pick<Schema, 'oneOf'> => ({ oneOf: names.map((name) => ({ required: [name] })) });
const selectors = list(labelSelector('peers'));

const portName =
  '^(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[0-9]{1,4})|([a-zA-Z0-9]-?)*[a-zA-Z](-?[a-zA-Z0-9])*$';
/** One pattern for the types of both families, misspellings included (upstream's icmp.go). */
const icmpTypes =
  '^([0-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5]|EchoReply|DestinationUnreachable|Redirect|Echo|RouterAdvertisement|RouterSelection|TimeExceeded|ParameterProblem|Timestamp|TimestampReply|Photuris|ExtendedEchoRequest|ExtendedEcho Reply|PacketTooBig|ParameterProblem|EchoRequest|MulticastListenerQuery|MulticastListenerReport|MulticastListenerDone|RouterSolicitation|RouterAdvertisement|NeighborSolicitation|NeighborAdvertisement|RedirectMessage|RouterRenumbering|ICMPNodeInformationQuery|ICMPNodeInformationResponse|InverseNeighborDiscoverySolicitation|InverseNeighborDiscoveryAdvertisement|HomeAgentAddressDiscoveryRequest|HomeAgentAddressDiscoveryReply|MobilePrefixSolicitation|MobilePrefixAdvertisement|DuplicateAddressRequestCodeSuffix|DuplicateAddressConfirmationCodeSuffix)$';
const entities = [
  'all',
  'world',
  'cluster',
  'host',
  'init',
  'ingress',
  'unmanaged',
  'remote-node',
  'health',
  'none',
  'kube-apiserver',
] as const;

const secret = object({ name: text(), namespace: text() }, ['name']);
const tls = object({ certificate: text(), privateKey: text(), secret, trustedCA: text() }, ['secret']);
// 1.16 sets no lengths here.
const longest = (version: CiliumVersion): Partial<Schema> => (isAtLeast(version, 17) ? { maxLength: 255 } : {});
const fqdn = (version: CiliumVersion): Schema =>
  object(
    {
      matchName: text({ ...longest(version), pattern: '^([-a-zA-Z0-9_]+[.]?)+$' }),
      matchPattern: text({ ...longest(version), pattern: '^([-a-zA-Z0-9_*]+[.]?)+$' }),
    },
    [],
    oneOf('matchName', 'matchPattern'),
  );
const group = object({
  aws: object({ labels: stringMap, region: text(), securityGroupsIds: list(text()), securityGroupsNames: list(text()) }),
});
const http = object({
  headerMatches: list(
    object({ mismatch: text({ enum: ['LOG', 'ADD', 'DELETE', 'REPLACE'] }), name: text({ minLength: 1 }), secret, value: text() }, [
      'name',
    ]),
  ),
  headers: list(text()),
  host: text({ format: 'idn-hostname' }),
  method: text(),
  path: text(),
});
const kafka = object({
  apiKey: text(),
  apiVersion: text(),
  clientID: text(),
  role: text({ enum: ['produce', 'consume'] }),
  topic: text({ maxLength: 255 }),
});

function peersOf(word: 'from' | 'to', version: CiliumVersion): Readonly<Record<string, Schema>> {
  const hasGroupSelector = isAtLeast(version, 17);
  const cidrSet = object(
    {
      cidr: text({ format: 'cidr' }),
      cidrGroupRef: text({ maxLength: 253, pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$' }),
      ...(hasGroupSelector ? { cidrGroupSelector: labelSelector('groups by their labels') } : {}),
      except: list(text({ format: 'cidr' })),
    },
    [],
    oneOf('cidr', 'cidrGroupRef', ...(hasGroupSelector ? ['cidrGroupSelector'] : [])),
  );
  return {
    [`${word}CIDR`]: list(text({ format: 'cidr' })),
    [`${word}CIDRSet`]: list(cidrSet),
    [`${word}Endpoints`]: selectors,
    [`${word}Entities`]: list(text({ enum: entities })),
    [`${word}Groups`]: list(group),
    [`${word}Nodes`]: selectors,
    // Gone with 1.19: the list must be empty.
    [`${word}Requires`]: isAtLeast(version, 19) ? list(text(), { maxItems: 0 }) : selectors,
    ...(word === 'to'
      ? {
          toServices: list(
            object({
              k8sService: object({ namespace: text(), serviceName: text() }),
              k8sServiceSelector: object({ namespace: text(), selector: labelSelector('services') }, ['selector']),
            }),
          ),
        }
      : {}),
    icmps: list(
      object({
        fields: list(
          object(
            { family: text({ enum: ['IPv4', 'IPv6'], default: 'IPv4' }), type: { pattern: icmpTypes, 'x-kubernetes-int-or-string': true } },
            ['type'],
          ),
          { maxItems: 40 },
        ),
      }),
    ),
  };
}

const port = (version: CiliumVersion): Schema =>
  object(
    {
      endPort: integer(0, 65_535, { format: 'int32' }),
      port: text({ pattern: portName }),
      protocol: text({ enum: ['TCP', 'UDP', 'SCTP', ...(isAtLeast(version, 19) ? ['VRRP', 'IGMP'] : []), 'ANY'] }),
    },
    isAtLeast(version, 19) ? [] : ['port'],
  );

const portRules = (version: CiliumVersion): Schema =>
  list(
    object({
      listener: object(
        {
          envoyConfig: object(
            { kind: text({ enum: ['CiliumEnvoyConfig', 'CiliumClusterwideEnvoyConfig'] }), name: text({ minLength: 1 }) },
            ['name'],
          ),
          name: text({ minLength: 1 }),
          priority: integer(1, 100),
        },
        ['envoyConfig', 'name'],
      ),
      originatingTLS: tls,
      ports: list(port(version), { maxItems: 40 }),
      rules: object({ dns: list(fqdn(version)), http: list(http), kafka: list(kafka), l7: list(stringMap), l7proto: text() }, [], {
        ...oneOf('http', 'kafka', 'dns', 'l7proto'),
      }),
      serverNames: isAtLeast(version, 18)
        ? list(text({ maxLength: 255, pattern: '^(\\*?\\*\\.)?([-a-zA-Z0-9_]+\\.?)+$' }), {
            minItems: 1,
            'x-kubernetes-list-type': 'set',
          })
        : list(text()),
      terminatingTLS: tls,
    }),
  );

const authentication = object({ mode: text({ enum: ['disabled', 'required', 'test-always-fail'] }) }, ['mode']);

function ruleOf(version: CiliumVersion): Schema {
  const from = peersOf('from', version);
  const to = peersOf('to', version);
  // Upstream limits the ports of rules that allow, not of those that deny.
  const denyPorts = list(object({ ports: list(port(version)) }));
  return object(
    {
      description: text(),
      egress: list(object({ ...to, authentication, toFQDNs: list(fqdn(version)), toPorts: portRules(version) })),
      egressDeny: list(object({ ...to, toPorts: denyPorts })),
      enableDefaultDeny: object({ egress: boolean(), ingress: boolean() }),
      endpointSelector: labelSelector('endpoints that the rule applies to'),
      ingress: list(object({ ...from, authentication, toPorts: portRules(version) })),
      ingressDeny: list(object({ ...from, toPorts: denyPorts })),
      labels: list(object({ key: text(), source: text(), value: text() }, ['key'])),
      ...(isAtLeast(version, 18) ? { log: object({ value: text({ maxLength: 32 }) }) } : {}),
      nodeSelector: labelSelector('nodes that the rule applies to'),
    },
    [],
    {
      ...oneOf('endpointSelector', 'nodeSelector'),
      // That a direction must be there came with 1.17.
      ...(isAtLeast(version, 17)
        ? { anyOf: ['ingress', 'ingressDeny', 'egress', 'egressDeny'].map((direction) => ({ required: [direction] })) }
        : {}),
    },
  );
}

const status = object({
  conditions: mapByKeys(
    object(
      {
        lastTransitionTime: text({ format: 'date-time' }),
        message: text(),
        reason: text(),
        status: text(),
        type: text(),
      },
      ['status', 'type'],
    ),
    ['type'],
  ),
  derivativePolicies: { type: 'object', additionalProperties: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
});

/** CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy. */
export function networkPolicyResources(version: CiliumVersion): readonly CustomResource[] {
  const rule = ruleOf(version);
  const schema: Schema = {
    type: 'object',
    description: 'A network policy of layers 3 to 7',
    properties: { apiVersion: text(), kind: text(), metadata: { type: 'object' }, spec: rule, specs: list(rule), status },
    required: ['metadata'],
  };
  const definition = {
    name: 'v2',
    schema,
    // The second column came with 1.17.
    printerColumns: isAtLeast(version, 17)
      ? [ageColumn, { name: 'Valid', type: 'string', jsonPath: ".status.conditions[?(@.type=='Valid')].status" } as const]
      : [ageColumn],
    hasStatus: true,
  };
  return [
    {
      group: 'cilium.io',
      kind: 'CiliumNetworkPolicy',
      plural: 'ciliumnetworkpolicies',
      singular: 'ciliumnetworkpolicy',
      shortNames: ['cnp', 'ciliumnp'],
      categories: ['cilium', 'ciliumpolicy'],
      isNamespaced: true,
      versions: [definition],
    },
    {
      group: 'cilium.io',
      kind: 'CiliumClusterwideNetworkPolicy',
      plural: 'ciliumclusterwidenetworkpolicies',
      singular: 'ciliumclusterwidenetworkpolicy',
      shortNames: ['ccnp'],
      categories: ['cilium', 'ciliumpolicy'],
      isNamespaced: false,
      // That the other kind's column of ages is missing here is upstream's.
      versions: [{ ...definition, printerColumns: definition.printerColumns.slice(-1) }],
    },
  ];
}
