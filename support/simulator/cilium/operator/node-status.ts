import { isPodReady, type Node, type Pod, timestamp } from '../../kubernetes/objects.ts';
import { ciliumNamespace } from '../objects.ts';
import type { OperatorContext, OperatorPart } from './operator-context.ts';

/**
 * Tells Kubernetes that a node has its network: the condition NetworkUnavailable becomes False (reason CiliumIsUp) and
 * the taint that keeps pods away is taken off, once the agent's pod of the node is ready.
 */
export function startNodeStatus({ api, clock, config }: OperatorContext): OperatorPart {
  const taintKey = config.get('agent-not-ready-taint-key') ?? 'node.cilium.io/agent-not-ready';
  const done = new Set<string>();
  const mark = (name: string) => {
    const node = api.get<Node>('nodes', name);
    if (node === undefined) return;
    done.add(name);
    const others = (node.status.conditions ?? []).filter(({ type }) => type !== 'NetworkUnavailable');
    const old = (node.status.conditions ?? []).find(({ type }) => type === 'NetworkUnavailable');
    if (old?.reason !== 'CiliumIsUp') {
      const time = timestamp(clock.now());
      const condition = {
        type: 'NetworkUnavailable',
        status: 'False',
        lastHeartbeatTime: time,
        lastTransitionTime: time,
        reason: 'CiliumIsUp',
        message: 'Cilium is running on this node',
      };
      api.patch('nodes', name, undefined, { status: { conditions: [condition, ...others] } }, { subresource: 'status' });
    }
    const taints = node.spec.taints ?? [];
    if (taints.some(({ key }) => key === taintKey)) {
      const rest = taints.filter(({ key }) => key !== taintKey);
      api.patch('nodes', name, undefined, { spec: { taints: rest.length > 0 ? rest : null } });
    }
  };
  const look = (pod: Pod) => {
    if (pod.metadata.labels?.['k8s-app'] !== 'cilium' || pod.metadata.namespace !== ciliumNamespace) return;
    const name = pod.spec.nodeName;
    if (name !== undefined && !done.has(name) && isPodReady(pod)) mark(name);
  };
  const stop = api.watch<Pod>('pods', ({ type, object }) => {
    if (type !== 'DELETED') look(object);
  });
  for (const pod of api.list<Pod>('pods', { namespace: ciliumNamespace, labels: { matchLabels: { 'k8s-app': 'cilium' } } })) look(pod);
  return { stop };
}
