import { describe, expect, it } from 'vitest';
import { parseVersion } from '../version.ts';
import { renderConfig } from './config-map.ts';
import { readValues } from './values.ts';
import { renderObjects } from './workloads.ts';

const render = (values: unknown, version = '1.16.0') => renderConfig(readValues(values).values, parseVersion(version));

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
    { name: 'an unknown value is ignored', values: { bgp: { enabled: true } }, key: 'enable-bgp-control-plane', value: undefined },
    { name: 'null leaves the default', values: { ipv4: null }, key: 'enable-ipv4', value: 'true' },
  ])('$name', ({ values, key, value, version }) => {
    expect(render(values, version)[key]).toBe(value);
  });
});

describe('values', () => {
  it.each<{ name: string; values: unknown; problem: string }>([
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
      problem: 'hubble.ui.enabled: Hubble UI requires .Values.hubble.relay.enabled=true',
    },
    {
      name: 'a word for kubeProxyReplacement',
      values: { kubeProxyReplacement: 'strict' },
      problem: 'kubeProxyReplacement must be explicitly set to a valid value (true or false) to continue.',
    },
    { name: 'a list instead of a mapping', values: [], problem: 'Helm values must be a mapping, not array' },
  ])('refuses $name', ({ values, problem }) => {
    expect(() => readValues(values)).toThrow(expect.objectContaining({ shortMessage: problem, fault: 'content' }));
  });

  it('names what it does not model', () => {
    expect(
      readValues({ encryption: { enabled: true }, loadBalancer: { mode: 'dsr' }, hubble: { relay: { enabled: true } } }).unmodelled,
    ).toEqual([
      'not simulated: transparent encryption (Helm value encryption.enabled=true)',
      'not simulated: DSR (SNAT is used) (Helm value loadBalancer.mode="dsr")',
    ]);
  });
});

describe('objects', () => {
  const names = (values: unknown) =>
    renderObjects(readValues(values).values, parseVersion('1.16.0')).map(({ kind, metadata }) => `${kind}/${metadata.name}`);
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
