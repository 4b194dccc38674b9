import type { SimulatedClock } from '../../clock/clock.ts';
import type { Random } from '../../clock/random.ts';
import type { ApiClient } from '../../kubernetes/types.ts';
import type { CiliumConfig, CiliumVersion } from '../types.ts';

/** What the parts of the leading operator share. */
export interface OperatorContext {
  readonly api: ApiClient;
  readonly clock: SimulatedClock;
  readonly random: Random;
  readonly config: CiliumConfig;
  readonly version: CiliumVersion;
  /** The process ends with Go's words for a nil pointer; its pod starts it again. */
  panic(): void;
  log(level: 'info' | 'warning' | 'error', message: string, fields?: Readonly<Record<string, string>>): void;
}

export interface OperatorPart {
  stop(): void;
}
