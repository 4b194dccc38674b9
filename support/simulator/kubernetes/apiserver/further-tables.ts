import { formatSelector } from '../labels.ts';
import { parseTimestamp } from '../objects.ts';
import type { KubernetesObject, LabelSelector } from '../types.ts';
import { humanDuration } from './age.ts';
import { columns, type Table } from './table-columns.ts';

// Tables of the types that labs use less (`pkg/printers/internalversion` of Kubernetes 1.27).

type Json = Readonly<Record<string, unknown>>;
const record = (value: unknown): Json => (typeof value === 'object' && value !== null ? (value as Json) : {});
const list = (value: unknown): readonly Json[] => (Array.isArray(value) ? (value as Json[]) : []);

function since(time: unknown, now: number): string {
  return typeof time === 'string' && time !== '' ? humanDuration(now - parseTimestamp(time)) : '<unknown>';
}

const age = (object: KubernetesObject, now: number): string => since(object.metadata.creationTimestamp, now);

const modes: Readonly<Record<string, string>> = {
  ReadWriteOnce: 'RWO',
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOncePod: 'RWOP',
};

function accessModes(value: unknown): string {
  const given = (Array.isArray(value) ? value : []) as readonly string[];
  return Object.keys(modes)
    .filter((mode) => given.includes(mode))
    .map((mode) => modes[mode])
    .join(',');
}

function quotaText(status: Json, isLimit: boolean): string {
  const hard = record(status['hard']);
  const used = record(status['used']);
  return Object.keys(hard)
    .sort()
    .filter((name) => name.startsWith('limits.') === isLimit)
    .map((name) => `${name}: ${String(used[name] ?? '0')}/${String(hard[name])}`)
    .join(', ');
}

/** Targets as `current/wanted`. */
function metricText(spec: Json, status: Json): string {
  const metrics = list(spec['metrics']);
  if (metrics.length === 0) return '<none>';
  const current = list(status['currentMetrics']);
  const shown = metrics.map((metric, index) => {
    const target = record(record(metric['resource'])['target']);
    const now = record(record(current[index]?.['resource'])['current']);
    if (target['averageValue'] !== undefined) return `${String(now['averageValue'] ?? '<unknown>')}/${String(target['averageValue'])}`;
    const percent = now['averageUtilization'];
    return `${percent === undefined ? '<unknown>' : `${String(percent)}%`}/${target['averageUtilization'] === undefined ? '<auto>' : `${String(target['averageUtilization'])}%`}`;
  });
  return shown.length > 2 ? `${shown.slice(0, 2).join(', ')} + ${shown.length - 2} more...` : shown.join(', ');
}

export const furtherTables: Readonly<Record<string, Table>> = {
  CronJob: {
    columns: columns('Name Schedule Suspend:boolean Active:integer Last_Schedule Age Containers* Images* Selector*'),
    cells(object, now) {
      const spec = record(object['spec']);
      const status = record(object['status']);
      const job = record(record(spec['jobTemplate'])['spec']);
      const containers = list(record(record(job['template'])['spec'])['containers']);
      return [
        object.metadata.name,
        spec['schedule'],
        spec['suspend'] === true ? 'True' : 'False',
        list(status['active']).length,
        status['lastScheduleTime'] === undefined ? '<none>' : since(status['lastScheduleTime'], now),
        age(object, now),
        containers.map(({ name }) => name).join(','),
        containers.map(({ image }) => image).join(','),
        formatSelector(job['selector'] as LabelSelector | undefined),
      ];
    },
  },
  ReplicationController: {
    columns: columns('Name Desired:integer Current:integer Ready:integer Age Containers* Images* Selector*'),
    cells(object, now) {
      const spec = record(object['spec']);
      const status = record(object['status']);
      const containers = list(record(record(spec['template'])['spec'])['containers']);
      return [
        object.metadata.name,
        spec['replicas'] ?? 0,
        status['replicas'] ?? 0,
        status['readyReplicas'] ?? 0,
        age(object, now),
        containers.map(({ name }) => name).join(','),
        containers.map(({ image }) => image).join(','),
        formatSelector({ matchLabels: record(spec['selector']) as Readonly<Record<string, string>> }),
      ];
    },
  },
  ResourceQuota: {
    columns: columns('Name Age Request Limit'),
    cells(object, now) {
      const status = record(object['status']);
      return [object.metadata.name, age(object, now), quotaText(status, false), quotaText(status, true)];
    },
  },
  LimitRange: {
    columns: columns('Name Created_At:date'),
    cells: (object) => [object.metadata.name, object.metadata.creationTimestamp],
  },
  PersistentVolume: {
    columns: columns('Name Capacity Access_Modes Reclaim_Policy Status Claim StorageClass Reason Age VolumeMode*'),
    cells(object, now) {
      const spec = record(object['spec']);
      const claim = record(spec['claimRef']);
      const status = record(object['status']);
      const phase = String(status['phase'] ?? '');
      return [
        object.metadata.name,
        record(spec['capacity'])['storage'] ?? '0',
        accessModes(spec['accessModes']),
        spec['persistentVolumeReclaimPolicy'],
        object.metadata.deletionTimestamp === undefined ? phase : 'Terminating',
        spec['claimRef'] === undefined ? '' : `${String(claim['namespace'])}/${String(claim['name'])}`,
        spec['storageClassName'] ?? '',
        status['reason'] ?? '',
        age(object, now),
        spec['volumeMode'] ?? '<unset>',
      ];
    },
  },
  IngressClass: {
    columns: columns('Name Controller Parameters Age'),
    cells(object, now) {
      const spec = record(object['spec']);
      const { apiGroup, kind, name } = record(spec['parameters']);
      const parameters =
        spec['parameters'] === undefined
          ? '<none>'
          : `${String(kind)}${apiGroup === undefined ? '' : `.${String(apiGroup)}`}/${String(name)}`;
      return [object.metadata.name, spec['controller'], parameters, age(object, now)];
    },
  },
  HorizontalPodAutoscaler: {
    columns: columns('Name Reference Targets MinPods MaxPods Replicas Age'),
    cells(object, now) {
      const spec = record(object['spec']);
      const status = record(object['status']);
      const { kind, name } = record(spec['scaleTargetRef']);
      return [
        object.metadata.name,
        `${String(kind)}/${String(name)}`,
        metricText(spec, status),
        spec['minReplicas'] === undefined ? '<unset>' : String(spec['minReplicas']),
        spec['maxReplicas'],
        status['currentReplicas'] ?? 0,
        age(object, now),
      ];
    },
  },
  RuntimeClass: {
    columns: columns('Name Handler Age'),
    cells: (object, now) => [object.metadata.name, object['handler'], age(object, now)],
  },
};
