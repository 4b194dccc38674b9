import { ageOf, rfc1123 } from '../age.ts';
import { at, type Dict, isDict, listAt, numberAt, stringsAt, textAt } from '../values.ts';
import { controllerOf, writeAnnotations, writeContainers, writeLabels, writeMap, writeTolerations, writeVolumes } from './parts.ts';
import type { DescribeWriter } from './writer.ts';

export function describePod(writer: DescribeWriter, pod: Dict, now: number): void {
  writer.line(0, 'Name:', textAt(pod, 'metadata', 'name'));
  writer.line(0, 'Namespace:', textAt(pod, 'metadata', 'namespace'));
  if (at(pod, 'spec', 'priority') !== undefined) writer.line(0, 'Priority:', String(numberAt(pod, 'spec', 'priority')));
  optional(writer, 'Priority Class Name:', textAt(pod, 'spec', 'priorityClassName'));
  optional(writer, 'Runtime Class Name:', textAt(pod, 'spec', 'runtimeClassName'));
  optional(writer, 'Service Account:', textAt(pod, 'spec', 'serviceAccountName'));
  const node = textAt(pod, 'spec', 'nodeName');
  writer.line(0, 'Node:', node === '' ? '<none>' : `${node}/${textAt(pod, 'status', 'hostIP')}`);
  const start = at(pod, 'status', 'startTime');
  if (start !== undefined && start !== null) writer.line(0, 'Start Time:', rfc1123(start));
  writeLabels(writer, pod);
  writeAnnotations(writer, stringsAt(pod, 'metadata', 'annotations'));
  const phase = textAt(pod, 'status', 'phase');
  const deleted = at(pod, 'metadata', 'deletionTimestamp');
  if (deleted !== undefined && phase !== 'Failed' && phase !== 'Succeeded') {
    writer.line(0, 'Status:', `Terminating (lasts ${ageOf(deleted, now)})`);
    writer.line(0, 'Termination Grace Period:', `${numberAt(pod, 'metadata', 'deletionGracePeriodSeconds')}s`);
  } else writer.line(0, 'Status:', phase);
  optional(writer, 'Reason:', textAt(pod, 'status', 'reason'));
  optional(writer, 'Message:', textAt(pod, 'status', 'message'));
  optional(writer, 'SeccompProfile:', textAt(pod, 'spec', 'securityContext', 'seccompProfile', 'type'));
  writer.line(0, 'IP:', textAt(pod, 'status', 'podIP'));
  const ips = listAt(pod, 'status', 'podIPs');
  if (ips.length === 0) writer.line(0, 'IPs:', '<none>');
  else {
    writer.line(0, 'IPs:');
    for (const ip of ips) writer.line(1, 'IP:', textAt(ip, 'ip'));
  }
  optional(writer, 'Controlled By:', controllerOf(pod) ?? '');
  optional(writer, 'NominatedNodeName:', textAt(pod, 'status', 'nominatedNodeName'));
  const initContainers = listAt(pod, 'spec', 'initContainers');
  if (initContainers.length > 0)
    writeContainers(writer, 'Init Containers', initContainers, {
      statuses: listAt(pod, 'status', 'initContainerStatuses'),
      pod,
      space: '',
    });
  writeContainers(writer, 'Containers', listAt(pod, 'spec', 'containers'), {
    statuses: listAt(pod, 'status', 'containerStatuses'),
    pod,
    space: '',
  });
  const gates = listAt(pod, 'spec', 'readinessGates');
  const conditions = listAt(pod, 'status', 'conditions');
  if (gates.length > 0) {
    writer.line(0, 'Readiness Gates:');
    writer.line(1, 'Type', 'Status');
    for (const gate of gates) {
      const condition = conditions.find((candidate) => isDict(candidate) && candidate.type === textAt(gate, 'conditionType'));
      writer.line(1, `${textAt(gate, 'conditionType')} `, `${condition === undefined ? '<none>' : textAt(condition, 'status')} `);
    }
  }
  if (conditions.length > 0) {
    writer.line(0, 'Conditions:');
    writer.line(1, 'Type', 'Status');
    for (const condition of conditions) writer.line(1, `${textAt(condition, 'type')} `, `${textAt(condition, 'status')} `);
  }
  writeVolumes(writer, listAt(pod, 'spec', 'volumes'), '');
  writer.line(0, 'QoS Class:', textAt(pod, 'status', 'qosClass'));
  writeMap(writer, 'Node-Selectors', stringsAt(pod, 'spec', 'nodeSelector'));
  writeTolerations(writer, 'Tolerations', listAt(pod, 'spec', 'tolerations'));
}

function optional(writer: DescribeWriter, title: string, value: string): void {
  if (value !== '') writer.line(0, title, value);
}
