import type { SimulatedClock } from '../../clock/clock.ts';
import { controllerReference } from '../apiserver/core.ts';
import { copy } from '../apiserver/decode.ts';
import { controllerOf, type Job, keyOf, type ObjectReference, parseTimestamp, splitKey, timestamp } from '../objects.ts';
import type { ApiClient, KubernetesObject, ObjectMeta, Reconciler } from '../types.ts';
import { type CronSchedule, parseCron } from './cron-schedule.ts';
import { createReconciler } from './reconciler.ts';

interface CronJob extends KubernetesObject {
  readonly spec: {
    readonly schedule: string;
    readonly suspend?: boolean;
    readonly startingDeadlineSeconds?: number;
    readonly concurrencyPolicy?: 'Allow' | 'Forbid' | 'Replace';
    readonly successfulJobsHistoryLimit?: number;
    readonly failedJobsHistoryLimit?: number;
    readonly jobTemplate: { readonly metadata?: Partial<ObjectMeta>; readonly spec: Job['spec'] };
  };
  readonly status: {
    readonly active?: readonly ObjectReference[];
    readonly lastScheduleTime?: string;
    readonly lastSuccessfulTime?: string;
  };
}

const component = 'cronjob-controller';
/** So that a job is not made a moment before its time (`nextScheduleDelta`). */
const slackMs = 100;

/** Makes a job at each time of its schedule (`pkg/controller/cronjob`). Times are UTC, as in the controller manager's container. */
export function startCronJobController(client: ApiClient, clock: SimulatedClock): () => void {
  const queue: Reconciler = createReconciler(clock, { name: 'cronjob', reconcile: (key) => sync(client, clock, key, queue) });
  const stops = [
    client.watch<CronJob>('cronjobs.batch', (event) => queue.enqueue(keyOf(event.object)), { replay: true }),
    client.watch<Job>('jobs.batch', (event) => {
      const owner = controllerOf(event.object);
      if (owner?.kind === 'CronJob') queue.enqueue(`${event.object.metadata.namespace}/${owner.name}`);
    }),
  ];
  return () => {
    queue.stop();
    for (const stop of stops) stop();
  };
}

function endOf(job: Job): 'Complete' | 'Failed' | undefined {
  const end = job.status.conditions?.find(({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True');
  return end === undefined ? undefined : (end.type as 'Complete' | 'Failed');
}

type Tell = (type: 'Normal' | 'Warning', reason: string, message: string) => void;
type Status = CronJob['status'];

function sync(client: ApiClient, clock: SimulatedClock, key: string, queue: Reconciler): void {
  const { namespace, name } = splitKey(key);
  const cronJob = client.get<CronJob>('cronjobs.batch', name, namespace);
  if (cronJob === undefined || cronJob.metadata.deletionTimestamp !== undefined) return;
  const tell: Tell = (type, reason, message) => client.recordEvent(cronJob, { type, reason, message, component });
  const jobs = client.list<Job>('jobs.batch', { ...(namespace === undefined ? {} : { namespace }), ownerUid: cronJob.metadata.uid });
  const settled = settle(cronJob.status, jobs, tell);
  trimHistory(client, cronJob, jobs, tell);
  const schedule = parseCron(cronJob.spec.schedule);
  let status = settled;
  if (cronJob.spec.suspend !== true && schedule !== undefined) {
    const now = clock.now();
    const due = dueTime(cronJob, settled, schedule, now);
    if (due !== undefined) status = start(client, cronJob, settled, due, tell);
    const next = schedule.next(now);
    if (next !== undefined) queue.enqueue(key, next - now + slackMs);
  }
  client.updateStatus<CronJob>({ ...cronJob, status: withoutEmpty(status) });
}

function withoutEmpty({ active, ...rest }: Status): Status {
  return active === undefined || active.length === 0 ? rest : { ...rest, active };
}

/** What has become of the jobs that were running. */
function settle(status: Status, jobs: readonly Job[], tell: Tell): Status {
  let { lastSuccessfulTime } = status;
  const active = (status.active ?? []).filter((reference) => {
    const job = jobs.find(({ metadata }) => metadata.uid === reference.uid);
    if (job === undefined) {
      tell('Normal', 'MissingJob', `Active job went missing: ${reference.name}`);
      return false;
    }
    const end = endOf(job);
    if (end === undefined) return true;
    tell('Normal', 'SawCompletedJob', `Saw completed job: ${job.metadata.name}, status: ${end}`);
    if (end === 'Complete') lastSuccessfulTime = job.status.completionTime ?? lastSuccessfulTime;
    return false;
  });
  return { ...status, active, ...(lastSuccessfulTime === undefined ? {} : { lastSuccessfulTime }) };
}

function trimHistory(client: ApiClient, cronJob: CronJob, jobs: readonly Job[], tell: Tell): void {
  for (const [end, limit] of [
    ['Complete', cronJob.spec.successfulJobsHistoryLimit ?? 3],
    ['Failed', cronJob.spec.failedJobsHistoryLimit ?? 1],
  ] as const) {
    const finished = jobs
      .filter((job) => endOf(job) === end && job.metadata.deletionTimestamp === undefined)
      .sort((a, b) => parseTimestamp(a.status.startTime ?? '') - parseTimestamp(b.status.startTime ?? ''));
    for (const job of finished.slice(0, Math.max(0, finished.length - limit))) {
      client.delete('jobs.batch', job.metadata.name, job.metadata.namespace);
      tell('Normal', 'SuccessfulDelete', `Deleted job ${job.metadata.name}`);
    }
  }
}

/** The last time that has come since the job before; those in between are passed over. */
function dueTime(cronJob: CronJob, status: Status, schedule: CronSchedule, now: number): number | undefined {
  const deadline = cronJob.spec.startingDeadlineSeconds;
  const since = parseTimestamp(status.lastScheduleTime ?? cronJob.metadata.creationTimestamp ?? timestamp(now));
  let found: number | undefined;
  const from = deadline === undefined ? since : Math.max(since, now - deadline * 1000);
  for (let time = schedule.next(from); time !== undefined && time <= now; time = schedule.next(time)) found = time;
  return found;
}

function start(client: ApiClient, cronJob: CronJob, status: Status, due: number, tell: Tell): Status {
  const { name, namespace } = cronJob.metadata;
  const { concurrencyPolicy, jobTemplate } = cronJob.spec;
  let active = [...(status.active ?? [])];
  if (concurrencyPolicy === 'Forbid' && active.length > 0) {
    tell('Normal', 'JobAlreadyActive', 'Not starting job because prior execution is running and concurrency policy is Forbid');
    return status;
  }
  if (concurrencyPolicy === 'Replace') {
    for (const reference of active) {
      client.delete('jobs.batch', reference.name ?? '', namespace);
      tell('Normal', 'SuccessfulDelete', `Deleted job ${reference.name}`);
    }
    active = [];
  }
  const jobName = `${name}-${Math.floor(due / 60_000)}`;
  if (client.get('jobs.batch', jobName, namespace) === undefined) {
    const { labels, annotations } = jobTemplate.metadata ?? {};
    const job = client.create<Job>({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: {
        name: jobName,
        ...(namespace === undefined ? {} : { namespace }),
        ...(labels === undefined ? {} : { labels }),
        ...(annotations === undefined ? {} : { annotations }),
        ownerReferences: [controllerReference(cronJob)],
      },
      spec: copy(jobTemplate.spec),
    });
    tell('Normal', 'SuccessfulCreate', `Created job ${jobName}`);
    const { uid, resourceVersion } = job.metadata;
    active.push({ kind: 'Job', namespace, name: jobName, uid, apiVersion: 'batch/v1', resourceVersion } as ObjectReference);
  }
  return { ...status, active, lastScheduleTime: timestamp(due) };
}
