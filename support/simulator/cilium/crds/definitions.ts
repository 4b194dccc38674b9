import type { ApiServer, CustomResource } from '../../kubernetes/types.ts';
import type { CiliumConfig, CiliumVersion } from '../types.ts';
import { bgpResources } from './bgp.ts';
import { coreResources, envoyResources, localRedirectResource } from './core.ts';
import { egressGatewayResource, loadBalancingResources } from './load-balancing.ts';

/**
 * The custom resources that an operator of this release registers with this configuration. Those of a feature that
 * is off are missing, so that its manifests fail with `no matches for kind` as they do in reality.
 */
export function customResources(version: CiliumVersion, config: CiliumConfig): readonly CustomResource[] {
  const isOn = (key: string) => config.get(key) === 'true';
  return [
    ...coreResources(version),
    ...loadBalancingResources(version),
    ...(isOn('enable-bgp-control-plane') ? bgpResources(version) : []),
    ...(isOn('enable-ipv4-egress-gateway') || isOn('enable-egress-gateway') ? [egressGatewayResource(version)] : []),
    ...(isOn('enable-envoy-config') ? envoyResources() : []),
    ...(isOn('enable-local-redirect-policy') ? [localRedirectResource()] : []),
  ];
}

const defined = new WeakMap<ApiServer, Set<string>>();

/** Defines what is not defined yet. A CRD stays when its feature is switched off later. */
export function defineCustomResources(server: ApiServer, version: CiliumVersion, config: CiliumConfig): void {
  const known = defined.get(server) ?? new Set<string>();
  defined.set(server, known);
  for (const definition of customResources(version, config)) {
    if (known.has(definition.kind)) continue;
    known.add(definition.kind);
    server.defineCustomResource(definition);
  }
}

/** Whether the operator has registered a kind on this server. */
export function isDefined(server: ApiServer, kind: string): boolean {
  return defined.get(server)?.has(kind) ?? false;
}

/** Whether a release has this kind at all, whatever is switched on. */
export function isKnownKind(version: CiliumVersion, apiVersion: string, kind: string): boolean {
  const everything = [
    ...coreResources(version),
    ...loadBalancingResources(version),
    ...bgpResources(version),
    egressGatewayResource(version),
    ...envoyResources(),
    localRedirectResource(),
  ];
  return everything.some(
    (resource) => resource.kind === kind && resource.versions.some(({ name }) => `${resource.group}/${name}` === apiVersion),
  );
}
