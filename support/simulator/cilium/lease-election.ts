import type { SimulatedClock, Timer } from '../clock/clock.ts';
import type { Random } from '../clock/random.ts';
import { type Lease, microTimestamp } from '../kubernetes/objects.ts';
import type { ApiClient } from '../kubernetes/types.ts';
import { ciliumNamespace, resources } from './objects.ts';

export interface ElectionOptions {
  readonly api: ApiClient;
  readonly clock: SimulatedClock;
  readonly random: Random;
  readonly leaseName: string;
  readonly identity: string;
  readonly leaseDurationMs: number;
  readonly renewDeadlineMs: number;
  readonly retryPeriodMs: number;
  /** False while the machine of the candidate is frozen or cut off: it can neither read nor write the lease. */
  readonly isAbleToWork: () => boolean;
  onStarted(): void;
  onStopped(): void;
}

/** A candidate for one lease, as client-go's leader election works (`tools/leaderelection`). */
export interface Election {
  readonly isLeader: boolean;
  /** `release`: gives the lease back (an empty holder), so that another takes over within a retry period. */
  stop(release: boolean): void;
}

/** client-go's JitterFactor for the pause between two tries to acquire. */
const jitterFactor = 1.2;

/**
 * Joins an election; the first try is `initialDelayMs` from now. The holder renews every retry period and gives up
 * when it could not for the renew deadline; a candidate takes a lease whose record it has not seen change for the
 * lease's duration.
 */
export function joinElection(options: ElectionOptions, initialDelayMs = 0): Election {
  const { api, clock, random, leaseName, identity } = options;
  let isLeader = false;
  let isStopped = false;
  let timer: Timer | undefined;
  let observed: string | undefined;
  let observedAt = 0;
  let renewedAt = 0;

  const write = (lease: Lease | undefined, spec: Lease['spec']): boolean => {
    try {
      if (lease === undefined) {
        api.create({
          apiVersion: 'coordination.k8s.io/v1',
          kind: 'Lease',
          metadata: { name: leaseName, namespace: ciliumNamespace },
          spec,
        });
      } else {
        api.update({ ...lease, spec });
      }
      return true;
    } catch {
      // Somebody else was quicker (AlreadyExists, Conflict): the next try sees the new record.
      return false;
    }
  };

  const tryAcquireOrRenew = (): boolean => {
    if (!options.isAbleToWork()) return false;
    const now = clock.now();
    const lease = api.get<Lease>(resources.lease, leaseName, ciliumNamespace);
    const renewTime = microTimestamp(now);
    const leaseDurationSeconds = options.leaseDurationMs / 1000;
    if (lease === undefined) {
      return write(undefined, { acquireTime: renewTime, holderIdentity: identity, leaseDurationSeconds, leaseTransitions: 0, renewTime });
    }
    const record = lease.metadata.resourceVersion;
    if (record !== observed) {
      observed = record;
      observedAt = now;
    }
    const { holderIdentity = '', leaseTransitions = 0, acquireTime } = lease.spec;
    const holds = holderIdentity === identity;
    if (!holds && holderIdentity !== '' && observedAt + options.leaseDurationMs > now) return false;
    return write(lease, {
      acquireTime: holds && acquireTime !== undefined ? acquireTime : renewTime,
      holderIdentity: identity,
      leaseDurationSeconds,
      leaseTransitions: holds ? leaseTransitions : leaseTransitions + 1,
      renewTime,
    });
  };

  const later = (delayMs: number, run: () => void) => {
    timer = clock.schedule(delayMs, run);
  };

  const acquire = (): void => {
    if (tryAcquireOrRenew()) {
      isLeader = true;
      renewedAt = clock.now();
      later(options.retryPeriodMs, renew);
      options.onStarted();
      return;
    }
    later(options.retryPeriodMs * (1 + jitterFactor * random.fraction()), acquire);
  };

  const renew = (): void => {
    if (!options.isAbleToWork()) {
      // A frozen process does not even see that its deadline passes.
      later(options.retryPeriodMs, renew);
      return;
    }
    if (tryAcquireOrRenew()) {
      renewedAt = clock.now();
    } else if (clock.now() - renewedAt >= options.renewDeadlineMs) {
      isLeader = false;
      options.onStopped();
      if (!isStopped) later(options.retryPeriodMs, acquire);
      return;
    }
    later(options.retryPeriodMs, renew);
  };

  later(initialDelayMs, acquire);
  return {
    get isLeader() {
      return isLeader;
    },
    stop(release) {
      if (isStopped) return;
      isStopped = true;
      timer?.cancel();
      const wasLeader = isLeader;
      isLeader = false;
      if (!wasLeader) return;
      const lease = release && options.isAbleToWork() ? api.get<Lease>(resources.lease, leaseName, ciliumNamespace) : undefined;
      if (lease !== undefined && lease.spec.holderIdentity === identity) {
        const time = microTimestamp(clock.now());
        write(lease, {
          acquireTime: time,
          holderIdentity: '',
          leaseDurationSeconds: 1,
          leaseTransitions: lease.spec.leaseTransitions ?? 0,
          renewTime: time,
        });
      }
      options.onStopped();
    },
  };
}
