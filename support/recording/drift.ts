import { formatCommand } from '../tools/run.ts';
import { type DiffLine, diffLines } from './line-diff.ts';
import { canonicalJson, kindsOfTraffic, listsTraffic, type Mask, masksFor } from './masks.ts';
import type { ComparedCommand, Networks, Recording } from './recording.ts';

/** How one command, or one scenario, of two recordings compares. */
export interface Comparison {
  /** Challenge or feature, scenario and step: what it belongs to. */
  readonly group: string;
  readonly step: string | undefined;
  /** As typed on the lab host. */
  readonly command: string;
  readonly kind: 'same' | 'different' | 'only in A' | 'only in B';
  /** What differs, a word each: `exit status 0 → 1`, `output`, `error output`. */
  readonly what: readonly string[];
  readonly diff: readonly DiffLine[];
  /** How often it was run in a row, in each recording: a wait asks again and again, and its last answer is compared. */
  readonly times: readonly [number, number];
}

export interface Drift {
  readonly comparisons: readonly Comparison[];
  readonly masks: readonly Mask[];
  readonly isDifferent: boolean;
}

/** Compares two recordings by command, after masking what differs between any two runs. */
export function compareRecordings(a: Recording, b: Recording): Drift {
  const masks = masksFor(networksOf(a, b));
  const mask = (text: string) => masks.reduce((masked, { apply }) => apply(masked), text);
  const ours = observe(a, mask);
  const theirs = observe(b, mask);
  const comparisons = align([...ours.keys()], [...theirs.keys()]).map((key) => compare(ours.get(key), theirs.get(key), mask));
  return { comparisons, masks, isDifferent: comparisons.some(({ kind }) => kind !== 'same') };
}

/** Ranges of both: a transcript knows none, and a simulated run has those of its live counterpart. */
function networksOf(a: Recording, b: Recording): Networks {
  const of = (key: keyof Networks) => [...new Set([...(a.header?.networks[key] ?? []), ...(b.header?.networks[key] ?? [])])];
  return { pods: of('pods'), services: of('services') };
}

/** The last answer to a command of a step, and how often it was asked for. */
interface Observation {
  readonly last: ComparedCommand;
  readonly times: number;
}

/**
 * Commands by what makes them the same in two recordings: where they belong, and their words without what varies. A
 * command that a step runs again and again is one; outside of steps each run counts by itself.
 */
function observe({ commands }: Recording, mask: (text: string) => string): ReadonlyMap<string, Observation> {
  const found = new Map<string, Observation>();
  const runs = new Map<string, number>();
  for (const command of commands) {
    const words = mask(JSON.stringify([command.container, command.argv, command.stdin]));
    const place = [command.challenge ?? command.feature, command.scenario, command.step];
    let key = JSON.stringify([...place, words]);
    if (command.step === null) {
      const run = (runs.get(key) ?? 0) + 1;
      runs.set(key, run);
      key = JSON.stringify([...place, words, run]);
    } else {
      // Scenarios of one name (examples that do not show in it) are told apart by their order.
      key = JSON.stringify([...place, words, nth(runs, command)]);
    }
    found.set(key, { last: command, times: (found.get(key)?.times ?? 0) + 1 });
  }
  return found;
}

/** Which scenario of its name this is, from 1. */
function nth(runs: Map<string, number>, { feature, scenario, scenarioNumber }: ComparedCommand): number {
  const name = JSON.stringify(['scenario', feature, scenario]);
  const known = JSON.stringify(['scenario', feature, scenario, scenarioNumber]);
  const found = runs.get(known);
  if (found !== undefined) return found;
  const number = (runs.get(name) ?? 0) + 1;
  runs.set(name, number);
  runs.set(known, number);
  return number;
}

/** All keys once, in the order of A, with those of B alone where B has them. */
function align(a: readonly string[], b: readonly string[]): readonly string[] {
  const inA = new Set(a);
  const inB = new Set(b);
  const all: string[] = [];
  const told = new Set<string>();
  let next = 0;
  const tellUntil = (key: string | undefined) => {
    for (; next < b.length && b[next] !== key; next++) {
      const candidate = b[next] as string;
      if (!inA.has(candidate) && !told.has(candidate)) {
        told.add(candidate);
        all.push(candidate);
      }
    }
  };
  for (const key of a) {
    if (inB.has(key) && b.indexOf(key, next) >= 0) tellUntil(key);
    all.push(key);
  }
  tellUntil(undefined);
  return all;
}

function compare(a: Observation | undefined, b: Observation | undefined, mask: (text: string) => string): Comparison {
  const shown = (a ?? b) as Observation;
  const common = {
    group: groupOf(shown.last),
    step: shown.last.step ?? undefined,
    command: typed(shown.last),
    times: [a?.times ?? 0, b?.times ?? 0] as const,
  };
  if (a === undefined || b === undefined) return { ...common, kind: a === undefined ? 'only in B' : 'only in A', what: [], diff: [] };
  const what: string[] = [];
  const diff: DiffLine[] = [];
  const isTerminal = a.last.stderr === undefined || b.last.stderr === undefined;
  for (const stream of isTerminal ? (['terminal'] as const) : (['stdout', 'stderr'] as const)) {
    const [before, after] = [printed(a.last, stream), printed(b.last, stream)];
    // What a recording does not show cannot differ.
    if (before === undefined || after === undefined) continue;
    const isTraffic = listsTraffic(shown.last.argv);
    const [left, right] = [lines(before, mask, isTraffic), lines(after, mask, isTraffic)];
    if (left.join('\n') === right.join('\n')) continue;
    what.push(stream === 'stderr' ? 'error output' : 'output');
    diff.push(...diffLines(left, right));
  }
  if (a.last.exitCode !== b.last.exitCode) what.unshift(`exit status ${status(a.last)} → ${status(b.last)}`);
  if (mask(a.last.error ?? '') !== mask(b.last.error ?? '')) what.push(`error ${a.last.error ?? 'none'} → ${b.last.error ?? 'none'}`);
  return { ...common, kind: what.length === 0 ? 'same' : 'different', what, diff };
}

function printed(command: ComparedCommand, stream: 'stdout' | 'stderr' | 'terminal'): string | undefined {
  if (stream !== 'terminal') return command[stream];
  return command.stdout === undefined ? undefined : `${command.stdout}${command.stderr ?? ''}`;
}

function lines(text: string, mask: (text: string) => string, isTraffic: boolean): string[] {
  return (isTraffic ? kindsOfTraffic(text, mask) : mask(canonicalJson(text) ?? text)).replace(/\n+$/, '').split('\n');
}

function status({ exitCode }: ComparedCommand): string {
  return exitCode === null ? 'none' : String(exitCode);
}

function groupOf({ challenge, feature, scenario }: ComparedCommand): string {
  return [challenge ?? feature, scenario].filter((part) => part !== null).join(': ') || 'outside of scenarios';
}

/** A line of a terminal as it was typed; anything else as it would be. */
function typed({ argv, container }: ComparedCommand): string {
  const [program, option, script] = argv;
  if (program === 'sh' && option === '-c' && argv.length === 3 && container === null) return script ?? '';
  return formatCommand({ argv, container: container ?? undefined });
}
