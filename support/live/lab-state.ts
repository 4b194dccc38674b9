import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { EnvironmentError } from '../verdict/errors.ts';

export interface StepState {
  readonly state: 'begun' | 'done';
  /** What it was made from: another one means that the content has changed since. */
  readonly fingerprint: string;
  readonly durationMs?: number;
}

/** What `outpost up` has made, written down before it makes it: `down` takes away this and nothing else. */
export interface LabRecord {
  readonly version: 1;
  readonly lab: string;
  /** Folder of the lab. */
  readonly root: string;
  /** Name of the kind cluster. */
  readonly cluster: string;
  readonly engine: string;
  readonly topology?: { readonly name: string; readonly file: string; readonly network: string };
  /** Of what the tools make beside containers, what was there before. */
  readonly before: {
    readonly networks: readonly string[];
    readonly files: readonly string[];
    /** The context that kubectl used. */
    readonly context?: string;
  };
  readonly steps: Readonly<Record<string, StepState>>;
  /** Containers of the cluster: one of that name whose containers are others is somebody else's. */
  readonly nodeIds?: readonly string[];
  /** Images that it builds. */
  readonly images?: readonly string[];
  /** The files of KUBECONFIG, into which the cluster's context was written. */
  readonly kubeconfig?: string;
  /** Addresses of the nodes when the lab was up: a restart of the engine may give them others. */
  readonly addresses?: Readonly<Record<string, readonly string[]>>;
}

export function engineName(env: NodeJS.ProcessEnv = process.env): string {
  return env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock';
}

/** Where records and locks are: by user and machine, since that is what labs live on. */
export function stateFolder(env: NodeJS.ProcessEnv = process.env): string {
  const base = env['XDG_STATE_HOME'];
  return join(base === undefined || base === '' ? join(homedir(), '.local', 'state') : base, 'outpost');
}

/** The record of one cluster on one engine. Two clones of a lab that share both share the lab. */
export class LabState {
  readonly folder: string;
  readonly #file: string;

  constructor(cluster: string, engine = engineName(), base = stateFolder()) {
    const id = createHash('sha256').update(`${engine}\n${cluster}`).digest('hex').slice(0, 8);
    this.folder = join(base, `${cluster}-${id}`);
    this.#file = join(this.folder, 'lab.json');
  }

  get lockFile(): string {
    return `${this.folder}.lock`;
  }

  read(): LabRecord | undefined {
    return readRecord(this.#file);
  }

  /** @throws EnvironmentError when it cannot be kept: what is not written down could not be taken away */
  write(record: LabRecord): void {
    try {
      mkdirSync(this.folder, { recursive: true });
      writeFileSync(`${this.#file}.new`, `${JSON.stringify(record, null, 2)}\n`);
      renameSync(`${this.#file}.new`, this.#file);
    } catch (cause) {
      throw new EnvironmentError(
        'live/state',
        `what was made cannot be written down in ${this.folder}: ${(cause as Error).message}`,
        { fix: 'name a folder that can be written with XDG_STATE_HOME' },
        { cause },
      );
    }
  }

  forget(): void {
    try {
      rmSync(this.folder, { recursive: true, force: true });
    } catch (cause) {
      throw new EnvironmentError(
        'live/state',
        `${this.folder} cannot be removed: ${(cause as Error).message}`,
        { hint: 'the lab is gone; what is left is its record, or files of containerlab', fix: `sudo rm -r ${this.folder}` },
        { cause },
      );
    }
  }
}

/** Records of every lab that was brought up on an engine. */
export function allRecords(engine = engineName(), base = stateFolder()): LabRecord[] {
  if (!existsSync(base)) return [];
  return readdirSync(base)
    .map((name) => readRecord(join(base, name, 'lab.json')))
    .filter((record): record is LabRecord => record !== undefined && record.engine === engine);
}

function readRecord(file: string): LabRecord | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
  try {
    const record = JSON.parse(text) as LabRecord;
    if (record.version === 1 && typeof record.cluster === 'string') return record;
  } catch {
    // Said below.
  }
  throw new EnvironmentError('live/state', `${file} cannot be read as the record of a lab`, {
    hint: 'it says what outpost made, and what it must leave alone',
    fix: `look at it, then remove it; kind get clusters and containerlab inspect --all tell what is left`,
  });
}
