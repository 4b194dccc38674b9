import type { CustomResource, Schema } from '../../kubernetes/types.ts';
import type { CiliumVersion } from '../types.ts';
import { isAtLeast, isBefore } from '../version.ts';
import { ageColumn, boolean, conditions, integer, labelSelector, list, mapByKeys, object, resource, rules, text } from './schema.ts';

const asn = (minimum: number): Schema => integer(minimum, 4294967295, { format: 'int64' });
const port = (value: number | undefined): Schema =>
  integer(1, 65535, { format: 'int32', ...(value === undefined ? {} : { default: value }) });

const afis = ['ipv4', 'ipv6', 'l2vpn', 'ls', 'opaque'];
const safis = [
  'unicast',
  'multicast',
  'mpls_label',
  'encapsulation',
  'vpls',
  'evpn',
  'ls',
  'sr_policy',
  'mup',
  'mpls_vpn',
  'mpls_vpn_multicast',
  'route_target_constraints',
  'flowspec_unicast',
  'flowspec_vpn',
  'key_value',
];
const familyFields = { afi: text({ enum: afis }), safi: text({ enum: safis }) };

const uint32 =
  '([0-9]|[1-9][0-9]{1,8}|[1-3][0-9]{9}|4[01][0-9]{8}|42[0-8][0-9]{7}|429[0-3][0-9]{6}|4294[0-8][0-9]{5}|42949[0-5][0-9]{4}|429496[0-6][0-9]{3}|4294967[01][0-9]{2}|42949672[0-8][0-9]|429496729[0-5])';
const uint16 = '([0-9]|[1-9][0-9]{1,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])';

const communities: Schema = object({
  large: list(text({ pattern: `^${uint32}:${uint32}:${uint32}$` })),
  standard: list(text({ pattern: `^${uint32}$|^${uint16}:${uint16}$` })),
  wellKnown: list(
    text({
      enum: [
        'internet',
        'planned-shut',
        'accept-own',
        'route-filter-translated-v4',
        'route-filter-v4',
        'route-filter-translated-v6',
        'route-filter-v6',
        'llgr-stale',
        'no-llgr',
        'blackhole',
        'no-export',
        'no-advertise',
        'no-export-subconfed',
        'no-peer',
      ],
    }),
  ),
});

const addressTypes = ['LoadBalancerIP', 'ClusterIP', 'ExternalIP'];

const neighbor: Schema = object(
  {
    advertisedPathAttributes: list(
      object(
        {
          communities,
          localPreference: integer(0, 4294967295, { format: 'int64' }),
          selector: labelSelector('objects of the type that these attributes are for'),
          selectorType: text({ enum: ['PodCIDR', 'CiliumLoadBalancerIPPool', 'CiliumPodIPPool'] }),
        },
        ['selectorType'],
      ),
    ),
    authSecretRef: text(),
    connectRetryTimeSeconds: integer(1, 2147483647, { format: 'int32', default: 120 }),
    eBGPMultihopTTL: integer(1, 255, { format: 'int32', default: 1 }),
    families: list(object(familyFields, ['afi', 'safi'])),
    gracefulRestart: object({ enabled: boolean(), restartTimeSeconds: integer(1, 4095, { format: 'int32', default: 120 }) }, ['enabled']),
    holdTimeSeconds: integer(3, 65535, { format: 'int32', default: 90 }),
    keepAliveTimeSeconds: integer(1, 65535, { format: 'int32', default: 30 }),
    peerASN: asn(0),
    peerAddress: text({ format: 'cidr' }),
    peerPort: port(179),
  },
  ['peerASN', 'peerAddress'],
);

const peeringPolicySpec: Schema = object(
  {
    nodeSelector: labelSelector('nodes that this policy is for'),
    virtualRouters: list(
      object(
        {
          exportPodCIDR: boolean({ default: false }),
          localASN: asn(0),
          neighbors: list(neighbor, { minItems: 1 }),
          podIPPoolSelector: labelSelector('pod IP pools to announce'),
          serviceAdvertisements: list(text({ enum: addressTypes }), { default: ['LoadBalancerIP'] }),
          serviceSelector: labelSelector('services to announce'),
        },
        ['localASN', 'neighbors'],
      ),
      { minItems: 1 },
    ),
  },
  ['virtualRouters'],
);

const ipPattern =
  '((^\\s*((([0-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])\\.){3}([0-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5]))\\s*$)|(^\\s*((([0-9A-Fa-f]{1,4}:){7}([0-9A-Fa-f]{1,4}|:))|(([0-9A-Fa-f]{1,4}:){6}(:[0-9A-Fa-f]{1,4}|((25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)(\\.(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)){3})|:))|(([0-9A-Fa-f]{1,4}:){5}(((:[0-9A-Fa-f]{1,4}){1,2})|:((25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)(\\.(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)){3})|:))|(([0-9A-Fa-f]{1,4}:){4}(((:[0-9A-Fa-f]{1,4}){1,3})|((:[0-9A-Fa-f]{1,4})?:((25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)(\\.(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)){3}))|:))|(([0-9A-Fa-f]{1,4}:){3}(((:[0-9A-Fa-f]{1,4}){1,4})|((:[0-9A-Fa-f]{1,4}){0,2}:((25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)(\\.(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)){3}))|:))|(([0-9A-Fa-f]{1,4}:){2}(((:[0-9A-Fa-f]{1,4}){1,5})|((:[0-9A-Fa-f]{1,4}){0,3}:((25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)(\\.(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)){3}))|:))|(([0-9A-Fa-f]{1,4}:){1}(((:[0-9A-Fa-f]{1,4}){1,6})|((:[0-9A-Fa-f]{1,4}){0,4}:((25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)(\\.(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)){3}))|:))|(:(((:[0-9A-Fa-f]{1,4}){1,7})|((:[0-9A-Fa-f]{1,4}){0,5}:((25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)(\\.(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)){3}))|:)))(%.+)?\\s*$))';

const peerName = text({ maxLength: 255, minLength: 1 });

/** v2 dropped two fields that nothing ever read. */
const peerConfigRef = (isV2: boolean): Schema =>
  isV2
    ? object({ name: text() }, ['name'])
    : object({ group: text({ default: 'cilium.io' }), kind: text({ default: 'CiliumBGPPeerConfig' }), name: text() }, ['name']);

/** The only mode of 1.18 and 1.19; v2alpha1 does not have it. */
const autoDiscovery: Schema = object(
  {
    defaultGateway: object({ addressFamily: text({ enum: ['ipv4', 'ipv6'] }) }, ['addressFamily']),
    mode: text({ enum: ['DefaultGateway'] }),
  },
  ['mode'],
);

function clusterConfigSpec(version: CiliumVersion, isV2: boolean): Schema {
  // Since 1.17 an absent AS number is 0, which accepts whatever the peer's OPEN says.
  const peerAsn = isAtLeast(version, 17) ? { ...asn(0), default: 0 } : asn(1);
  const peer = object(
    {
      ...(isV2 ? { autoDiscovery } : {}),
      name: peerName,
      peerASN: peerAsn,
      peerAddress: text({ pattern: ipPattern }),
      peerConfigRef: peerConfigRef(isV2),
    },
    ['name'],
  );
  const instance = object(
    {
      localASN: asn(1),
      ...(isAtLeast(version, 18) ? { localPort: port(undefined) } : {}),
      name: peerName,
      peers: mapByKeys(peer, ['name']),
    },
    ['name'],
  );
  return object(
    {
      bgpInstances: mapByKeys(instance, ['name'], { minItems: 1, maxItems: 16 }),
      nodeSelector: labelSelector('nodes that this configuration is for'),
    },
    ['bgpInstances'],
  );
}

const peerConfigSpec = (version: CiliumVersion, isV2: boolean): Schema =>
  object({
    authSecretRef: text(),
    ebgpMultihop: integer(1, 255, { format: 'int32', default: 1 }),
    families: list(object({ ...familyFields, advertisements: labelSelector('advertisements of this family') }, ['afi', 'safi'])),
    gracefulRestart: object({ enabled: boolean(), restartTimeSeconds: integer(1, 4095, { format: 'int32', default: 120 }) }, ['enabled']),
    timers: object(
      {
        connectRetryTimeSeconds: integer(1, 2147483647, { format: 'int32', default: 120 }),
        holdTimeSeconds: integer(3, 65535, { format: 'int32', default: 90 }),
        keepAliveTimeSeconds: integer(1, 65535, { format: 'int32', default: 30 }),
      },
      [],
      rules(
        isAtLeast(version, 18)
          ? [['self.keepAliveTimeSeconds <= self.holdTimeSeconds', 'keepAliveTimeSeconds can not be larger than holdTimeSeconds']]
          : [],
      ),
    ),
    transport: object({
      // The default went with a patch of 1.16.
      ...(isV2 ? {} : { localPort: port(isBefore(version, 16, 1) ? 179 : undefined) }),
      peerPort: port(179),
      ...(isV2 && isAtLeast(version, 19) ? { sourceInterface: text() } : {}),
    }),
  });

/** Rules came with 1.18, those on interfaces and the converse ones with 1.19, for v2 only. */
function advertisementRules(version: CiliumVersion, isV2: boolean): readonly (readonly [string, string])[] {
  if (!isAtLeast(version, 18)) return [];
  const has = (field: string, type: string): readonly (readonly [string, string])[] => [
    [`self.advertisementType != '${type}' || has(self.${field})`, `${field} field is required for the '${type}' advertisementType`],
    [`self.advertisementType == '${type}' || !has(self.${field})`, `${field} field is not allowed for non-'${type}' advertisementType`],
  ];
  const noSelector = [
    "self.advertisementType != 'PodCIDR' || !has(self.selector)",
    "selector field is not allowed for the 'PodCIDR' advertisementType",
  ] as const;
  if (isV2 && isAtLeast(version, 19)) return [...has('service', 'Service'), ...has('interface', 'Interface'), noSelector];
  return [...has('service', 'Service').slice(0, 1), noSelector];
}

function advertisementSpec(version: CiliumVersion, isV2: boolean): Schema {
  const hasInterface = isV2 && isAtLeast(version, 19);
  const types = ['PodCIDR', 'CiliumPodIPPool', 'Service', ...(hasInterface ? ['Interface'] : [])];
  const aggregation = isAtLeast(version, 18) ? { aggregationLengthIPv4: integer(0, 31), aggregationLengthIPv6: integer(0, 127) } : {};
  return object(
    {
      advertisements: list(
        object(
          {
            advertisementType: text({ enum: types }),
            attributes: object({ communities, localPreference: integer(undefined, undefined, { format: 'int64' }) }),
            ...(hasInterface ? { interface: object({ name: text() }, ['name']) } : {}),
            selector: labelSelector('objects of the type to announce'),
            service: object(
              { addresses: list(text({ enum: addressTypes }), { minItems: 1 }), ...aggregation },
              isAtLeast(version, 17) ? ['addresses'] : [],
            ),
          },
          ['advertisementType'],
          rules(advertisementRules(version, isV2)),
        ),
      ),
    },
    ['advertisements'],
  );
}

const nodeConfigSpec = (version: CiliumVersion, isV2: boolean): Schema =>
  object(
    {
      bgpInstances: mapByKeys(
        object(
          {
            localASN: asn(1),
            localPort: port(undefined),
            name: peerName,
            peers: mapByKeys(
              object(
                {
                  ...(isV2 ? { autoDiscovery } : {}),
                  localAddress: text({ pattern: ipPattern }),
                  name: text(),
                  peerASN: asn(isAtLeast(version, 17) ? 0 : 1),
                  peerAddress: text({ pattern: ipPattern }),
                  peerConfigRef: peerConfigRef(isV2),
                },
                ['name'],
              ),
              ['name'],
            ),
            routerID: text({ format: 'ipv4' }),
          },
          ['name'],
        ),
        ['name'],
        { minItems: 1, maxItems: 16 },
      ),
    },
    ['bgpInstances'],
  );

const int32 = integer(undefined, undefined, { format: 'int32' });
const int64 = integer(undefined, undefined, { format: 'int64' });
const peerTimers = object({ appliedHoldTimeSeconds: int32, appliedKeepaliveSeconds: int32 });
const nodeConfigStatus = (version: CiliumVersion): Schema =>
  object({
    bgpInstances: mapByKeys(
      object(
        {
          localASN: int64,
          name: text(),
          peers: mapByKeys(
            object(
              {
                name: text(),
                peerASN: int64,
                peerAddress: text(),
                peeringState: text(),
                timers: peerTimers,
                ...(!isBefore(version, 16, 2)
                  ? {
                      establishedTime: text(),
                      routeCount: list(object({ ...familyFields, advertised: int32, received: int32 }, ['afi', 'safi'])),
                    }
                  : { routesAdvertised: int32, routesReceived: int32, uptime: text() }),
              },
              ['name', 'peerAddress'],
            ),
            ['name'],
          ),
        },
        ['name'],
      ),
      ['name'],
    ),
    ...(isAtLeast(version, 18) ? conditions.properties : {}),
  });

function overrideSpec(version: CiliumVersion): Schema {
  // Upstream bounds neither port.
  const peer = object({ localAddress: text({ pattern: ipPattern }), localPort: int32, name: peerName }, ['name']);
  return object(
    {
      bgpInstances: mapByKeys(
        object(
          {
            ...(isAtLeast(version, 18) ? { localASN: asn(1) } : {}),
            localPort: int32,
            name: peerName,
            peers: mapByKeys(peer, ['name']),
            routerID: text({ format: 'ipv4' }),
          },
          ['name'],
        ),
        ['name'],
        { minItems: 1 },
      ),
    },
    ['bgpInstances'],
  );
}

/** The BGP kinds of a release; section 1.1 and 2.1 of the reference. */
export function bgpResources(version: CiliumVersion): readonly CustomResource[] {
  const common = { group: 'cilium.io', isNamespaced: false, categories: ['cilium', 'ciliumbgp'] };
  const versioned = (kind: string, make: (isV2: boolean) => { spec: Schema; status: Schema | undefined }): CustomResource['versions'] => {
    const older = make(false);
    const v2alpha1 = {
      name: 'v2alpha1',
      schema: resource(kind, older.spec, older.status, ['metadata', 'spec']),
      printerColumns: [ageColumn],
      hasStatus: older.status !== undefined,
    };
    if (!isAtLeast(version, 18)) return [v2alpha1];
    const newer = make(true);
    return [
      {
        name: 'v2',
        schema: resource(kind, newer.spec, newer.status, ['metadata', 'spec']),
        printerColumns: [ageColumn],
        hasStatus: newer.status !== undefined,
      },
      { ...v2alpha1, deprecationWarning: `cilium.io/v2alpha1 ${kind} is deprecated; use cilium.io/v2 ${kind}` },
    ];
  };
  const conditionStatus = isAtLeast(version, 17) ? conditions : undefined;
  const result: CustomResource[] = [];
  if (!isAtLeast(version, 19)) {
    result.push({
      ...common,
      kind: 'CiliumBGPPeeringPolicy',
      plural: 'ciliumbgppeeringpolicies',
      singular: 'ciliumbgppeeringpolicy',
      shortNames: ['bgpp'],
      versions: [
        {
          name: 'v2alpha1',
          schema: resource('CiliumBGPPeeringPolicy', peeringPolicySpec, undefined, ['metadata']),
          printerColumns: [ageColumn],
          hasStatus: false,
          ...(isAtLeast(version, 18)
            ? {
                deprecationWarning:
                  'cilium.io/v2alpha1 CiliumBGPPeeringPolicy is deprecated; use cilium.io/v2 CRDs (CiliumBGPClusterConfig, CiliumBGPPeerConfig, CiliumBGPAdvertisement, CiliumBGPNodeConfigOverride) to configure BGP.',
              }
            : {}),
        },
      ],
    });
  }
  result.push(
    {
      ...common,
      kind: 'CiliumBGPClusterConfig',
      plural: 'ciliumbgpclusterconfigs',
      singular: 'ciliumbgpclusterconfig',
      shortNames: ['cbgpcluster'],
      versions: versioned('CiliumBGPClusterConfig', (isV2) => ({ spec: clusterConfigSpec(version, isV2), status: conditionStatus })),
    },
    {
      ...common,
      kind: 'CiliumBGPPeerConfig',
      plural: 'ciliumbgppeerconfigs',
      singular: 'ciliumbgppeerconfig',
      shortNames: ['cbgppeer'],
      versions: versioned('CiliumBGPPeerConfig', (isV2) => ({ spec: peerConfigSpec(version, isV2), status: conditionStatus })),
    },
    {
      ...common,
      kind: 'CiliumBGPAdvertisement',
      plural: 'ciliumbgpadvertisements',
      singular: 'ciliumbgpadvertisement',
      shortNames: ['cbgpadvert'],
      versions: versioned('CiliumBGPAdvertisement', (isV2) => ({ spec: advertisementSpec(version, isV2), status: undefined })),
    },
    {
      ...common,
      kind: 'CiliumBGPNodeConfig',
      plural: 'ciliumbgpnodeconfigs',
      singular: 'ciliumbgpnodeconfig',
      shortNames: ['cbgpnode'],
      versions: versioned('CiliumBGPNodeConfig', (isV2) => ({ spec: nodeConfigSpec(version, isV2), status: nodeConfigStatus(version) })),
    },
    {
      ...common,
      kind: 'CiliumBGPNodeConfigOverride',
      plural: 'ciliumbgpnodeconfigoverrides',
      singular: 'ciliumbgpnodeconfigoverride',
      shortNames: ['cbgpnodeoverride'],
      versions: versioned('CiliumBGPNodeConfigOverride', () => ({ spec: overrideSpec(version), status: undefined })),
    },
  );
  return result;
}
