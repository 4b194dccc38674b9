import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { EnvironmentError } from '../verdict/errors.ts';
import { running } from './running.ts';

interface Holder {
  readonly pid: number;
  /** Since a process id is used again, the moment its process started goes with it. */
  readonly startedAt: string;
  readonly what: string;
}

export interface LockOptions {
  /** What the holder does, for those who are refused. */
  readonly what: string;
  /** Wait until the lab is free. */
  readonly wait?: boolean;
  readonly onWait?: (text: string) => void;
}

const pollMs = 500;

/**
 * Takes a lab for this process alone. It is given back by the function that is returned, or when the process ends.
 * @throws EnvironmentError when another process has it, and nobody wants to wait
 */
export async function lockLab(file: string, options: LockOptions): Promise<() => void> {
  mkdirSync(dirname(file), { recursive: true });
  for (let hasTold = false; ; ) {
    if (take(file, options.what)) break;
    const holder = readHolder(file);
    if (holder === undefined || !isAlive(holder)) {
      // Its process was killed; what it made stands in the record.
      rmSync(file, { force: true });
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
  return () => {
    forget();
    release();
  };
}

function take(file: string, what: string): boolean {
  let handle: number;
  try {
    handle = openSync(file, 'wx');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
  const holder: Holder = { pid: process.pid, startedAt: startOf(process.pid) ?? '', what };
  writeSync(handle, JSON.stringify(holder));
  closeSync(handle);
  return true;
}

function readHolder(file: string): Holder | undefined {
  // Between making the file and writing into it there is a moment in which it is empty.
  for (let attempt = 0; attempt < 20; attempt++) {
    try {
      return JSON.parse(readFileSync(file, 'utf8')) as Holder;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
  return undefined;
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
