import { closeSync, existsSync, openSync, readdirSync, renameSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { ExecOptions, ExecResult, Lab } from '../port/lab.ts';
import { makeFolder, whyNotWritten } from '../reports/folder.ts';
import { EnvironmentError, OutpostError, UsageError } from '../verdict/errors.ts';
import { findHeader } from './read-recording.ts';
import { commandsFile, headerFile, type Place, type Printed, type RecordedCommand, type RecordingHeader } from './recording.ts';

const nowhere: Place = { challenge: null, feature: null, scenario: null, scenarioNumber: null, step: null, line: null };

/**
 * Writes down every command of a lab, in the form that README.md beside this file describes. Each command is in the file
 * as soon as it has ended, so a run that is killed leaves what it did.
 */
export class LabRecorder {
  readonly #folder: string;
  readonly #descriptor: number;
  #header: RecordingHeader | undefined;
  #place: Place = nowhere;
  #phase: RecordedCommand['phase'] = 'prepare';
  #count = 0;
  #failure: EnvironmentError | undefined;

  /**
   * @param folder made if need be; an earlier recording in it is replaced
   * @throws UsageError for a folder of something else; EnvironmentError when it cannot be written
   */
  constructor(folder: string) {
    refuseForeign(folder);
    const place = resolve(folder);
    this.#folder = place;
    this.#descriptor = this.#writing(() => {
      makeFolder(place);
      return openSync(join(place, commandsFile), 'w');
    });
  }

  /** Says what the recording is of. */
  begin(header: Omit<RecordingHeader, 'isComplete' | 'exitCode' | 'notModelled'>): void {
    this.#writeHeader({ ...header, isComplete: false, exitCode: null, notModelled: [] });
  }

  /** From here on commands are those of the graded scenarios. */
  startRun(): void {
    this.#phase = 'run';
  }

  /** Where the run is: commands that follow belong there. */
  at(place: Place | undefined): void {
    this.#place = place ?? nowhere;
  }

  /** @param ending what is known at the end only */
  end(ending: Pick<RecordingHeader, 'exitCode' | 'notModelled'> & { readonly tools?: RecordingHeader['tools'] }): void {
    const header = this.#header;
    if (header !== undefined) this.#attempt(() => this.#writeHeader({ ...header, ...ending, isComplete: true }));
    closeSync(this.#descriptor);
  }

  /** The same lab, whose commands are recorded. */
  lab(lab: Lab): Lab {
    const record = async (
      container: string | undefined,
      argv: readonly string[],
      options: ExecOptions,
      running: () => Promise<ExecResult>,
    ) => {
      const place = this.#place;
      const startedAt = lab.clock.now();
      const asked = { argv, container, options, place };
      try {
        const result = await running();
        this.#add(asked, result);
        return result;
      } catch (error) {
        const why = error instanceof OutpostError ? error.shortMessage : String(error);
        this.#add(asked, { stdout: '', stderr: '', startedAt, durationMs: lab.clock.now() - startedAt }, why);
        throw error;
      }
    };
    return {
      driver: lab.driver,
      clock: lab.clock,
      exec: (argv, options = {}) => record(undefined, argv, options, () => lab.exec(argv, options)),
      execIn: (container, argv, options = {}) => record(container, argv, options, () => lab.execIn(container, argv, options)),
      up: () => lab.up(),
      down: () => lab.down(),
      reset: () => lab.reset(),
      status: () => lab.status(),
    };
  }

  #add(
    asked: {
      readonly argv: readonly string[];
      readonly container: string | undefined;
      readonly options: ExecOptions;
      readonly place: Place;
    },
    result: Omit<ExecResult, 'argv' | 'container' | 'exitCode'> & { readonly exitCode?: number },
    error?: string,
  ): void {
    const command: RecordedCommand = {
      n: ++this.#count,
      ...asked.place,
      phase: this.#phase,
      container: asked.container ?? null,
      argv: asked.argv,
      stdin: asked.options.stdin ?? null,
      env: asked.options.env ?? {},
      stdout: printed(result.stdout, result.bytes?.stdout),
      stderr: printed(result.stderr, result.bytes?.stderr),
      exitCode: result.exitCode ?? null,
      error: error ?? null,
      startedAt: new Date(result.startedAt).toISOString(),
      durationMs: result.durationMs,
    };
    this.#attempt(() => writeWhole(this.#descriptor, `${JSON.stringify(command)}\n`));
  }

  /** What keeps the recording from being whole: the run goes on without it. */
  get failure(): EnvironmentError | undefined {
    return this.#failure;
  }

  #attempt(write: () => void): void {
    if (this.#failure !== undefined) return;
    try {
      this.#writing(write);
    } catch (error) {
      if (!(error instanceof EnvironmentError)) throw error;
      this.#failure = error;
    }
  }

  /** Whole or not at all: a reader never meets half a header. */
  #writeHeader(header: RecordingHeader): void {
    this.#header = header;
    this.#writing(() => {
      const file = join(this.#folder, headerFile);
      writeFileSync(`${file}.new`, `${JSON.stringify(header, null, 2)}\n`);
      renameSync(`${file}.new`, file);
    });
  }

  #writing<T>(write: () => T): T {
    try {
      return write();
    } catch (cause) {
      const why = whyNotWritten(cause);
      if (why === undefined) throw cause;
      throw new EnvironmentError(
        'recording/folder',
        `the recording cannot be written to ${this.#folder}: ${why}`,
        { fix: 'name a folder that can be written with --record DIR' },
        { cause },
      );
    }
  }
}

function printed(text: string, bytes: Uint8Array | undefined): Printed {
  return bytes === undefined ? text : { base64: Buffer.from(bytes).toString('base64') };
}

/** A write may take less than it was given. */
function writeWhole(descriptor: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let done = 0; done < bytes.length; ) done += writeSync(descriptor, bytes, done);
}

/** Nothing that is not a recording is written over. @throws UsageError */
function refuseForeign(folder: string): void {
  if (folder === '') throw new UsageError('usage/record', '--record takes a folder, and got none');
  if (!existsSync(folder)) return;
  if (!statSync(folder).isDirectory()) throw new UsageError('usage/record', `--record takes a folder, and ${folder} is a file`);
  const foreign = readdirSync(folder).filter((name) => name !== headerFile && name !== commandsFile && name !== `${headerFile}.new`);
  const isEmpty = readdirSync(folder).length === 0;
  if (isEmpty || (foreign.length === 0 && findHeader(folder) !== undefined)) return;
  throw new UsageError('usage/record', `${folder} is not empty, and what is in it is no recording`, {
    hint: `it holds ${(foreign[0] ?? readdirSync(folder)[0]) as string}; nothing of it was touched`,
    fix: 'name a new folder with --record DIR',
  });
}
