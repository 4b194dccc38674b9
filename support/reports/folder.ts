import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

const reasons: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  EEXIST: 'a file is in the way',
  ENOTDIR: 'a file is in the way',
  EISDIR: 'a folder is in the way of one of the files',
  ENOSPC: 'no space is left',
  EDQUOT: 'no space is left',
  ENOENT: 'it cannot be made there',
  ELOOP: 'its links lead in a circle',
  ENAMETOOLONG: 'the name is too long',
};

/** Why the file system refused, in words; undefined when the error is not one of its. */
export function whyNotWritten(error: unknown): string | undefined {
  const { code, syscall } = error as NodeJS.ErrnoException;
  return code === undefined || syscall === undefined ? undefined : (reasons[code] ?? code);
}

/** Folder by folder: Node's own recursive mkdir does not return from file systems that cannot make any (/proc). */
export function makeFolder(directory: string): void {
  if (existsSync(directory) && statSync(directory).isDirectory()) return;
  const parent = dirname(directory);
  if (parent !== directory) makeFolder(parent);
  mkdirSync(directory);
}
