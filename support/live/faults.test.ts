import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { clone } from './real-lab.fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'outpost-faults-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A mount namespace of its own holds the small disk. */
const canMount =
  process.platform === 'linux' &&
  spawnSync('unshare', ['--mount', '--propagation', 'private', 'mount', '-t', 'tmpfs', 'none', folder]).status === 0;

describe('a disk that is full', () => {
  it.skipIf(!canMount)('while reports are written, leaves the lab unjudged, and says which disk', () => {
    const script =
      'mount -t tmpfs -o size=128k none "$1" && exec "$2" support/cli/outpost.mjs run --driver simulator --lab examples/ipv4-only --reports "$1"';
    const { status, stderr } = spawnSync(
      'unshare',
      ['--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', folder, process.execPath],
      {
        cwd: clone,
        encoding: 'utf8',
      },
    );
    expect(stderr).toBe(
      `outpost: the reports cannot be written to ${folder}: no space is left\n  mend: name a folder that can be written with --reports DIR\n`,
    );
    expect(status).toBe(3);
  });
});
