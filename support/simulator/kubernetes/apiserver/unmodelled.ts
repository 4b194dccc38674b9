import { parsePlainCommand } from '../../docker/programs/plain-script.ts';
import type { ObjectInput } from '../types.ts';

/** Objects that are stored, but that nothing here acts upon. */
const unmodelledKinds: Readonly<Record<string, string>> = {
  ResourceQuota: 'ResourceQuota is stored, but not enforced',
  LimitRange: 'LimitRange is stored, but not enforced',
  HorizontalPodAutoscaler: 'HorizontalPodAutoscaler is stored, but nothing is scaled',
  PersistentVolumeClaim: 'PersistentVolumeClaim is stored, but no volume is provisioned',
  PersistentVolume: 'PersistentVolume is stored, but nothing is bound to it',
  ReplicationController: 'ReplicationController is stored, but no pods are started',
  Ingress: 'Ingress is stored, but no controller serves it',
};

type Tree = { readonly [key: string]: unknown };
const treeOf = (value: unknown): Tree => (typeof value === 'object' && value !== null ? (value as Tree) : {});
const itemsOf = (value: unknown): readonly Tree[] => (Array.isArray(value) ? value.map(treeOf) : []);

/** What of an object the simulator does not do, a sentence each: the server answers a write with them as warnings. */
export function unmodelledParts(object: ObjectInput): readonly string[] {
  const said: string[] = [];
  const kind = unmodelledKinds[object.kind];
  if (kind !== undefined) said.push(kind);
  const spec = treeOf(object['spec']);
  // Looked at before anything else is: it may be no object at all.
  const mode = treeOf(treeOf(object.metadata)['annotations'])['service.kubernetes.io/topology-mode'];
  if (object.kind === 'Service' && String(mode).toLowerCase() === 'auto')
    said.push('topology aware routing; no endpoint gets a hint of its zone');
  const zone = spec['timeZone'];
  if (object.kind === 'CronJob' && typeof zone === 'string' && !['UTC', 'Etc/UTC', 'GMT'].includes(zone))
    said.push(`time zones; the schedule of the CronJob is read as UTC, not ${zone}`);
  if (object.kind === 'Job' && spec['completionMode'] === 'Indexed') said.push('indexed completion of Jobs; their pods have no index');
  const pod = object.kind === 'Pod' ? spec : treeOf(treeOf(spec['template'])['spec']);
  for (const container of [...itemsOf(pod['initContainers']), ...itemsOf(pod['containers'])]) {
    for (const probe of ['livenessProbe', 'readinessProbe', 'startupProbe']) {
      const { exec, grpc, httpGet } = treeOf(container[probe]);
      const command = treeOf(exec)['command'];
      if (exec !== undefined && parsePlainCommand(Array.isArray(command) ? command.map(String) : []) === undefined)
        said.push(
          `the command of an exec probe beyond plain work on files; the ${probe} of container ${String(container['name'])} always holds`,
        );
      if (grpc !== undefined)
        said.push(`gRPC health checks; the ${probe} of container ${String(container['name'])} looks at the port only`);
      if (treeOf(httpGet)['scheme'] === 'HTTPS')
        said.push(`TLS; the ${probe} of container ${String(container['name'])} looks at the port only`);
    }
  }
  if (pod['hostNetwork'] === true && pod['dnsPolicy'] === 'ClusterFirstWithHostNet')
    said.push('dnsPolicy ClusterFirstWithHostNet; a pod in the network of its node resolves names as the node does');
  for (const volume of itemsOf(pod['volumes'])) {
    if (volume['persistentVolumeClaim'] !== undefined) said.push(`persistent volumes; volume ${String(volume['name'])} is empty`);
  }
  if (object.kind === 'StatefulSet' && itemsOf(spec['volumeClaimTemplates']).length > 0)
    said.push('volumeClaimTemplates; no claims are made');
  return said.map((text) => `not simulated: ${text}`);
}
