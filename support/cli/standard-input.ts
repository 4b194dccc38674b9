import { fstatSync, readFileSync } from 'node:fs';
import { decodeRaw } from '../simulator/docker/byte-text.ts';

/**
 * Standard input for a script that was given with -c and may or may not read it. A pipe that somebody merely left open
 * must not hold the script up: it is read to its end only when something has come, or it has ended, by the time the lab
 * is up.
 * @returns a function that gives the input, to be called when the lab is up
 */
export function expectInput(): () => Promise<string | undefined> {
  if (process.stdin.isTTY === true) return async () => undefined;
  if (!isPipe()) return async () => readAll();
  const chunks: Buffer[] = [];
  let hasEnded = false;
  process.stdin.on('data', (chunk: Buffer) => chunks.push(chunk));
  process.stdin.once('end', () => {
    hasEnded = true;
  });
  process.stdin.once('error', () => {
    hasEnded = true;
  });
  return async () => {
    // One turn of the event loop, in which whatever is waiting in the pipe arrives.
    await new Promise((resolve) => setTimeout(resolve, 10));
    if (chunks.length === 0 && !hasEnded) {
      process.stdin.pause();
      return undefined;
    }
    if (!hasEnded) await new Promise((resolve) => process.stdin.once('end', resolve));
    return decodeRaw(Buffer.concat(chunks));
  };
}

/** All of standard input. */
export function readAll(): string {
  return decodeRaw(readFileSync(0));
}

/** A pipe or a socket: something that another process may keep open for as long as it likes. */
function isPipe(): boolean {
  const kind = fstatSync(0);
  return kind.isFIFO() || kind.isSocket();
}
