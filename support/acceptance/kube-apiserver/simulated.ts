import { customResources } from '../../simulator/cilium/crds/definitions.ts';
import { SimulatedClock } from '../../simulator/clock/clock.ts';
import { Random } from '../../simulator/clock/random.ts';
import { createApiServer } from '../../simulator/kubernetes/apiserver/server.ts';
import type { Send } from './play.ts';

/** A simulated API server alone, without controllers, as the recorded one was. */
export function simulated(settings: Readonly<Record<string, string>> = {}): Send {
  const server = createApiServer({
    clock: new SimulatedClock(1_767_225_600_000),
    random: new Random('kube-apiserver'),
    version: 'v1.27.3',
    serviceSubnets: ['10.96.0.0/16', 'fd00:10:96::/112'],
    podSubnets: ['10.244.0.0/16'],
  });
  const release = settings['cilium'];
  if (release !== undefined) {
    const [major = 0, minor = 0, patch = 0] = release.split('.').map(Number);
    const features = ['enable-bgp-control-plane', 'enable-ipv4-egress-gateway', 'enable-envoy-config', 'enable-local-redirect-policy'];
    const config = new Map(features.map((feature) => [feature, 'true']));
    for (const definition of customResources({ major, minor, patch, text: release }, config)) server.defineCustomResource(definition);
  }
  server.client.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: 'default' } });
  return (request) => server.handle(request);
}
