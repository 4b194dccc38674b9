import { evaluateJsonPath } from '../json-path.ts';
import { formatLabels, formatSelector } from '../labels.ts';
import type {
  ConfigMap,
  ContainerStatus,
  DaemonSet,
  Deployment,
  EndpointSlice,
  Endpoints,
  Job,
  KubeEvent,
  Lease,
  Namespace,
  Node,
  Pod,
  PodSpec,
  ReplicaSet,
  Secret,
  Service,
  StatefulSet,
} from '../objects.ts';
import { conditionOf, nodeAddresses, parseTimestamp } from '../objects.ts';
import type { KubernetesObject, LabelSelector, PrinterColumn } from '../types.ts';
import { humanDuration } from './age.ts';
import { furtherTables } from './further-tables.ts';
import { type Column, columns, type Table } from './table-columns.ts';

export type { Column, Table };

/** The columns of a type as `kubectl get` shows them (`pkg/printers/internalversion` of Kubernetes 1.27). */
export function tableOf(kind: string, customColumns: readonly PrinterColumn[] | undefined): Table {
  if (customColumns !== undefined) return customTable(customColumns);
  return builtinTables[kind] ?? { columns: columns('Name Age'), cells: (object, now) => [object.metadata.name, ageOf(object, now)] };
}

export function ageOf(object: KubernetesObject, now: number): string {
  return since(object.metadata.creationTimestamp, now);
}

function since(time: string | null | undefined, now: number): string {
  return time === undefined || time === null || time === '' ? '<unknown>' : humanDuration(now - parseTimestamp(time));
}

function customTable(custom: readonly PrinterColumn[]): Table {
  const shown: readonly PrinterColumn[] =
    custom.length === 0 ? [{ name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' }] : custom;
  return {
    columns: [
      { name: 'Name', type: 'string', format: 'name', description: '', priority: 0 },
      ...shown.map((column) => ({ name: column.name, type: column.type, format: '', description: '', priority: column.priority ?? 0 })),
    ],
    cells: (object, now) => [object.metadata.name, ...shown.map((column) => customCell(column, object, now))],
  };
}

/** `tableconvertor.cellForJSONValue`: what does not fit the column's type is blank. */
function customCell(column: PrinterColumn, object: KubernetesObject, now: number): unknown {
  const found = evaluateJsonPath(column.jsonPath, object);
  const value = found[0];
  if (found.length === 0 || value === null || value === undefined) return null;
  switch (column.type) {
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : null;
    case 'number':
      return typeof value === 'number' ? value : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    case 'date': {
      if (typeof value !== 'string') return null;
      const time = parseTimestamp(value);
      return Number.isNaN(time) ? '<invalid>' : humanDuration(now - time);
    }
    case 'string':
      return found.map(goText).join(' ');
  }
}

/** A value as Go's text/template prints it. */
function goText(value: unknown): string {
  if (typeof value === 'object' && value !== null) return JSON.stringify(value);
  return String(value);
}

function containerNames(spec: PodSpec): readonly [names: string, images: string] {
  return [spec.containers.map((container) => container.name).join(','), spec.containers.map((container) => container.image).join(',')];
}

const builtinTables: Readonly<Record<string, Table>> = {
  Pod: {
    columns: columns('Name Ready Status Restarts Age IP* Node* Nominated_Node* Readiness_Gates*'),
    cells: (object, now) => podCells(object as Pod, now),
  },
  Service: {
    columns: columns('Name Type Cluster-IP External-IP Port(s) Age Selector*'),
    cells(object, now) {
      const { spec } = object as Service;
      const ports = (spec.ports ?? [])
        .map((port) => (port.nodePort === undefined ? `${port.port}/${port.protocol}` : `${port.port}:${port.nodePort}/${port.protocol}`))
        .join(',');
      return [
        object.metadata.name,
        spec.type,
        spec.clusterIPs?.[0] ?? spec.clusterIP ?? '<none>',
        externalIp(object as Service),
        ports === '' ? '<none>' : ports,
        ageOf(object, now),
        formatLabels(spec.selector),
      ];
    },
  },
  Deployment: {
    columns: columns('Name Ready Up-to-date Available Age Containers* Images* Selector*'),
    cells(object, now) {
      const { spec, status } = object as Deployment;
      return [
        object.metadata.name,
        `${status.readyReplicas ?? 0}/${spec.replicas ?? 0}`,
        status.updatedReplicas ?? 0,
        status.availableReplicas ?? 0,
        ageOf(object, now),
        ...containerNames(spec.template.spec),
        formatSelector(spec.selector),
      ];
    },
  },
  ReplicaSet: {
    columns: columns('Name Desired:integer Current:integer Ready:integer Age Containers* Images* Selector*'),
    cells(object, now) {
      const { spec, status } = object as ReplicaSet;
      return [
        object.metadata.name,
        spec.replicas ?? 0,
        status.replicas,
        status.readyReplicas ?? 0,
        ageOf(object, now),
        ...containerNames(spec.template.spec),
        formatSelector(spec.selector),
      ];
    },
  },
  DaemonSet: {
    columns: columns(
      'Name Desired:integer Current:integer Ready:integer Up-to-date:integer Available:integer Node_Selector Age Containers* Images* Selector*',
    ),
    cells(object, now) {
      const { spec, status } = object as DaemonSet;
      return [
        object.metadata.name,
        status.desiredNumberScheduled,
        status.currentNumberScheduled,
        status.numberReady,
        status.updatedNumberScheduled ?? 0,
        status.numberAvailable ?? 0,
        formatLabels(spec.template.spec.nodeSelector),
        ageOf(object, now),
        ...containerNames(spec.template.spec),
        formatSelector(spec.selector),
      ];
    },
  },
  StatefulSet: {
    columns: columns('Name Ready Age Containers* Images*'),
    cells(object, now) {
      const { spec, status } = object as StatefulSet;
      return [
        object.metadata.name,
        `${Number(status['readyReplicas'] ?? 0)}/${spec.replicas ?? 0}`,
        ageOf(object, now),
        ...containerNames(spec.template.spec),
      ];
    },
  },
  Job: {
    columns: columns('Name Completions Duration Age Containers* Images* Selector*'),
    cells(object, now) {
      const { spec, status } = object as Job;
      const wanted = spec.completions;
      const completions =
        wanted === undefined ? `${status.succeeded ?? 0}/1 of ${spec.parallelism ?? 1}` : `${status.succeeded ?? 0}/${wanted}`;
      const end = status.completionTime === undefined ? now : parseTimestamp(status.completionTime);
      const duration = status.startTime === undefined ? '' : humanDuration(end - parseTimestamp(status.startTime));
      return [
        object.metadata.name,
        completions,
        duration,
        ageOf(object, now),
        ...containerNames(spec.template.spec),
        formatSelector(spec.selector),
      ];
    },
  },
  Node: {
    columns: columns('Name Status Roles Age Version Internal-IP* External-IP* OS-Image* Kernel-Version* Container-Runtime*'),
    cells(object, now) {
      const node = object as Node;
      const ready = conditionOf(node, 'Ready');
      const state = ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady';
      const info = node.status.nodeInfo ?? {};
      return [
        node.metadata.name,
        node.spec.unschedulable === true ? `${state},SchedulingDisabled` : state,
        nodeRoles(node),
        ageOf(node, now),
        info['kubeletVersion'] ?? '',
        nodeAddresses(node)[0] ?? '<none>',
        nodeAddresses(node, 'ExternalIP')[0] ?? '<none>',
        info['osImage'] || '<unknown>',
        info['kernelVersion'] || '<unknown>',
        info['containerRuntimeVersion'] || '<unknown>',
      ];
    },
  },
  Namespace: {
    columns: columns('Name Status Age'),
    cells: (object, now) => [object.metadata.name, (object as Namespace).status.phase, ageOf(object, now)],
  },
  ConfigMap: {
    columns: columns('Name Data Age'),
    cells: (object, now) => [
      object.metadata.name,
      count((object as ConfigMap).data) + count((object as ConfigMap).binaryData),
      ageOf(object, now),
    ],
  },
  Secret: {
    columns: columns('Name Type Data Age'),
    cells: (object, now) => [object.metadata.name, (object as Secret).type, count((object as Secret).data), ageOf(object, now)],
  },
  ServiceAccount: {
    columns: columns('Name Secrets Age'),
    cells: (object, now) => [object.metadata.name, ((object['secrets'] ?? []) as readonly unknown[]).length, ageOf(object, now)],
  },
  Endpoints: {
    columns: columns('Name Endpoints Age'),
    cells: (object, now) => [object.metadata.name, endpointsText(object as Endpoints), ageOf(object, now)],
  },
  EndpointSlice: {
    columns: columns('Name AddressType Ports Endpoints Age'),
    cells(object, now) {
      const slice = object as EndpointSlice;
      const ports = (slice.ports ?? []).map((port) => (port.port === undefined ? (port.name ?? '') || '*' : String(port.port)));
      const addresses = (slice.endpoints ?? []).flatMap((endpoint) => endpoint.addresses);
      return [slice.metadata.name, slice.addressType, listWithMore(ports, ','), listWithMore(addresses, ','), ageOf(slice, now)];
    },
  },
  Event: {
    columns: columns('Last_Seen Type Reason Object Subobject* Source* Message First_Seen* Count* Name*').map((column, index) => ({
      ...column,
      format: index === 9 ? 'name' : '',
    })),
    cells(object, now) {
      const event = object as KubeEvent;
      const about = event.involvedObject;
      const source = [event.source?.component ?? event.reportingComponent ?? '', event.source?.host ?? '']
        .filter((part) => part !== '')
        .join(', ');
      const first = event.firstTimestamp ?? event.metadata.creationTimestamp;
      return [
        since(event.lastTimestamp ?? first, now),
        event.type,
        event.reason,
        `${(about.kind ?? '').toLowerCase()}/${about.name}`,
        about.fieldPath ?? '',
        source,
        (event.message ?? '').trim(),
        since(first, now),
        event.count ?? 1,
        event.metadata.name,
      ];
    },
  },
  NetworkPolicy: {
    columns: columns('Name Pod-Selector Age'),
    cells: (object, now) => [
      object.metadata.name,
      formatSelector((object['spec'] as { readonly podSelector?: LabelSelector }).podSelector),
      ageOf(object, now),
    ],
  },
  CustomResourceDefinition: {
    columns: columns('Name Created_At:date'),
    cells: (object) => [object.metadata.name, object.metadata.creationTimestamp],
  },
  Lease: {
    columns: columns('Name Holder Age'),
    cells: (object, now) => [object.metadata.name, (object as Lease).spec.holderIdentity ?? '', ageOf(object, now)],
  },
  Ingress: { columns: columns('Name Class Hosts Address Ports Age'), cells: (object, now) => ingressCells(object, now) },
  StorageClass: {
    columns: columns('Name Provisioner ReclaimPolicy VolumeBindingMode AllowVolumeExpansion Age'),
    cells(object, now) {
      const isDefault = object.metadata.annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true';
      return [
        `${object.metadata.name}${isDefault ? ' (default)' : ''}`,
        object['provisioner'],
        object['reclaimPolicy'],
        object['volumeBindingMode'],
        object['allowVolumeExpansion'] ?? false,
        ageOf(object, now),
      ];
    },
  },
  PriorityClass: {
    columns: columns('Name Value:integer Global-Default:boolean Age'),
    cells: (object, now) => [object.metadata.name, object['value'], object['globalDefault'] ?? false, ageOf(object, now)],
  },
  PodDisruptionBudget: {
    columns: columns('Name Min_Available Max_Unavailable Allowed_Disruptions:integer Age'),
    cells(object, now) {
      const spec = object['spec'] as { readonly minAvailable?: unknown; readonly maxUnavailable?: unknown };
      return [
        object.metadata.name,
        String(spec.minAvailable ?? 'N/A'),
        String(spec.maxUnavailable ?? 'N/A'),
        (object['status'] as { readonly disruptionsAllowed?: number } | undefined)?.disruptionsAllowed ?? 0,
        ageOf(object, now),
      ];
    },
  },
  ControllerRevision: {
    columns: columns('Name Controller Revision Age'),
    cells(object, now) {
      const owner = object.metadata.ownerReferences?.find((reference) => reference.controller === true);
      return [
        object.metadata.name,
        owner === undefined ? '<none>' : `${owner.kind.toLowerCase()}.${owner.apiVersion.split('/')[0]}/${owner.name}`,
        object['revision'],
        ageOf(object, now),
      ];
    },
  },
  PersistentVolumeClaim: {
    columns: columns('Name Status Volume Capacity Access_Modes StorageClass Age VolumeMode*'),
    cells(object, now) {
      const spec = (object['spec'] ?? {}) as {
        readonly volumeName?: string;
        readonly storageClassName?: string;
        readonly volumeMode?: string;
      };
      const status = (object['status'] ?? {}) as { readonly phase?: string };
      return [
        object.metadata.name,
        status.phase ?? '',
        spec.volumeName ?? '',
        '',
        '',
        spec.storageClassName ?? '',
        ageOf(object, now),
        spec.volumeMode ?? 'Filesystem',
      ];
    },
  },
  ...furtherTables,
  ClusterRole: { columns: columns('Name Created_At:date'), cells: (object) => [object.metadata.name, object.metadata.creationTimestamp] },
  Role: { columns: columns('Name Created_At:date'), cells: (object) => [object.metadata.name, object.metadata.creationTimestamp] },
  ClusterRoleBinding: { columns: bindingColumns(), cells: bindingCells },
  RoleBinding: { columns: bindingColumns(), cells: bindingCells },
};

function bindingColumns(): readonly Column[] {
  return columns('Name Role Age Users* Groups* ServiceAccounts*');
}

function bindingCells(object: KubernetesObject, now: number): readonly unknown[] {
  const role = object['roleRef'] as { readonly kind: string; readonly name: string };
  const subjects = (object['subjects'] ?? []) as readonly { readonly kind: string; readonly name: string; readonly namespace?: string }[];
  const of = (kind: string): string =>
    subjects
      .filter((subject) => subject.kind === kind)
      .map((subject) => (subject.namespace === undefined ? subject.name : `${subject.namespace}/${subject.name}`))
      .join(', ');
  return [object.metadata.name, `${role.kind}/${role.name}`, ageOf(object, now), of('User'), of('Group'), of('ServiceAccount')];
}

function count(value: Readonly<Record<string, string>> | undefined): number {
  return Object.keys(value ?? {}).length;
}

function nodeRoles(node: Node): string {
  const roles = new Set<string>();
  for (const [key, value] of Object.entries(node.metadata.labels ?? {})) {
    if (key.startsWith('node-role.kubernetes.io/')) {
      const role = key.slice('node-role.kubernetes.io/'.length);
      if (role !== '') roles.add(role);
    } else if (key === 'kubernetes.io/role' && value !== '') roles.add(value);
  }
  return roles.size === 0 ? '<none>' : [...roles].sort().join(',');
}

function externalIp(service: Service): string {
  const { spec, status } = service;
  const external = spec.externalIPs ?? [];
  if (spec.type === 'ExternalName') return spec.externalName ?? '<none>';
  if (spec.type !== 'LoadBalancer') return external.length === 0 ? '<none>' : external.join(',');
  const ingress = [...new Set((status.loadBalancer?.ingress ?? []).map((entry) => entry.ip ?? entry.hostname ?? ''))]
    .filter((text) => text !== '')
    .sort();
  const all = [...ingress, ...external];
  return all.length === 0 ? '<pending>' : all.join(',');
}

/** The first three and how many more; `<unset>` for an empty list. */
function listWithMore(values: readonly string[], separator: string): string {
  if (values.length === 0) return '<unset>';
  const shown = values.slice(0, 3).join(separator);
  return values.length > 3 ? `${shown} + ${values.length - 3} more...` : shown;
}

function endpointsText(endpoints: Endpoints): string {
  const all: string[] = [];
  for (const subset of endpoints.subsets ?? [])
    for (const port of subset.ports ?? [{ port: 0 }])
      for (const address of subset.addresses ?? [])
        all.push(
          subset.ports === undefined
            ? address.ip
            : address.ip.includes(':')
              ? `[${address.ip}]:${port.port}`
              : `${address.ip}:${port.port}`,
        );
  if (all.length === 0) return '<none>';
  const shown = all.slice(0, 3).join(',');
  return all.length > 3 ? `${shown} + ${all.length - 3} more...` : shown;
}

function ingressCells(object: KubernetesObject, now: number): readonly unknown[] {
  const spec = (object['spec'] ?? {}) as {
    readonly ingressClassName?: string;
    readonly rules?: readonly { readonly host?: string }[];
    readonly tls?: readonly unknown[];
  };
  const status = (object['status'] ?? {}) as Service['status'];
  const hosts = (spec.rules ?? []).map((rule) => rule.host ?? '').filter((host) => host !== '');
  const addresses = (status.loadBalancer?.ingress ?? []).map((entry) => entry.ip ?? entry.hostname ?? '').join(',');
  return [
    object.metadata.name,
    spec.ingressClassName ?? '<none>',
    hosts.length === 0 ? '*' : hosts.join(','),
    addresses,
    (spec.tls ?? []).length > 0 ? '80, 443' : '80',
    ageOf(object, now),
  ];
}

function podCells(pod: Pod, now: number): readonly unknown[] {
  const { spec, status } = pod;
  const containers = status.containerStatuses ?? [];
  const initContainers = status.initContainerStatuses ?? [];
  let restarts = 0;
  let lastRestart: string | undefined;
  const noteRestart = (container: ContainerStatus): void => {
    restarts += container.restartCount;
    const at = container.lastState?.terminated?.finishedAt;
    if (at !== undefined && (lastRestart === undefined || at > lastRestart)) lastRestart = at;
  };
  let reason = status.reason ?? status.phase ?? 'Unknown';
  let isInitializing = false;
  for (const [index, container] of initContainers.entries()) {
    noteRestart(container);
    const { terminated, waiting } = container.state;
    if (terminated?.exitCode === 0) continue;
    if (terminated !== undefined)
      reason = `Init:${terminated.reason !== undefined && terminated.reason !== '' ? terminated.reason : (terminated.signal ?? 0) !== 0 ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode}`}`;
    else if (waiting?.reason !== undefined && waiting.reason !== 'PodInitializing') reason = `Init:${waiting.reason}`;
    else reason = `Init:${index}/${spec.initContainers?.length ?? 0}`;
    isInitializing = true;
    break;
  }
  let ready = 0;
  if (!isInitializing || isInitialized(pod)) {
    restarts = 0;
    lastRestart = undefined;
    let hasRunning = false;
    for (const container of [...containers].reverse()) {
      noteRestart(container);
      const { running, terminated, waiting } = container.state;
      if (waiting?.reason !== undefined && waiting.reason !== '') reason = waiting.reason;
      else if (terminated?.reason !== undefined && terminated.reason !== '') reason = terminated.reason;
      else if (terminated !== undefined)
        reason = (terminated.signal ?? 0) !== 0 ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode}`;
      else if (container.ready && running !== undefined) {
        hasRunning = true;
        ready++;
      }
    }
    if (reason === 'Completed' && hasRunning) reason = conditionOf(pod, 'Ready')?.status === 'True' ? 'Running' : 'NotReady';
  }
  if (pod.metadata.deletionTimestamp !== undefined) reason = status.reason === 'NodeLost' ? 'Unknown' : 'Terminating';
  const gates = spec.readinessGates ?? [];
  const gatesText =
    gates.length === 0
      ? '<none>'
      : `${gates.filter((gate) => conditionOf(pod, gate.conditionType)?.status === 'True').length}/${gates.length}`;
  const restartsText = restarts > 0 && lastRestart !== undefined ? `${restarts} (${since(lastRestart, now)} ago)` : String(restarts);
  return [
    pod.metadata.name,
    `${ready}/${spec.containers.length}`,
    reason,
    restartsText,
    ageOf(pod, now),
    status.podIPs?.[0]?.ip ?? status.podIP ?? '<none>',
    spec.nodeName ?? '<none>',
    status.nominatedNodeName === undefined || status.nominatedNodeName === '' ? '<none>' : status.nominatedNodeName,
    gatesText,
  ];
}

function isInitialized(pod: Pod): boolean {
  return conditionOf(pod, 'Initialized')?.status === 'True';
}
