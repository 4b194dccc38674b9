import type { ExecResult, Lab } from '../port/lab.ts';
import { formatCommand } from '../tools/run.ts';

interface Entry {
  readonly command: string;
  readonly output: string;
  readonly firstAt: number;
  lastAt: number;
  times: number;
}

/** Different outputs of one command that a step keeps: the first and the last ones tell the story. */
const keptAtEachEnd = 4;

/** The commands of one step and what they printed, for its reports. */
export class Evidence {
  readonly #start: number;
  #entries: Entry[] = [];

  /** @param start the lab's time at its beginning: times are told from there, so that two runs give the same text */
  constructor(start: number) {
    this.#start = start;
  }

  record(result: ExecResult): void {
    const command = formatCommand(result);
    const output = formatOutput(result);
    const last = this.#entries.findLast((entry) => entry.command === command);
    if (last !== undefined && last.output === output) {
      last.times++;
      last.lastAt = result.startedAt;
      return;
    }
    this.#entries.push({ command, output, firstAt: result.startedAt, lastAt: result.startedAt, times: 1 });
  }

  /** The text of what was recorded since the last call, one block a command; empty when nothing was run. */
  drain(): string {
    const entries = this.#entries;
    this.#entries = [];
    const total = new Map<string, number>();
    for (const { command } of entries) total.set(command, (total.get(command) ?? 0) + 1);
    const seen = new Map<string, number>();
    const blocks: string[] = [];
    for (const entry of entries) {
      const index = seen.get(entry.command) ?? 0;
      const count = total.get(entry.command) ?? 0;
      seen.set(entry.command, index + 1);
      const isKept = index < keptAtEachEnd || index >= count - keptAtEachEnd;
      if (isKept) blocks.push(this.#format(entry));
      else if (index === keptAtEachEnd)
        blocks.push(`… ${count - 2 * keptAtEachEnd} more times, with other output each: ${entry.command}\n`);
    }
    return blocks.join('\n');
  }

  #format(entry: Entry): string {
    const at = this.#seconds(entry.firstAt);
    const when = entry.times === 1 ? `at ${at} s` : `${entry.times} times the same, from ${at} s to ${this.#seconds(entry.lastAt)} s`;
    return `# ${when}\n$ ${entry.command}\n${entry.output}`;
  }

  #seconds(at: number): string {
    return ((at - this.#start) / 1000).toFixed(3);
  }
}

function formatOutput(result: ExecResult): string {
  const lines = [result.stdout.replace(/\n?$/, result.stdout === '' ? '' : '\n')];
  if (result.stderr !== '') lines.push(result.stderr.replace(/\n?$/, '\n'));
  if (result.exitCode !== 0) lines.push(`[exit status ${result.exitCode}]\n`);
  return lines.join('');
}

/** The same lab, whose commands are recorded. */
export function recordingLab(lab: Lab, evidence: Evidence): Lab {
  const recorded = async (running: Promise<ExecResult>): Promise<ExecResult> => {
    const result = await running;
    evidence.record(result);
    return result;
  };
  return {
    driver: lab.driver,
    clock: lab.clock,
    exec: (argv, options) => recorded(lab.exec(argv, options)),
    execIn: (container, argv, options) => recorded(lab.execIn(container, argv, options)),
    up: () => lab.up(),
    down: () => lab.down(),
    reset: () => lab.reset(),
    status: () => lab.status(),
  };
}
