import type { Timer } from '../../clock/clock.ts';
import { parseImageReference } from '../../docker/image-reference.ts';
import type { Container } from '../../docker/types.ts';
import { LateSet } from '../../net/late-collections.ts';
import { type ContainerSpec, type ContainerStateView, type ContainerStatus, type Probe, timestamp } from '../objects.ts';
import { type ContainerEnvironment, environmentOf, expand, mountedFiles, PodConfigError } from './environment.ts';
import type { PodRuntime } from './pod-worker.ts';
import { type ProbeResult, runProbe } from './probes.ts';

const firstBackOffMs = 10_000;
const longestBackOffMs = 300_000;
/** A container that ran this long has its back-off forgotten. */
const backOffResetMs = 600_000;
/** How often a program that tells its own readiness is asked. */
const readinessPollMs = 1_000;
const steadyPollMs = 5_000;

/** One container of a pod through pulls, starts, probes and restarts. */
export class ContainerRunner {
  readonly spec: ContainerSpec;
  readonly isInit: boolean;
  container: Container | undefined;
  previous: Container | undefined;
  restartCount = 0;
  ready = false;
  started = false;
  state: ContainerStateView = { waiting: { reason: 'ContainerCreating' } };
  lastState: ContainerStateView = {};
  isStopping = false;
  readonly #pod: PodRuntime;
  readonly #timers = new LateSet<Timer>();
  #ends = 0;
  #backOffMs = firstBackOffMs;
  #pullBackOffMs = firstBackOffMs;
  #unsubscribe: (() => void) | undefined;

  constructor(pod: PodRuntime, spec: ContainerSpec, isInit: boolean) {
    this.#pod = pod;
    this.spec = spec;
    this.isInit = isInit;
  }

  get isRunning(): boolean {
    return this.state.running !== undefined;
  }

  get hasEnded(): boolean {
    return this.state.terminated !== undefined;
  }

  /** Takes over from the container that a former run of the node left behind. */
  resume(status: ContainerStatus): void {
    const now = timestamp(this.#pod.clock.now());
    this.restartCount = status.restartCount + 1;
    this.lastState = {
      terminated: {
        containerID: status.containerID ?? '',
        exitCode: 255,
        finishedAt: now,
        reason: 'Unknown',
        startedAt: status.state.running?.startedAt ?? now,
      },
    };
  }

  // ── image ─────────────────────────────────────────────────────────────────────────────────────────────────

  start(): void {
    if (this.isStopping) return;
    const { image } = this.spec;
    const { engine } = this.#pod.node;
    const problem = engine.images.problemOf(image);
    if (problem !== undefined) {
      if (parseImageReference(image) === undefined) {
        this.#refuseName(image);
        return;
      }
      this.#failPull(image, `rpc error: code = NotFound desc = ${problem}`);
      return;
    }
    const policy = this.spec.imagePullPolicy ?? 'IfNotPresent';
    const isPresent = this.#pod.images.has(normalisedImage(image)) || engine.images.resolve(image).isPreloaded === true;
    if (policy === 'Never' && !isPresent) {
      this.#event('Warning', 'ErrImageNeverPull', `Container image ${JSON.stringify(image)} is not present with pull policy of Never`);
      this.#wait('ErrImageNeverPull', `Container image ${JSON.stringify(image)} is not present with pull policy of Never`);
      return;
    }
    if (isPresent && policy !== 'Always') {
      this.#event('Normal', 'Pulled', `Container image ${JSON.stringify(image)} already present on machine`);
      this.#later(this.#pod.random.integer(80, 250), () => this.#create());
      return;
    }
    this.#event('Normal', 'Pulling', `Pulling image ${JSON.stringify(image)}`);
    const pullMs = isPresent ? this.#pod.random.integer(350, 600) : this.#pod.random.integer(600, 1700);
    this.#later(pullMs, () => {
      this.#pod.images.add(normalisedImage(image));
      const duration = goDuration(pullMs);
      this.#event('Normal', 'Pulled', `Successfully pulled image ${JSON.stringify(image)} in ${duration} (${duration} including waiting)`);
      this.#later(this.#pod.random.integer(60, 200), () => this.#create());
    });
  }

  #refuseName(image: string): void {
    const text = `Failed to apply default image tag ${JSON.stringify(image)}: couldn't parse image name ${JSON.stringify(image)}: invalid reference format`;
    this.#event('Warning', 'InspectFailed', text);
    this.#event('Warning', 'Failed', 'Error: InvalidImageName');
    this.#wait('InvalidImageName', text);
    this.#later(15_000, () => this.start());
  }

  #failPull(image: string, why: string): void {
    this.#event('Normal', 'Pulling', `Pulling image ${JSON.stringify(image)}`);
    this.#later(this.#pod.random.integer(500, 1500), () => {
      this.#event('Warning', 'Failed', `Failed to pull image ${JSON.stringify(image)}: ${why}`);
      this.#event('Warning', 'Failed', 'Error: ErrImagePull');
      this.#wait('ErrImagePull', why);
      const backOff = this.#pullBackOffMs;
      this.#pullBackOffMs = Math.min(backOff * 2, longestBackOffMs);
      this.#later(Math.min(3_000, backOff), () => {
        const text = `Back-off pulling image ${JSON.stringify(image)}`;
        this.#event('Normal', 'BackOff', text);
        this.#event('Warning', 'Failed', 'Error: ImagePullBackOff');
        this.#wait('ImagePullBackOff', text);
        this.#later(backOff, () => this.start());
      });
    });
  }

  // ── life ──────────────────────────────────────────────────────────────────────────────────────────────────

  #create(): void {
    const pod = this.#pod;
    const { spec } = this;
    let env: ContainerEnvironment;
    let files: Record<string, string>;
    try {
      env = environmentOf(pod.client, pod.pod, spec, pod.facts);
      files = mountedFiles(pod.client, pod.pod, spec, pod.facts);
    } catch (error) {
      if (!(error instanceof PodConfigError)) throw error;
      this.#event('Warning', 'Failed', `Error: ${error.message}`);
      this.#wait('CreateContainerConfigError', error.message);
      this.#later(10_000, () => this.start());
      return;
    }
    const { node } = pod;
    const container = node.engine.createUnlisted(
      {
        name: `k8s_${spec.name}_${pod.pod.metadata.name}_${pod.pod.metadata.namespace}_${pod.pod.metadata.uid}_${this.restartCount}`,
        image: spec.image,
        hostname: pod.pod.spec.hostNetwork === true ? node.name : (pod.pod.spec.hostname ?? pod.pod.metadata.name),
        ...(spec.command === undefined ? {} : { entrypoint: spec.command.map((word) => expand(word, env.lookup)) }),
        ...(spec.args === undefined ? {} : { command: spec.args.map((word) => expand(word, env.lookup)) }),
        env: env.own,
        linkedEnv: env.links,
        files,
        ...(spec.workingDir === undefined ? {} : { workingDirectory: spec.workingDir }),
        ...(spec.securityContext?.privileged === undefined ? {} : { privileged: spec.securityContext.privileged }),
        labels: {
          'io.kubernetes.container.name': spec.name,
          'io.kubernetes.pod.name': pod.pod.metadata.name,
          'io.kubernetes.pod.namespace': pod.pod.metadata.namespace ?? '',
          'io.kubernetes.pod.uid': pod.pod.metadata.uid,
        },
      },
      pod.namespace,
    );
    this.container = container;
    pod.registerContainer(container);
    this.#event('Normal', 'Created', `Created container ${spec.name}`);
    this.#unsubscribe = container.onStateChange((changed) => {
      if (changed.state === 'exited') this.#ended(changed);
    });
    this.state = { running: { startedAt: timestamp(pod.clock.now()) } };
    this.started = spec.startupProbe === undefined;
    this.#event('Normal', 'Started', `Started container ${spec.name}`);
    container.start();
    if (!this.isRunning) return;
    this.#watchHealth(container);
    pod.changed();
  }

  #ended(container: Container): void {
    if (container !== this.container) return;
    this.#unsubscribe?.();
    this.#cancelTimers();
    const pod = this.#pod;
    const now = timestamp(pod.clock.now());
    const reason = container.exitCode === 0 ? 'Completed' : 'Error';
    const terminated = {
      containerID: `containerd://${container.id}`,
      exitCode: container.exitCode,
      finishedAt: now,
      reason,
      startedAt: timestamp(container.startedAt ?? pod.clock.now()),
    };
    const ranMs = pod.clock.now() - (container.startedAt ?? pod.clock.now());
    this.state = { terminated };
    this.ready = false;
    this.started = false;
    pod.changed();
    if (this.isStopping || !this.#restarts(container.exitCode)) return;
    if (ranMs > backOffResetMs) this.#backOffMs = firstBackOffMs;
    // The first restart comes at once; after that the back-off grows.
    if (this.#ends++ === 0) {
      this.#later(pod.random.integer(300, 900), () => this.#restart());
      return;
    }
    const waitMs = this.#backOffMs;
    this.#backOffMs = Math.min(waitMs * 2, longestBackOffMs);
    this.#later(1_000, () => {
      const place = `${this.spec.name} in pod ${pod.pod.metadata.name}_${pod.pod.metadata.namespace}(${pod.pod.metadata.uid})`;
      this.lastState = this.state;
      this.#event('Warning', 'BackOff', `Back-off restarting failed container ${place}`);
      this.#wait(
        'CrashLoopBackOff',
        `back-off ${goSeconds(waitMs)} restarting failed container=${this.spec.name} pod=${pod.pod.metadata.name}_${pod.pod.metadata.namespace}(${pod.pod.metadata.uid})`,
      );
      this.#later(waitMs, () => this.#restart());
    });
  }

  #restarts(exitCode: number): boolean {
    const policy = this.#pod.pod.spec.restartPolicy ?? 'Always';
    if (this.isInit) return exitCode !== 0 && policy !== 'Never';
    return policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0);
  }

  #restart(): void {
    if (this.state.terminated !== undefined) this.lastState = this.state;
    this.previous = this.container;
    this.restartCount++;
    this.start();
  }

  /** SIGTERM; `done` once the container is gone. An idle main process ignores it until the grace period is over. */
  stop(graceMs: number, done: () => void): void {
    this.isStopping = true;
    this.#cancelTimers();
    const { container } = this;
    if (container === undefined || !this.isRunning) {
      done();
      return;
    }
    this.#event('Normal', 'Killing', `Stopping container ${this.spec.name}`);
    const ignoresTerm = container.programs.every((program) => program.ignoresTerm === true);
    this.#pod.clock.schedule(ignoresTerm ? graceMs : Math.min(graceMs, 1_000), () => {
      container.stop();
      done();
    });
  }

  /** The node's processes are gone: nothing is told, nothing waits. */
  vanish(): void {
    this.isStopping = true;
    this.#cancelTimers();
    this.#unsubscribe?.();
    if (this.container?.state === 'running' || this.container?.state === 'paused') this.container.stop(137);
  }

  // ── health ────────────────────────────────────────────────────────────────────────────────────────────────

  #watchHealth(container: Container): void {
    const { spec } = this;
    const hasProbes = [spec.startupProbe, spec.readinessProbe, spec.livenessProbe].some((probe) => probe !== undefined);
    if (!hasProbes && container.programs.some((program) => program.isReady !== undefined)) {
      this.#poll(container);
      return;
    }
    if (spec.startupProbe !== undefined) {
      const { livenessProbe, readinessProbe } = spec;
      this.#probe(spec.startupProbe, 'Startup', container, (isHealthy) => {
        if (this.started || !isHealthy) return;
        this.started = true;
        this.#begin(readinessProbe, livenessProbe, container);
      });
      return;
    }
    this.#begin(spec.readinessProbe, spec.livenessProbe, container);
  }

  #begin(readiness: Probe | undefined, liveness: Probe | undefined, container: Container): void {
    if (readiness === undefined) this.#setReady(true);
    else this.#probe(readiness, 'Readiness', container, (isHealthy) => this.#setReady(isHealthy));
    if (liveness !== undefined) this.#probe(liveness, 'Liveness', container, () => {});
  }

  /** Without probes in the pod's spec the program says itself when it can serve. */
  #poll(container: Container): void {
    const isReady = container.programs.every((program) => program.isReady?.() !== false);
    if (isReady) this.started = true;
    this.#setReady(isReady);
    this.#later(isReady ? steadyPollMs : readinessPollMs, () => this.#poll(container));
  }

  #probe(probe: Probe, kind: 'Startup' | 'Readiness' | 'Liveness', container: Container, tell: (isHealthy: boolean) => void): void {
    let successes = 0;
    let failures = 0;
    let isOver = false;
    const periodMs = (probe.periodSeconds ?? 10) * 1000;
    const attempt = (): void => {
      if (isOver || this.container !== container || !this.isRunning) return;
      const target = {
        clock: this.#pod.clock,
        node: this.#pod.node.namespace,
        podIp: this.#pod.facts.ips[0] ?? '127.0.0.1',
        container: this.spec,
        running: container,
      };
      runProbe(probe, target, (result: ProbeResult) => {
        if (isOver || this.container !== container || !this.isRunning) return;
        if (result.isOk) {
          failures = 0;
          if (++successes >= (probe.successThreshold ?? 1)) {
            tell(true);
            if (kind === 'Startup') {
              isOver = true;
              return;
            }
          }
        } else {
          successes = 0;
          this.#event('Warning', 'Unhealthy', `${kind} probe failed: ${result.why}`);
          if (++failures >= (probe.failureThreshold ?? 3)) {
            tell(false);
            if (kind !== 'Readiness') {
              isOver = true;
              this.#event('Normal', 'Killing', `Container ${this.spec.name} failed ${kind.toLowerCase()} probe, will be restarted`);
              container.stop();
              return;
            }
          }
        }
      });
      this.#later(periodMs, attempt);
    };
    this.#later((probe.initialDelaySeconds ?? 0) * 1000 + this.#pod.random.integer(50, 300), attempt);
  }

  #setReady(ready: boolean): void {
    if (this.ready === ready) return;
    this.ready = ready;
    this.#pod.changed();
  }

  // ── status ────────────────────────────────────────────────────────────────────────────────────────────────

  status(): ContainerStatus {
    const { container } = this;
    const isPulled = container !== undefined;
    return {
      ...(container === undefined ? {} : { containerID: `containerd://${container.id}` }),
      image: isPulled ? normalisedImage(this.spec.image) : this.spec.image,
      imageID: isPulled ? imageId(this.spec.image, container) : '',
      lastState: this.lastState,
      name: this.spec.name,
      ready: this.isInit ? this.state.terminated?.exitCode === 0 : this.ready,
      restartCount: this.restartCount,
      ...(this.isInit ? {} : { started: this.isRunning && this.started }),
      state: this.state,
    };
  }

  #wait(reason: string, message?: string): void {
    this.state = { waiting: { ...(message === undefined ? {} : { message }), reason } };
    this.#pod.changed();
  }

  #event(type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#pod.event(type, reason, message);
  }

  #later(delayMs: number, action: () => void): void {
    const timer = this.#pod.clock.schedule(delayMs, () => {
      this.#timers.delete(timer);
      action();
    });
    this.#timers.add(timer);
  }

  #cancelTimers(): void {
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
  }
}

/** `docker.io/library/nginx:latest`, as containerd lists it. */
export function normalisedImage(reference: string): string {
  const [named = '', digest] = reference.split('@');
  const slash = named.lastIndexOf('/');
  const colon = named.indexOf(':', slash + 1);
  const name = colon < 0 ? named : named.slice(0, colon);
  const tag = colon < 0 ? undefined : named.slice(colon + 1);
  const first = name.split('/')[0] ?? '';
  const hasRegistry = name.includes('/') && (first.includes('.') || first.includes(':') || first === 'localhost');
  const full = hasRegistry ? name : `docker.io/${name.includes('/') ? name : `library/${name}`}`;
  if (tag !== undefined) return `${full}:${tag}`;
  return digest === undefined ? `${full}:latest` : `${full}@${digest}`;
}

const imageIds = new WeakMap<Container['image'], Map<string, string>>();

/** The same text for all containers of an image. */
function imageId(reference: string, container: Container): string {
  let known = imageIds.get(container.image);
  if (known === undefined) {
    known = new Map();
    imageIds.set(container.image, known);
  }
  let id = known.get(reference);
  if (id === undefined) {
    id = imageIdOf(reference, container);
    known.set(reference, id);
  }
  return id;
}

function imageIdOf(reference: string, container: Container): string {
  const name = normalisedImage(reference.split('@')[0] ?? reference).replace(/:[^/:]+$/, '');
  const digest = /@(sha256:[0-9a-f]+)/.exec(reference)?.[1] ?? container.image.digest ?? fakeDigest(name);
  return `${name}@${digest}`;
}

/** A digest for images that have none: a function of their name. */
function fakeDigest(name: string): string {
  let text = '';
  for (let part = 0; part < 8; part++) {
    let hash = 0x811c9dc5 ^ part;
    for (let index = 0; index < name.length; index++) hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193);
    text += (hash >>> 0).toString(16).padStart(8, '0');
  }
  return `sha256:${text}`;
}

/** `1.234s`, `856.1ms` as Go prints durations. */
function goDuration(milliseconds: number): string {
  return milliseconds >= 1000 ? `${milliseconds / 1000}s` : `${milliseconds}ms`;
}

function goSeconds(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  const minutes = Math.floor(seconds / 60);
  return minutes === 0 ? `${seconds}s` : `${minutes}m${seconds % 60}s`;
}
