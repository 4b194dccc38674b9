import { isUtf8 } from 'node:buffer';
import type { ExecResult } from './lab.ts';

/** What a program printed, read as UTF-8; with its bytes where that is not what it is. */
export function readOutput(stdout: Uint8Array, stderr: Uint8Array): Pick<ExecResult, 'stdout' | 'stderr' | 'bytes'> {
  const text = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  const isText = isUtf8(stdout) && isUtf8(stderr);
  const bytes = { ...(isUtf8(stdout) ? {} : { stdout }), ...(isUtf8(stderr) ? {} : { stderr }) };
  return { stdout: text(stdout), stderr: text(stderr), ...(isText ? {} : { bytes }) };
}
