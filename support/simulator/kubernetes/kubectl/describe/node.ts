import { ageOf, rfc1123 } from '../age.ts';
import { formatQuantity, isHugePages, parseQuantity } from '../quantity.ts';
import { at, byText, type Dict, listAt, nameOf, sortedKeys, stringsAt, textAt } from '../values.ts';
import { writeAnnotations, writeLabels } from './parts.ts';
import type { DescribeWriter } from './writer.ts';

/** By effect, then by key. */
function sortedTaints(node: Dict): readonly unknown[] {
  const place = (taint: unknown): string => `${textAt(taint, 'effect')},${textAt(taint, 'key')}`;
  return [...listAt(node, 'spec', 'taints')].sort((a, b) => byText(place(a), place(b)));
}

export function describeNode(writer: DescribeWriter, node: Dict, lease: Dict | string, pods: readonly Dict[], now: number): void {
  const rolePrefix = 'node-role.kubernetes.io/';
  const labels = stringsAt(node, 'metadata', 'labels');
  const roles = sortedKeys(labels)
    .flatMap((key) =>
      key.startsWith(rolePrefix) ? [key.slice(rolePrefix.length)] : key === 'kubernetes.io/role' ? [labels[key] as string] : [],
    )
    .filter((role) => role !== '');
  writer.line(0, 'Name:', nameOf(node));
  writer.line(0, 'Roles:', roles.length === 0 ? '<none>' : roles.join(','));
  writeLabels(writer, node);
  writeAnnotations(writer, stringsAt(node, 'metadata', 'annotations'));
  writer.line(0, 'CreationTimestamp:', rfc1123(at(node, 'metadata', 'creationTimestamp')));
  const taints = sortedTaints(node).map((taint) => {
    const value = textAt(taint, 'value');
    return `${textAt(taint, 'key')}${value === '' ? '' : `=${value}`}:${textAt(taint, 'effect')}`;
  });
  writer.list('Taints:', taints);
  writer.line(0, 'Unschedulable:', String(at(node, 'spec', 'unschedulable') === true));
  if (typeof lease === 'string') writer.line(0, 'Lease:', `Failed to get lease: ${lease}`);
  else {
    const time = (value: unknown): string => (value === undefined || value === null ? '<unset>' : rfc1123(value));
    writer.line(0, 'Lease:');
    writer.line(1, 'HolderIdentity:', textAt(lease, 'spec', 'holderIdentity') || '<unset>');
    writer.line(1, 'AcquireTime:', time(at(lease, 'spec', 'acquireTime')));
    writer.line(1, 'RenewTime:', time(at(lease, 'spec', 'renewTime')));
  }
  const conditions = listAt(node, 'status', 'conditions');
  if (conditions.length > 0) {
    writer.line(0, 'Conditions:');
    writer.line(1, 'Type', 'Status', 'LastHeartbeatTime', 'LastTransitionTime', 'Reason', 'Message');
    writer.line(1, '----', '------', '-----------------', '------------------', '------', '-------');
    for (const condition of conditions) {
      const text = (field: string): string => textAt(condition, field);
      writer.line(
        1,
        `${text('type')} `,
        `${text('status')} `,
        `${rfc1123(text('lastHeartbeatTime'))} `,
        `${rfc1123(text('lastTransitionTime'))} `,
        `${text('reason')} `,
        `${text('message')} `.slice(0, -1),
      );
    }
  }
  writer.line(0, 'Addresses:');
  for (const address of listAt(node, 'status', 'addresses')) writer.line(1, `${textAt(address, 'type')}:`, textAt(address, 'address'));
  for (const [title, field] of [
    ['Capacity', 'capacity'],
    ['Allocatable', 'allocatable'],
  ] as const) {
    const amounts = stringsAt(node, 'status', field);
    if (Object.keys(amounts).length === 0) continue;
    writer.line(0, `${title}:`);
    for (const name of sortedKeys(amounts)) writer.line(1, `${name}:`, amounts[name] as string);
  }
  const info = (field: string): string => textAt(node, 'status', 'nodeInfo', field);
  writer.line(0, 'System Info:');
  for (const [title, field] of [
    ['Machine ID', 'machineID'],
    ['System UUID', 'systemUUID'],
    ['Boot ID', 'bootID'],
    ['Kernel Version', 'kernelVersion'],
    ['OS Image', 'osImage'],
    ['Operating System', 'operatingSystem'],
    ['Architecture', 'architecture'],
    ['Container Runtime Version', 'containerRuntimeVersion'],
    ['Kubelet Version', 'kubeletVersion'],
    ['Kube-Proxy Version', 'kubeProxyVersion'],
  ] as const)
    writer.line(1, `${title}:`, info(field));
  if (textAt(node, 'spec', 'podCIDR') !== '') writer.line(0, 'PodCIDR:', textAt(node, 'spec', 'podCIDR'));
  const ranges = listAt(node, 'spec', 'podCIDRs');
  if (ranges.length > 0) writer.line(0, 'PodCIDRs:', ranges.map(String).join(','));
  if (textAt(node, 'spec', 'providerID') !== '') writer.line(0, 'ProviderID:', textAt(node, 'spec', 'providerID'));
  writeUse(writer, node, pods, now);
}

type Amounts = Record<string, number>;

function sumOf(pod: Dict, field: 'requests' | 'limits'): Amounts {
  const total: Amounts = {};
  for (const container of listAt(pod, 'spec', 'containers')) {
    for (const [name, amount] of Object.entries(stringsAt(container, 'resources', field)))
      total[name] = (total[name] ?? 0) + parseQuantity(amount);
  }
  for (const container of listAt(pod, 'spec', 'initContainers')) {
    for (const [name, amount] of Object.entries(stringsAt(container, 'resources', field)))
      total[name] = Math.max(total[name] ?? 0, parseQuantity(amount));
  }
  return total;
}

function writeUse(writer: DescribeWriter, node: Dict, pods: readonly Dict[], now: number): void {
  const amounts = stringsAt(node, 'status', 'allocatable');
  const allocatable = Object.keys(amounts).length > 0 ? amounts : stringsAt(node, 'status', 'capacity');
  const share = (name: string, used: number): string => {
    const whole = parseQuantity(allocatable[name] ?? '0');
    return `${formatQuantity(used, name)} (${whole === 0 ? 0 : Math.trunc((used / whole) * 100)}%)`;
  };
  writer.line(0, 'Non-terminated Pods:', `(${pods.length} in total)`);
  writer.line(1, 'Namespace', 'Name', '', 'CPU Requests', 'CPU Limits', 'Memory Requests', 'Memory Limits', 'Age');
  writer.line(1, '---------', '----', '', '------------', '----------', '---------------', '-------------', '---');
  const requests: Amounts = {};
  const limits: Amounts = {};
  for (const pod of pods) {
    const own = { requests: sumOf(pod, 'requests'), limits: sumOf(pod, 'limits') };
    for (const [name, amount] of Object.entries(own.requests)) requests[name] = (requests[name] ?? 0) + amount;
    for (const [name, amount] of Object.entries(own.limits)) limits[name] = (limits[name] ?? 0) + amount;
    writer.line(
      1,
      textAt(pod, 'metadata', 'namespace'),
      nameOf(pod),
      '',
      share('cpu', own.requests.cpu ?? 0),
      share('cpu', own.limits.cpu ?? 0),
      share('memory', own.requests.memory ?? 0),
      share('memory', own.limits.memory ?? 0),
      ageOf(at(pod, 'metadata', 'creationTimestamp'), now),
    );
  }
  writer.line(0, 'Allocated resources:');
  writer.line(1, '(Total limits may be over 100 percent, i.e., overcommitted.)');
  writer.line(1, 'Resource', 'Requests', 'Limits');
  writer.line(1, '--------', '--------', '------');
  const hugePages = Object.keys(allocatable).filter(isHugePages).sort(byText);
  for (const name of ['cpu', 'memory', 'ephemeral-storage', ...hugePages])
    writer.line(1, name, share(name, requests[name] ?? 0), share(name, limits[name] ?? 0));
}
