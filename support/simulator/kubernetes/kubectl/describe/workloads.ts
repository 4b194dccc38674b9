import { rfc1123 } from '../age.ts';
import { at, byText, type Dict, listAt, nameOf, numberAt, stringsAt, textAt } from '../values.ts';
import { writeLimits, writeQuota } from './limits.ts';
import { controllerOf, selectorText, writeAnnotations, writeHead, writeLabels, writeMap, writePodTemplate } from './parts.ts';
import type { DescribeWriter } from './writer.ts';

export function describeDeployment(writer: DescribeWriter, deployment: Dict, replicaSets: readonly Dict[]): void {
  const status = (field: string): number => numberAt(deployment, 'status', field);
  const desired = numberAt(deployment, 'spec', 'replicas');
  writer.line(0, 'Name:', nameOf(deployment));
  writer.line(0, 'Namespace:', textAt(deployment, 'metadata', 'namespace'));
  writer.line(0, 'CreationTimestamp:', rfc1123(at(deployment, 'metadata', 'creationTimestamp')));
  writeLabels(writer, deployment);
  writeAnnotations(writer, stringsAt(deployment, 'metadata', 'annotations'));
  writer.line(0, 'Selector:', selectorText(at(deployment, 'spec', 'selector')));
  writer.line(
    0,
    'Replicas:',
    `${desired} desired | ${status('updatedReplicas')} updated | ${status('replicas')} total | ${status('availableReplicas')} available | ${status('unavailableReplicas')} unavailable`,
  );
  writer.line(0, 'StrategyType:', textAt(deployment, 'spec', 'strategy', 'type'));
  writer.line(0, 'MinReadySeconds:', String(numberAt(deployment, 'spec', 'minReadySeconds')));
  const rolling = at(deployment, 'spec', 'strategy', 'rollingUpdate');
  if (rolling !== undefined)
    writer.line(
      0,
      'RollingUpdateStrategy:',
      `${String(at(rolling, 'maxUnavailable'))} max unavailable, ${String(at(rolling, 'maxSurge'))} max surge`,
    );
  writePodTemplate(writer, at(deployment, 'spec', 'template'));
  writeConditions(writer, deployment);
  const owned = replicaSets.filter((set) =>
    listAt(set, 'metadata', 'ownerReferences').some((owner) => textAt(owner, 'uid') === textAt(deployment, 'metadata', 'uid')),
  );
  const revision = stringsAt(deployment, 'metadata', 'annotations')['deployment.kubernetes.io/revision'];
  const newest = owned.find((set) => stringsAt(set, 'metadata', 'annotations')['deployment.kubernetes.io/revision'] === revision);
  const text = (sets: readonly Dict[]): string =>
    sets.length === 0
      ? '<none>'
      : sets
          .map((set) => `${nameOf(set)} (${numberAt(set, 'status', 'replicas')}/${numberAt(set, 'spec', 'replicas')} replicas created)`)
          .join(', ');
  const old = owned
    .filter((set) => set !== newest)
    .sort((a, b) => byText(textAt(a, 'metadata', 'creationTimestamp'), textAt(b, 'metadata', 'creationTimestamp')));
  if (owned.length === 0) return;
  writer.line(0, 'OldReplicaSets:', text(old));
  writer.line(0, 'NewReplicaSet:', text(newest === undefined ? [] : [newest]));
}

export function describeReplicaSet(writer: DescribeWriter, set: Dict, pods: readonly Dict[]): void {
  writer.line(0, 'Name:', nameOf(set));
  writer.line(0, 'Namespace:', textAt(set, 'metadata', 'namespace'));
  writer.line(0, 'Selector:', selectorText(at(set, 'spec', 'selector')));
  writeLabels(writer, set);
  writeAnnotations(writer, stringsAt(set, 'metadata', 'annotations'));
  const controller = controllerOf(set);
  if (controller !== undefined) writer.line(0, 'Controlled By:', controller);
  writer.line(0, 'Replicas:', `${numberAt(set, 'status', 'replicas')} current / ${numberAt(set, 'spec', 'replicas')} desired`);
  writePodCounts(writer, pods);
  writePodTemplate(writer, at(set, 'spec', 'template'));
  writeConditions(writer, set);
}

export function describeDaemonSet(writer: DescribeWriter, set: Dict, pods: readonly Dict[]): void {
  const status = (field: string): string => String(numberAt(set, 'status', field));
  writer.line(0, 'Name:', nameOf(set));
  writer.line(0, 'Selector:', selectorText(at(set, 'spec', 'selector')));
  writeMap(writer, 'Node-Selector', stringsAt(set, 'spec', 'template', 'spec', 'nodeSelector'));
  writeLabels(writer, set);
  writeAnnotations(writer, stringsAt(set, 'metadata', 'annotations'));
  writer.line(0, `Desired Number of Nodes Scheduled: ${status('desiredNumberScheduled')}`);
  writer.line(0, `Current Number of Nodes Scheduled: ${status('currentNumberScheduled')}`);
  writer.line(0, `Number of Nodes Scheduled with Up-to-date Pods: ${status('updatedNumberScheduled')}`);
  writer.line(0, `Number of Nodes Scheduled with Available Pods: ${status('numberAvailable')}`);
  writer.line(0, `Number of Nodes Misscheduled: ${status('numberMisscheduled')}`);
  writePodCounts(writer, pods);
  writePodTemplate(writer, at(set, 'spec', 'template'));
}

export function describeStatefulSet(writer: DescribeWriter, set: Dict, pods: readonly Dict[]): void {
  writer.line(0, 'Name:', nameOf(set));
  writer.line(0, 'Namespace:', textAt(set, 'metadata', 'namespace'));
  writer.line(0, 'CreationTimestamp:', rfc1123(at(set, 'metadata', 'creationTimestamp')));
  writer.line(0, 'Selector:', selectorText(at(set, 'spec', 'selector')));
  writeLabels(writer, set);
  writeAnnotations(writer, stringsAt(set, 'metadata', 'annotations'));
  writer.line(0, 'Replicas:', `${numberAt(set, 'spec', 'replicas')} desired | ${numberAt(set, 'status', 'replicas')} total`);
  writer.line(0, 'Update Strategy:', textAt(set, 'spec', 'updateStrategy', 'type'));
  const rolling = at(set, 'spec', 'updateStrategy', 'rollingUpdate');
  if (at(rolling, 'partition') !== undefined) writer.line(1, 'Partition:', String(numberAt(rolling, 'partition')));
  writePodCounts(writer, pods);
  writePodTemplate(writer, at(set, 'spec', 'template'));
  if (listAt(set, 'spec', 'volumeClaimTemplates').length === 0) writer.line(0, 'Volume Claims:', '<none>');
}

function writePodCounts(writer: DescribeWriter, pods: readonly Dict[]): void {
  const count = (phase: string): number => pods.filter((pod) => textAt(pod, 'status', 'phase') === phase).length;
  writer.line(
    0,
    'Pods Status:',
    `${count('Running')} Running / ${count('Pending')} Waiting / ${count('Succeeded')} Succeeded / ${count('Failed')} Failed`,
  );
}

function writeConditions(writer: DescribeWriter, object: Dict): void {
  const conditions = listAt(object, 'status', 'conditions');
  if (conditions.length === 0) return;
  writer.line(0, 'Conditions:');
  writer.line(1, 'Type', 'Status', 'Reason');
  writer.line(1, '----', '------', '------');
  for (const condition of conditions)
    writer.line(1, `${textAt(condition, 'type')} `, textAt(condition, 'status'), textAt(condition, 'reason'));
}

export function describeNamespace(
  writer: DescribeWriter,
  namespace: Dict,
  quotas: readonly Dict[] | undefined,
  ranges: readonly Dict[] | undefined,
): void {
  writeHead(writer, namespace, { isNamespaced: false });
  writer.line(0, 'Status:', textAt(namespace, 'status', 'phase'));
  const conditions = listAt(namespace, 'status', 'conditions');
  if (conditions.length > 0) {
    writer.line(0, 'Conditions:');
    writer.line(1, 'Type', 'Status', 'LastTransitionTime', 'Reason', 'Message');
    writer.line(1, '----', '------', '------------------', '------', '-------');
    for (const condition of conditions) {
      writer.line(
        1,
        textAt(condition, 'type'),
        textAt(condition, 'status'),
        rfc1123(at(condition, 'lastTransitionTime')),
        textAt(condition, 'reason'),
        textAt(condition, 'message'),
      );
    }
  }
  if (quotas !== undefined) writer.write(0, quotas.length === 0 ? '\nNo resource quota.\n' : '\nResource Quotas\n');
  for (const quota of [...(quotas ?? [])].sort((a, b) => byText(nameOf(a), nameOf(b)))) {
    writer.line(1, 'Name:', nameOf(quota));
    writeQuota(writer, quota, 1);
  }
  if (ranges === undefined) return;
  writer.write(0, ranges.length === 0 ? '\nNo LimitRange resource.\n' : '\nResource Limits\n');
  if (ranges.length > 0) writeLimits(writer, ranges, ' ');
}
