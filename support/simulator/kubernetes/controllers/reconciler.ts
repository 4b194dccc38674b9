import type { SimulatedClock, Timer } from '../../clock/clock.ts';
import { ApiError } from '../apiserver/errors.ts';
import type { KubernetesObject, Reconciler } from '../types.ts';

export interface ReconcilerOptions {
  readonly name: string;
  /** Between the first mention of a key and its turn; changes of a moment are handled together. */
  readonly delayMs?: number;
  reconcile(key: string): void;
  /** Told of refusals of the API server before the retry; anything else that is thrown is a bug and surfaces. */
  onError?(key: string, error: ApiError): void;
}

/** Objects as a controller wrote them last in a turn: their change tells it nothing that it had not seen. */
export type OwnWrites = WeakSet<KubernetesObject>;

const defaultDelayMs = 5;
/** client-go's default item backoff: 5 ms doubling up to 1000 s. */
const firstRetryMs = 5;
const longestRetryMs = 1_000_000;

/** A work queue on virtual time: each key is reconciled once for all its mentions, and again with backoff when the API refused. */
export function createReconciler(clock: SimulatedClock, options: ReconcilerOptions): Reconciler {
  const waiting = new Map<string, Timer>();
  const failures = new Map<string, number>();
  let isStopped = false;

  function enqueue(key: string, delayMs = options.delayMs ?? defaultDelayMs): void {
    if (isStopped) return;
    const planned = waiting.get(key);
    if (planned !== undefined) {
      if (planned.at <= clock.now() + delayMs) return;
      planned.cancel();
    }
    waiting.set(
      key,
      clock.schedule(delayMs, () => run(key)),
    );
  }

  function run(key: string): void {
    waiting.delete(key);
    if (isStopped) return;
    try {
      options.reconcile(key);
      failures.delete(key);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      options.onError?.(key, error);
      const count = failures.get(key) ?? 0;
      failures.set(key, count + 1);
      enqueue(key, Math.min(firstRetryMs * 2 ** count, longestRetryMs));
    }
  }

  return {
    enqueue,
    stop() {
      isStopped = true;
      for (const timer of waiting.values()) timer.cancel();
      waiting.clear();
    },
  };
}
