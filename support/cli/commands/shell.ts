import { loadLab } from '../../content/lab.ts';
import { openLab } from '../../drivers.ts';
import { encodeRaw } from '../../simulator/docker/byte-text.ts';
import { UsageError } from '../../verdict/errors.ts';
import type { LabOptions } from '../main.ts';
import { openSimulatorShell } from '../simulator-shell.ts';
import { expectInput, readAll } from '../standard-input.ts';

export interface ShellOptions extends LabOptions {
  readonly at?: string;
  readonly c?: string;
}

/** Time that a solved lab gets to settle before its terminal opens: sessions, roll-outs and leases take seconds. */
const settleMs = 30_000;

/** `outpost shell`: the lab host's terminal. @returns the exit status of the script, or 0 after an interactive session */
export async function shell(options: ShellOptions): Promise<number> {
  if (options.driver === 'live')
    throw new UsageError('usage/live-shell', 'a live lab is used from its own terminal', { fix: 'add --driver simulator' });
  const definition = loadLab(options.lab);
  const input = options.c === undefined ? undefined : expectInput();
  const { lab, warnings, notModelled } = await openLab(definition, { driver: options.driver, seed: options.seed });
  for (const warning of [...warnings, ...notModelled().map((text) => `not simulated: ${text}`)])
    process.stderr.write(`outpost: warning: ${warning}\n`);
  if (options.at !== undefined) {
    const { Grader } = await import('../grade.ts');
    const { refuse } = await import('./run.ts');
    const grader = await Grader.open(definition);
    refuse(await grader.solve(lab, grader.beforeChallenge(options.at)));
    await lab.clock.sleep(settleMs);
  }
  // Tools colour what they print where a terminal is named.
  const { TERM } = process.env;
  const session = await openSimulatorShell(lab, process.stdout.isTTY === true && TERM !== undefined ? { TERM } : {});
  if (options.c === undefined && process.stdin.isTTY === true) {
    const { interact } = await import('../interactive-shell.ts');
    return await interact(session, lab, definition);
  }
  // With -c, standard input belongs to the script; without it, it is the script.
  const stdin = await input?.();
  // What it runs sees the lab host's terminal (docker exec -t needs one), wherever this program's own output goes.
  const result = await session.run(options.c ?? readAll(), { isTerminal: true, isWhole: true, ...(stdin === undefined ? {} : { stdin }) });
  process.stdout.write(encodeRaw(result.stdout));
  process.stderr.write(encodeRaw(result.stderr));
  return result.exitCode;
}
