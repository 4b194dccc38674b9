import type { SimulatedClock } from '../../clock/clock.ts';
import {
  type Condition,
  controllerOf,
  isPodActive,
  isPodReady,
  type Job,
  keyOf,
  type Pod,
  parseTimestamp,
  splitKey,
  timestamp,
} from '../objects.ts';
import type { ApiClient, Reconciler } from '../types.ts';
import { ownedPods, podFrom } from './pod-template.ts';
import { createReconciler } from './reconciler.ts';

const component = 'job-controller';

/** Runs pods until enough of them have succeeded (`pkg/controller/job`). Not modelled: indexed completion, pod failure policies. */
export function startJobController(client: ApiClient, clock: SimulatedClock): () => void {
  const queue: Reconciler = createReconciler(clock, { name: 'job', reconcile: (key) => sync(client, clock, key, queue) });
  const stops = [
    client.watch<Job>('jobs.batch', (event) => queue.enqueue(keyOf(event.object)), { replay: true }),
    client.watch<Pod>('pods', (event) => {
      const owner = controllerOf(event.object);
      if (owner?.kind === 'Job') queue.enqueue(`${event.object.metadata.namespace}/${owner.name}`);
    }),
  ];
  return () => {
    queue.stop();
    for (const stop of stops) stop();
  };
}

function sync(client: ApiClient, clock: SimulatedClock, key: string, queue: Reconciler): void {
  const { namespace, name } = splitKey(key);
  const job = client.get<Job>('jobs.batch', name, namespace);
  if (job === undefined || job.metadata.deletionTimestamp !== undefined) return;
  const pods = ownedPods(client, job);
  const active = pods.filter(isPodActive);
  const succeeded = pods.filter((pod) => pod.status.phase === 'Succeeded').length;
  const failed = pods.filter((pod) => pod.status.phase === 'Failed').length;
  const end = job.status.conditions?.find(
    (condition) => (condition.type === 'Complete' || condition.type === 'Failed') && condition.status === 'True',
  );
  if (end !== undefined) {
    cleanUp(client, clock, job, queue);
    return;
  }
  const wanted = job.spec.completions ?? Math.max(1, succeeded);
  const now = timestamp(clock.now());
  const finish = (type: 'Complete' | 'Failed', reason?: string, message?: string): readonly Condition[] => [
    {
      type,
      status: 'True',
      lastProbeTime: now,
      lastTransitionTime: now,
      ...(reason === undefined ? {} : { reason }),
      ...(message === undefined ? {} : { message }),
    },
  ];
  let conditions: readonly Condition[] | undefined;
  let running = active.length;
  if (succeeded >= wanted) {
    conditions = finish('Complete');
    client.recordEvent(job, { type: 'Normal', reason: 'Completed', message: 'Job completed', component });
  } else if (failed > (job.spec.backoffLimit ?? 6) || isPastDeadline(job, clock.now())) {
    for (const pod of active) client.delete('pods', pod.metadata.name, namespace);
    running = 0;
    const [reason, message] =
      failed > (job.spec.backoffLimit ?? 6)
        ? ['BackoffLimitExceeded', 'Job has reached the specified backoff limit']
        : ['DeadlineExceeded', 'Job was active longer than specified deadline'];
    conditions = finish('Failed', reason, message);
    client.recordEvent(job, { type: 'Warning', reason, message, component });
  } else if (job.spec.suspend !== true) {
    const { activeDeadlineSeconds } = job.spec;
    if (activeDeadlineSeconds !== undefined)
      queue.enqueue(key, parseTimestamp(job.status.startTime ?? now) + activeDeadlineSeconds * 1000 - clock.now());
    const pause = backOffMs(pods, clock.now());
    if (pause > 0) queue.enqueue(key, pause);
    const room = pause > 0 ? 0 : Math.min(job.spec.parallelism ?? 1, wanted - succeeded) - active.length;
    for (let count = 0; count < room; count++) {
      const pod = client.create<Pod>(podFrom(job.spec.template, job, { generateName: `${name}-` }));
      client.recordEvent(job, { type: 'Normal', reason: 'SuccessfulCreate', message: `Created pod: ${pod.metadata.name}`, component });
      running++;
    }
  }
  const ready = active.filter(isPodReady).length;
  client.updateStatus({
    ...job,
    status: {
      ...(running === 0 ? {} : { active: running }),
      ...(conditions?.[0]?.type === 'Complete' ? { completionTime: now } : {}),
      ...(conditions === undefined ? {} : { conditions }),
      ...(failed === 0 ? {} : { failed }),
      ready,
      startTime: job.status.startTime ?? now,
      ...(succeeded === 0 ? {} : { succeeded }),
      uncountedTerminatedPods: {},
    },
  });
}

function isPastDeadline(job: Job, now: number): boolean {
  const { activeDeadlineSeconds } = job.spec;
  const { startTime } = job.status;
  return activeDeadlineSeconds !== undefined && startTime !== undefined && now - parseTimestamp(startTime) >= activeDeadlineSeconds * 1000;
}

const firstBackOffMs = 10_000;
const longestBackOffMs = 360_000;

/** How long no pod is made after failures since the last success: 10 s, doubled with each (`pkg/controller/job/backoff_utils.go`). */
function backOffMs(pods: readonly Pod[], now: number): number {
  const endOf = (pod: Pod): number => {
    const ends = (pod.status.containerStatuses ?? []).map(({ state }) => state?.terminated?.finishedAt);
    return Math.max(0, ...ends.map((end) => (end === undefined || end === null ? 0 : parseTimestamp(end)))) || now;
  };
  const ends = (phase: string): readonly number[] => pods.filter((pod) => pod.status.phase === phase).map(endOf);
  const lastSuccess = Math.max(0, ...ends('Succeeded'));
  const failures = ends('Failed').filter((end) => end > lastSuccess);
  if (failures.length === 0) return 0;
  return Math.max(...failures) + Math.min(firstBackOffMs * 2 ** (failures.length - 1), longestBackOffMs) - now;
}

function cleanUp(client: ApiClient, clock: SimulatedClock, job: Job, queue: Reconciler): void {
  const seconds = job.spec.ttlSecondsAfterFinished;
  const finished = job.status.conditions?.[0]?.lastTransitionTime;
  if (seconds === undefined || finished === undefined || finished === null) return;
  const age = clock.now() - parseTimestamp(finished);
  if (age >= seconds * 1000) client.delete('jobs.batch', job.metadata.name, job.metadata.namespace);
  else queue.enqueue(keyOf(job), seconds * 1000 - age);
}
