import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { EnvironmentError } from '../verdict/errors.ts';
import { runId, running } from './running.ts';

interface Holder {
  readonly pid: number;
  /** Since a process id is used again, the moment its process started goes with it. */
  readonly startedAt: string;
  readonly what: string;
  /** What the programs that it started carry. */
  readonly run?: string;
}

export interface LockOptions {
  /** What the holder does, for those who are refused. */
  readonly what: string;
  /** Wait until the lab is free. */
  readonly wait?: boolean;
  readonly onWait?: (text: string) => void;
}

const pollMs = 200;

/**
 * Takes a lab for this process alone. It is given back by the function that is returned, or when the process ends.
 * @throws EnvironmentError when another process has it, and nobody wants to wait
 */
export async function lockLab(file: string, options: LockOptions): Promise<() => void> {
  let left: string | undefined;
  for (let hasTold = false; ; ) {
    if (take(file, options.what)) break;
    const holder = readHolder(file);
    // Its process was killed; what it made stands in the record.
    if (holder === undefined || !isAlive(holder)) {
      left = holder?.run;
      breakLock(file);
      continue;
    }
    if (options.wait !== true) {
      throw new EnvironmentError('lab/busy', `another command works on this lab: ${holder.what} (process ${holder.pid})`, {
        hint: 'two at once would see, and undo, what the other one does',
        fix: 'wait for it, or add --wait',
      });
    }
    if (!hasTold) options.onWait?.(`waiting for ${holder.what} (process ${holder.pid})`);
    hasTold = true;
    running.refuseAfterInterrupt();
    await wait(pollMs);
  }
  const release = () => rmSync(file, { force: true });
  const forget = running.add({ stop: async () => undefined, stopNow: release });
  if (left !== undefined) await (await import('./kill-exec.ts')).killLeftBy(left);
  return () => {
    forget();
    release();
  };
}

/** Takes it whole or not at all: whoever finds the file finds its holder in it. */
function take(file: string, what: string): boolean {
  const own = `${file}.${process.pid}`;
  const holder: Holder = { pid: process.pid, startedAt: startOf(process.pid) ?? '', what, run: runId };
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(own, JSON.stringify(holder));
    linkSync(own, file);
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST' && existsSync(own)) return false;
    throw new EnvironmentError(
      'live/state',
      `the lab cannot be taken for this command: ${(cause as Error).message}`,
      { fix: 'name a folder that can be written with XDG_STATE_HOME' },
      { cause },
    );
  } finally {
    removeIfThere(own);
  }
}

function removeIfThere(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // Its folder is none.
  }
}

/**
 * Removes what a process left that was killed. Of several that find it so, one moves it away; should that one have moved what another
 * has taken meanwhile, it is put back.
 */
function breakLock(file: string): void {
  const away = `${file}.${process.pid}.left`;
  try {
    renameSync(file, away);
  } catch {
    // Another one was quicker.
    return;
  }
  try {
    const holder = readHolder(away);
    if (holder !== undefined && isAlive(holder)) linkSync(away, file);
  } catch {
    // A third one has it already; the one in between goes on, as it would have done beside no lock at all.
  }
  rmSync(away, { force: true });
}

function readHolder(file: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Holder;
  } catch {
    return undefined;
  }
}

function isAlive({ pid, startedAt }: Holder): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  return (startOf(pid) ?? '') === startedAt;
}

/** Field 22 of /proc/PID/stat (proc(5)); unknown where there is no /proc. */
function startOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .at(19);
  } catch {
    return undefined;
  }
}
