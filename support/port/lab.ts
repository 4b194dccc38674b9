/** What a program printed and how it ended. Failure and success have the same shape. */
export interface ExecResult {
  readonly argv: readonly string[];
  /** The container it ran in; undefined for the lab host. */
  readonly container: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
  /** What was printed to the byte, where that is no UTF-8: the text has U+FFFD in place of what cannot be read. */
  readonly bytes?: { readonly stdout?: Uint8Array; readonly stderr?: Uint8Array };
  readonly exitCode: number;
  readonly startedAt: number;
  readonly durationMs: number;
}

export interface ExecOptions {
  readonly stdin?: string;
  readonly timeoutMs?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** One time, used for reading and for waiting: virtual in the simulator, real in a live lab. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  sleep(durationMs: number): Promise<void>;
}

export interface LabStatus {
  readonly isUp: boolean;
  /** One line for a person. */
  readonly detail: string;
}

/**
 * A lab as its steps see it: a lab host with a terminal, and containers. Both drivers implement it, and
 * lab.contract.ts holds what they promise alike. `argv` is always a list: no shell string is built from data.
 */
export interface Lab {
  readonly driver: 'live' | 'simulator';
  readonly clock: Clock;
  /** A program on the lab host, in the learner's home. @throws EnvironmentError when it cannot be run or times out */
  exec(argv: readonly string[], options?: ExecOptions): Promise<ExecResult>;
  /** `docker exec CONTAINER ARGV…`. @throws EnvironmentError when there is no such container or it does not run */
  execIn(container: string, argv: readonly string[], options?: ExecOptions): Promise<ExecResult>;
  up(): Promise<void>;
  down(): Promise<void>;
  /** Back to the state right after `up`. */
  reset(): Promise<void>;
  status(): Promise<LabStatus>;
}
