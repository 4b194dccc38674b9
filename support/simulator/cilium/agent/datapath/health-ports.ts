import type { Service } from '../../../kubernetes/objects.ts';
import { serveServiceHealth } from '../../../kubernetes/service-health.ts';
import { resources } from '../../objects.ts';
import type { AgentContext } from '../../types.ts';
import type { Kernel } from './kernel.ts';
import type { ClusterServices } from './service-tables.ts';
import { backendsOf } from './services.ts';

/**
 * Health check node ports, which the kube-proxy replacement serves (pkg/service/healthserver).
 * @returns what ends it, the web servers included: they are the agent's own
 */
export function serveHealthPorts({ api, node, config }: AgentContext, kernel: Kernel, services: ClusterServices): () => void {
  if (!kernel.config.replacesKubeProxy || config.get('enable-health-check-nodeport') === 'false') return () => undefined;
  const localEndpoints = (key: string, { spec }: Service): number => {
    const port = spec.ports?.[0];
    const protocol = port?.protocol === 'UDP' ? 'udp' : 'tcp';
    const family = spec.ipFamilies?.[0] === 'IPv6' ? 6 : 4;
    const backends = backendsOf(services.slicesOf(key), { name: port?.name ?? '', protocol }, family);
    return backends.filter(({ nodeName }) => nodeName === node.name).length;
  };
  return serveServiceHealth(
    node.namespace,
    'cilium-agent',
    {
      ports: () => services.healthPorts.keys(),
      at(port) {
        const key = services.healthPorts.get(port);
        if (key === undefined) return undefined;
        const [namespace = '', name = ''] = key.split('/');
        const service = api.get<Service>(resources.service, name, namespace);
        return service === undefined ? undefined : { namespace, name, localEndpoints: localEndpoints(key, service) };
      },
    },
    ({ namespace, name, localEndpoints: count }) => `${JSON.stringify({ service: { namespace, name }, localEndpoints: count })}\n`,
  );
}
