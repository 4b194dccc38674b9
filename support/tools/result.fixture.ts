import { readFileSync } from 'node:fs';
import type { ExecResult } from '../port/lab.ts';

/** The result of a program, for tests. */
export function result(stdout: string, rest: Partial<ExecResult> = {}): ExecResult {
  return { argv: ['tool'], container: undefined, stdout, stderr: '', exitCode: 0, startedAt: 0, durationMs: 0, ...rest };
}

/** A recording under support/testdata. */
export function recording(path: string): string {
  return readFileSync(new URL(`../testdata/${path}`, import.meta.url), 'utf8');
}
