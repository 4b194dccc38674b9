/** The form of a recording, described in README.md beside this file. A change that old readers would misread raises the version. */
export const recordingFormat = 'outpost-recording';
export const recordingVersion = 1;

/** The file that says what a recording is of, and the one with its commands, a JSON object a line. */
export const headerFile = 'recording.json';
export const commandsFile = 'commands.ndjson';

/** What was printed: a text, or, when it is no UTF-8, its bytes. */
export type Printed = string | { readonly base64: string };

export interface RecordingHeader {
  readonly format: typeof recordingFormat;
  readonly version: number;
  readonly lab: string;
  readonly title: string;
  readonly driver: 'live' | 'simulator';
  /** Which driver and why, in one line. */
  readonly note: string;
  /** Of the simulator; null for a live lab. */
  readonly seed: number | null;
  /** `run` or `check`. */
  readonly command: string;
  /** The lab's time at the beginning. */
  readonly startedAt: string;
  readonly outpost: string;
  readonly node: string;
  /** First line of each tool's `version`, by its name; tools that are not there are left out. */
  readonly tools: Readonly<Record<string, string>>;
  /** Ranges of the cluster's pods and services: addresses in them differ between two runs. */
  readonly networks: Networks;
  /** False while the run goes on, and for ever in a recording of a run that was killed. */
  readonly isComplete: boolean;
  /** Of the run; null while it goes on. */
  readonly exitCode: number | null;
  /** What this run used that the simulator leaves out. */
  readonly notModelled: readonly string[];
}

export interface Networks {
  readonly pods: readonly string[];
  readonly services: readonly string[];
}

/** Where in a run a command was: absent parts are null. */
export interface Place {
  readonly challenge: string | null;
  /** Path of the feature file, relative to the lab. */
  readonly feature: string | null;
  readonly scenario: string | null;
  /** Which scenario of the run, from 1: those of an outline may have one name. */
  readonly scenarioNumber: number | null;
  readonly step: string | null;
  /** Line of the step in its feature. */
  readonly line: number | null;
}

export interface RecordedCommand extends Place {
  /** From 1, in the order in which commands ended. */
  readonly n: number;
  /** `prepare`: done before the selected scenarios, not graded. */
  readonly phase: 'prepare' | 'run';
  /** null: on the lab host. */
  readonly container: string | null;
  readonly argv: readonly string[];
  readonly stdin: string | null;
  readonly env: Readonly<Record<string, string>>;
  readonly stdout: Printed;
  readonly stderr: Printed;
  /** null when the command could not be run or gave no answer in time: `error` says why. */
  readonly exitCode: number | null;
  readonly error: string | null;
  readonly startedAt: string;
  readonly durationMs: number;
}

/** A recording as it is compared. A transcript has no header, and does not know every output. */
export interface Recording {
  readonly path: string;
  readonly header: RecordingHeader | undefined;
  readonly commands: readonly ComparedCommand[];
}

export type ComparedCommand = Pick<RecordedCommand, 'container' | 'argv' | 'stdin' | 'exitCode' | 'error'> &
  Place & {
    /** undefined: the recording does not show it. */
    readonly stdout: string | undefined;
    readonly stderr: string | undefined;
    /** A line that was typed, when it was one. */
    readonly line: number | null;
  };
