import { ContentError } from '../../../verdict/errors.ts';
import { parsePrefix } from '../../net/address.ts';
import type { CiliumVersion } from '../types.ts';
import { chartProblem } from './chart-checks.ts';
import { type HelmValues, isTree, type Tree } from './chart-defaults.ts';
import { chartDefaults } from './chart-releases.ts';
import { unmodelledValues } from './unmodelled-values.ts';

export type { HelmValues } from './chart-defaults.ts';

/** Values that are mappings of the user's own making: every key is kept. */
const freeForm: ReadonlySet<string> = new Set([
  'extraConfig',
  'gatewayAPI.hostNetwork.nodes.matchLabels',
  'hubble.tls.auto.certManagerIssuerRef',
  'ingressController.hostNetwork.nodes.matchLabels',
  'ipam.operator.autoCreateCiliumPodIPPools',
  'logOptions',
]);

/**
 * Types of values that do not follow from their default, by path: those that are null there, and those that take more
 * than one (values.schema.json of the chart). Where the default is null and nothing stands here, the schema says nothing.
 */
const types: Readonly<Record<string, readonly string[]>> = {
  apiRateLimit: ['null', 'string'],
  'authentication.mutual.spire.serverAddress': ['null', 'string'],
  autoDirectNodeRoutes: ['boolean', 'string'],
  'bpf.authMapMax': ['null', 'integer'],
  'bpf.ctAnyMax': ['null', 'integer'],
  'bpf.ctTcpMax': ['null', 'integer'],
  'bpf.hostLegacyRouting': ['null', 'boolean'],
  'bpf.mapDynamicSizeRatio': ['null', 'number'],
  'bpf.masquerade': ['null', 'boolean'],
  'bpf.natMax': ['null', 'integer'],
  'bpf.neighMax': ['null', 'integer'],
  'bpf.nodeMapMax': ['null', 'integer'],
  'bpf.tproxy': ['null', 'boolean'],
  'bpf.vlanBypass': ['null', 'array'],
  'cni.chainingMode': ['null', 'string'],
  'cni.chainingTarget': ['null', 'string'],
  connectivityProbeFrequencyRatio: ['null', 'number'],
  'debug.verbose': ['null', 'string'],
  'endpointRoutes.enabled': ['boolean', 'string'],
  'envoy.enabled': ['null', 'boolean'],
  'hubble.metrics.enabled': ['null', 'array'],
  'hubble.skipUnknownCGroupIDs': ['null', 'boolean'],
  'image.tag': ['string'],
  'ingressController.defaultSecretName': ['null', 'string'],
  'ingressController.defaultSecretNamespace': ['null', 'string'],
  'ipam.operator.clusterPoolIPv4PodCIDRList': ['array', 'string'],
  'ipam.operator.clusterPoolIPv6PodCIDRList': ['array', 'string'],
  'ipam.operator.externalAPILimitBurstSize': ['null', 'integer'],
  'ipam.operator.externalAPILimitQPS': ['null', 'number'],
  iptablesRandomFully: ['boolean'],
  'k8sClientRateLimit.burst': ['null', 'integer'],
  'k8sClientRateLimit.operator.burst': ['null', 'integer'],
  'k8sClientRateLimit.operator.qps': ['null', 'integer'],
  'k8sClientRateLimit.qps': ['null', 'integer'],
  k8sServicePort: ['string', 'integer'],
  kubeProxyReplacement: ['string', 'boolean'],
  'localRedirectPolicies.addressMatcherCIDRs': ['null', 'array'],
  'nodePort.addresses': ['null', 'string', 'array'],
  'operator.setNodeTaints': ['null', 'boolean'],
  'operator.unmanagedPodWatcher.intervalSeconds': ['integer', 'string'],
  policyCIDRMatchMode: ['null', 'string', 'array'],
  'prometheus.metrics': ['null', 'array'],
  'tls.readSecretsOnlyFromSecretsNamespace': ['null', 'boolean'],
  'tls.secretSync.enabled': ['null', 'boolean'],
  upgradeCompatibility: ['null', 'string'],
};

export interface ReadValues {
  readonly values: HelmValues;
  /** What would change behaviour and is not modelled, a sentence each. */
  readonly unmodelled: readonly string[];
}

function typeOf(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value === 'object' ? 'object' : typeof value;
}

/** Types that a value takes; undefined: any. */
function typesOf(path: string, standard: unknown): readonly string[] | undefined {
  return types[path] ?? (standard === null ? undefined : [typeOf(standard)]);
}

function accepts(expected: readonly string[], actual: string): boolean {
  return expected.includes(actual) || (actual === 'integer' && expected.includes('number'));
}

/**
 * Lays the user's values over the chart's defaults. A key that the chart does not know is kept out without a word,
 * as Helm does; a value of another type is refused in the words of Helm's schema check, and combinations that the
 * templates refuse in theirs.
 * @throws ContentError
 */
export function readValues(input: unknown, version: CiliumVersion): ReadValues {
  if (input !== undefined && input !== null && !isTree(input)) {
    throw new ContentError('cilium/values', `Helm values must be a mapping, not ${typeOf(input)}`);
  }
  const own = input ?? {};
  const problems: string[] = [];
  const lay = (defaults: Tree, given: Tree, path: string): Tree => {
    const merged: Record<string, unknown> = { ...defaults };
    for (const [key, value] of Object.entries(given)) {
      if (!Object.hasOwn(defaults, key) || value === undefined) continue;
      const where = path === '' ? key : `${path}.${key}`;
      const standard = defaults[key];
      // In Helm a null takes the key away: the templates then look into nothing where it was a mapping.
      if (value === null) {
        if (isTree(standard) && !freeForm.has(where)) {
          throw new ContentError('cilium/values', `${where}: null takes away what the chart's templates look into`, {
            hint: 'nil pointer evaluating interface {}',
            fix: 'leave it out, or give what is to be other than the default',
          });
        }
        continue;
      }
      if (isTree(standard)) {
        if (!isTree(value)) problems.push(`${where}: Invalid type. Expected: object, given: ${typeOf(value)}`);
        else merged[key] = freeForm.has(where) ? value : lay(standard, value, where);
        continue;
      }
      const expected = typesOf(where, standard);
      if (expected === undefined || accepts(expected, typeOf(value))) merged[key] = value;
      else {
        const words = expected.length === 1 ? expected[0] : `[${expected.join(',')}]`;
        problems.push(`${where}: Invalid type. Expected: ${words}, given: ${typeOf(value)}`);
      }
    }
    return merged;
  };
  const values = lay(chartDefaults(version) as unknown as Tree, own, '') as unknown as HelmValues;
  if (problems.length > 0) {
    throw new ContentError(
      'cilium/values',
      `values don't meet the specifications of the schema(s) in the following chart(s):\ncilium:\n${problems.map((problem) => `- ${problem}`).join('\n')}`,
    );
  }
  const problem = chartProblem(values, own, version);
  if (problem !== undefined) throw new ContentError('cilium/values', problem);
  for (const [name, text] of [
    ['ipv4NativeRoutingCIDR', values.ipv4NativeRoutingCIDR],
    ['ipv6NativeRoutingCIDR', values.ipv6NativeRoutingCIDR],
  ] as const) {
    // The real agent ends at once with such a value, on every node and for ever.
    if (text !== '' && parsePrefix(text)?.family !== (name.startsWith('ipv4') ? 4 : 6))
      throw new ContentError('cilium/values', `${name}: invalid CIDR address: ${text}`);
  }
  return { values, unmodelled: unmodelledValues(own) };
}
