import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseVersion } from '../version.ts';
import { renderConfig } from './config-map.ts';
import { readValues } from './values.ts';
import { renderObjects } from './workloads.ts';

const render = (values: unknown, version = '1.16.0') =>
  renderConfig(readValues(values, parseVersion(version)).values, parseVersion(version));

describe('cilium-config', () => {
  it('has the longest key of the real one, which sets the width of `cilium config view`', () => {
    expect(Math.max(...Object.keys(render({})).map((key) => key.length))).toBe(46);
  });

  it.each<{ name: string; values: unknown; key: string; value: string | undefined; version?: string }>([
    { name: 'IPv6 is off by default', values: undefined, key: 'enable-ipv6', value: 'false' },
    { name: 'the default IPAM has the default pool', values: {}, key: 'cluster-pool-ipv4-cidr', value: '10.0.0.0/8' },
    { name: 'IPAM by Kubernetes has no pool', values: { ipam: { mode: 'kubernetes' } }, key: 'cluster-pool-ipv4-cidr', value: undefined },
    { name: 'routing is a tunnel by default', values: {}, key: 'routing-mode', value: 'tunnel' },
    { name: 'native routing', values: { routingMode: 'native' }, key: 'routing-mode', value: 'native' },
    { name: 'a boolean for kubeProxyReplacement', values: { kubeProxyReplacement: true }, key: 'kube-proxy-replacement', value: 'true' },
    { name: 'BGP is absent while it is off', values: {}, key: 'enable-bgp-control-plane', value: undefined },
    { name: 'BGP', values: { bgpControlPlane: { enabled: true } }, key: 'bgp-secrets-namespace', value: 'kube-system' },
    {
      name: 'L2 announcements with their timing',
      values: { l2announcements: { enabled: true, leaseDuration: '3s' } },
      key: 'l2-announcements-lease-duration',
      value: '3s',
    },
    { name: 'egress gateway', values: { egressGateway: { enabled: true } }, key: 'enable-ipv4-egress-gateway', value: 'true' },
    { name: 'BPF masquerading is absent unless it is chosen', values: {}, key: 'enable-bpf-masquerade', value: undefined },
    { name: 'BPF masquerading', values: { bpf: { masquerade: true } }, key: 'enable-bpf-masquerade', value: 'true' },
    {
      name: 'external IPs need no flag with kube-proxy replaced',
      values: { kubeProxyReplacement: 'true' },
      key: 'enable-external-ips',
      value: undefined,
    },
    { name: 'who serves services without a class came with 1.17', values: {}, key: 'default-lb-service-ipam', value: undefined },
    { name: 'who serves services without a class, 1.17', version: '1.17.0', values: {}, key: 'default-lb-service-ipam', value: 'lbipam' },
    {
      name: 'an unknown value is ignored',
      values: { bgpControlPlan: { enabled: true } },
      key: 'enable-bgp-control-plane',
      value: undefined,
    },
    { name: 'null leaves the default of a value', values: { ipv4: { enabled: null } }, key: 'enable-ipv4', value: 'true' },
  ])('$name', ({ values, key, value, version }) => {
    expect(render(values, version)[key]).toBe(value);
  });
});

describe('what Helm renders', () => {
  interface Line {
    readonly defaults?: Readonly<Record<string, string>>;
    readonly values?: unknown;
    readonly set?: Readonly<Record<string, string>>;
    readonly gone?: readonly string[];
  }
  const folder = fileURLToPath(new URL('../../../testdata/cilium-config/', import.meta.url));
  const releases = readdirSync(folder)
    .filter((name) => name.endsWith('.jsonl'))
    .map((name) => name.replace('.jsonl', ''));
  it.each(releases)('of %s is what is rendered here', (release) => {
    const lines = readFileSync(`${folder}${release}.jsonl`, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Line);
    const { defaults } = lines[0] as { defaults: Record<string, string> };
    const wrong = lines.flatMap(({ values = {}, set, gone = [] }) => {
      const expected = { ...defaults, ...set };
      for (const key of gone) delete expected[key];
      const actual = render(values, release);
      return [...new Set([...Object.keys(expected), ...Object.keys(actual)])]
        .filter((key) => expected[key] !== actual[key])
        .map((key) => ({ values: JSON.stringify(values), key, expected: expected[key], actual: actual[key] }));
    });
    expect(wrong).toEqual([]);
  });
});

describe('values', () => {
  it.each<{ name: string; values: unknown; problem: string; version?: string }>([
    {
      name: 'a string for a boolean',
      values: { bgpControlPlane: { enabled: 'yes' }, operator: { replicas: '2' } },
      problem:
        "values don't meet the specifications of the schema(s) in the following chart(s):\ncilium:\n- bgpControlPlane.enabled: Invalid type. Expected: boolean, given: string\n- operator.replicas: Invalid type. Expected: integer, given: string",
    },
    {
      name: 'a scalar for a mapping',
      values: { hubble: true },
      problem:
        "values don't meet the specifications of the schema(s) in the following chart(s):\ncilium:\n- hubble: Invalid type. Expected: object, given: boolean",
    },
    {
      name: 'the Hubble UI without the relay',
      values: { hubble: { ui: { enabled: true } } },
      problem: 'Hubble UI requires .Values.hubble.relay.enabled=true',
    },
    {
      name: 'a word for kubeProxyReplacement',
      values: { kubeProxyReplacement: 'strict' },
      problem: 'kubeProxyReplacement must be explicitly set to a valid value (true or false) to continue.',
    },
    {
      name: 'a number where there may be a truth or nothing',
      values: { bpf: { masquerade: 1 } },
      problem:
        "values don't meet the specifications of the schema(s) in the following chart(s):\ncilium:\n- bpf.masquerade: Invalid type. Expected: [null,boolean], given: integer",
    },
    {
      name: 'a name of clusters that DNS would not take',
      values: { cluster: { name: 'East_1' } },
      problem:
        "The cluster name is invalid: must consist of lower case alphanumeric characters and '-', and must start and end with an alphanumeric character. Configure 'upgradeCompatibility' to 1.15 or earlier to temporarily skip this check at your own risk",
    },
    {
      name: 'the default name with a number',
      values: { cluster: { id: 5 } },
      problem: 'The cluster name is invalid: cannot use default value with cluster.id != 0',
    },
    {
      name: 'the pool under its old name',
      values: { ipam: { operator: { clusterPoolIPv4PodCIDR: '192.0.2.0/24' } } },
      problem: 'Value ipam.operator.clusterPoolIPv4PodCIDR removed, use ipam.operator.clusterPoolIPv4PodCIDRList instead',
    },
    {
      name: 'the old BGP speaker without anything to announce',
      values: { bgp: { enabled: true } },
      problem: 'BGP was enabled, but no announcements were enabled. Please enable one or more announcements.',
    },
    {
      name: 'an extra option that is no text',
      values: { extraConfig: { 'bpf-lb-sock': true } },
      problem:
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal bool into Go struct field ConfigMap.data of type string',
    },
    {
      name: 'a section without anything',
      values: { ipv4: null },
      problem: "ipv4: null takes away what the chart's templates look into",
    },
    {
      name: 'words of before 1.15, in 1.17',
      version: '1.17.0',
      values: { tunnel: 'disabled' },
      problem:
        'tunnel was deprecated in v1.14 and has been removed in v1.15. For details please refer to https://docs.cilium.io/en/v1.15/operations/upgrade/#helm-options',
    },
    {
      name: 'native routing of a family without its network, in 1.18',
      version: '1.18.0',
      values: { routingMode: 'native', ipv6: { enabled: true } },
      problem: 'ipv6NativeRoutingCIDR must be set when routingMode is native',
    },
    { name: 'a list instead of a mapping', values: [], problem: 'Helm values must be a mapping, not array' },
  ])('refuses $name', ({ values, problem, version = '1.16.0' }) => {
    expect(() => readValues(values, parseVersion(version))).toThrow(expect.objectContaining({ shortMessage: problem, fault: 'content' }));
  });

  it('names further options that nothing acts on, and not those that something does', () => {
    const values = { extraConfig: { labels: 'k8s:app', 'bpf-lb-rss-ipv4-src-cidr': '192.0.2.0/24' }, policyEnforcementMode: 'always' };
    expect(readValues(values, parseVersion('1.16.0')).unmodelled).toEqual([
      'not simulated: the option bpf-lb-rss-ipv4-src-cidr (Helm value extraConfig.bpf-lb-rss-ipv4-src-cidr="192.0.2.0/24")',
    ]);
  });

  it('names what it does not model', () => {
    expect(
      readValues(
        { encryption: { enabled: true }, loadBalancer: { mode: 'dsr' }, hubble: { relay: { enabled: true } } },
        parseVersion('1.16.0'),
      ).unmodelled,
    ).toEqual([
      'not simulated: transparent encryption (Helm value encryption.enabled=true)',
      'not simulated: DSR (SNAT is used) (Helm value loadBalancer.mode="dsr")',
    ]);
  });
});

describe('objects', () => {
  const names = (values: unknown) =>
    renderObjects(readValues(values, parseVersion('1.16.0')).values, parseVersion('1.16.0')).map(
      ({ kind, metadata }) => `${kind}/${metadata.name}`,
    );
  it('are the small set by default', () => {
    expect(names({})).toEqual([
      'ServiceAccount/cilium',
      'ServiceAccount/cilium-envoy',
      'ServiceAccount/cilium-operator',
      'Service/cilium-envoy',
      'Service/hubble-peer',
      'DaemonSet/cilium',
      'DaemonSet/cilium-envoy',
      'Deployment/cilium-operator',
    ]);
  });
  it('have relay and UI where they are on', () => {
    expect(names({ envoy: { enabled: false }, hubble: { relay: { enabled: true }, ui: { enabled: true } } })).toEqual([
      'ServiceAccount/cilium',
      'ServiceAccount/cilium-operator',
      'ServiceAccount/hubble-relay',
      'ServiceAccount/hubble-ui',
      'Service/hubble-peer',
      'Service/hubble-relay',
      'Service/hubble-ui',
      'DaemonSet/cilium',
      'Deployment/cilium-operator',
      'Deployment/hubble-relay',
      'Deployment/hubble-ui',
    ]);
  });
});

describe('versions', () => {
  it.each([
    ['1.16.0', '1.16.0'],
    ['v1.18.2', '1.18.2'],
    ['1.17.0-rc.1', '1.17.0-rc.1'],
  ])('%s is read', (text, canonical) => expect(parseVersion(text).text).toBe(canonical));
  it.each(['1.15.3', '2.0.0', 'latest', '1.16'])('%s is refused', (text) =>
    expect(() => parseVersion(text)).toThrow(expect.objectContaining({ fault: 'content' })),
  );
});
