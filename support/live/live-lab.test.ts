import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { execOnHost } from './host.ts';
import { lockLab } from './lab-lock.ts';
import { LiveLab } from './live-lab.ts';
import { probeDocker } from './probe.ts';

describe('programs of the lab host', () => {
  it('run in the home, with their words as they are', async () => {
    expect(await execOnHost(['printf', '%s|', '$HOME', 'a  b'], '/', {})).toEqual({ stdout: '$HOME|a  b|', stderr: '', exitCode: 0 });
    expect((await execOnHost(['pwd'], '/', {})).stdout).toBe('/\n');
  });

  it('end as they end', async () => {
    expect(await execOnHost(['sh', '-c', 'cat; echo err >&2; exit 3'], '/', { stdin: 'in' })).toEqual({
      stdout: 'in',
      stderr: 'err\n',
      exitCode: 3,
    });
  });

  it('that are not there, or take too long, are no verdict', async () => {
    await expect(execOnHost(['no-such-program-here'], '/', {})).rejects.toMatchObject({ code: 'exec/not-run', fault: 'environment' });
    await expect(execOnHost(['sleep', '5'], '/', { timeoutMs: 50 })).rejects.toMatchObject({ code: 'exec/timeout', fault: 'environment' });
  });
});

describe('KUBECONFIG', () => {
  it('names files of the folder in which outpost was started, not of the one in which programs run', async () => {
    vi.stubEnv('KUBECONFIG', 'one:/two');
    const { stdout } = await execOnHost(['sh', '-c', 'echo "$KUBECONFIG"'], '/');
    vi.unstubAllEnvs();
    expect(stdout).toBe(`${join(process.cwd(), 'one')}:/two\n`);
  });
});

describe('programs of the lab host that are stopped', () => {
  const processes = async () => (await execOnHost(['ps', '-eo', 'args'], '/')).stdout;

  it('take what they started with them', async () => {
    await expect(execOnHost(['sh', '-c', 'sleep 9171 & sleep 9172 & echo half-way; wait'], '/', { timeoutMs: 200 })).rejects.toMatchObject({
      code: 'exec/timeout',
      hint: 'it was stopped; its last line: half-way',
    });
    expect(await processes()).not.toMatch(/sleep 917[12]/);
  });

  it('are those that print for ever, or that will not go', async () => {
    await expect(execOnHost(['yes'], '/', { maxOutputBytes: 100_000 })).rejects.toMatchObject({
      code: 'exec/output-limit',
      shortMessage: 'yes printed more than 0.1 MiB and was stopped',
    });
    await expect(
      execOnHost(['sh', '-c', 'trap "" TERM; sleep 9173; sleep 9173'], '/', { timeoutMs: 100, graceMs: 100 }),
    ).rejects.toMatchObject({
      code: 'exec/timeout',
    });
    expect(await processes()).not.toContain('sleep 9173');
  });

  it('tell the signal that ended them, as a shell does', async () => {
    expect(await execOnHost(['sh', '-c', 'kill -KILL $$'], '/')).toEqual({ stdout: '', stderr: '', exitCode: 137 });
  });
});

describe('Docker', () => {
  it('does not answer where there is no socket, and nothing is loaded to find out', async () => {
    expect(await probeDocker({ DOCKER_HOST: 'unix:///no/such/docker.sock' })).toEqual({
      answers: false,
      reason: 'no Docker: there is no /no/such/docker.sock',
    });
  });
});

describe('a live lab', () => {
  const lab = new LiveLab({ name: 'x', root: '/', home: undefined, cluster: { documents: [{}] } });

  it.each(['up', 'down', 'reset'] as const)('is brought %s by a command of its own', async (what) => {
    await expect(lab[what]()).rejects.toMatchObject({ fault: 'environment', fix: `outpost ${what}` });
  });
});

describe('one lab', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'outpost-lock-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const what = 'outpost run';

  it('is for one command at a time', async () => {
    const file = join(folder, 'a.lock');
    const unlock = await lockLab(file, { what });
    await expect(lockLab(file, { what: 'outpost up' })).rejects.toMatchObject({
      code: 'lab/busy',
      exitCode: 3,
      shortMessage: `another command works on this lab: outpost run (process ${process.pid})`,
    });
    unlock();
    (await lockLab(file, { what }))();
    expect(existsSync(file)).toBe(false);
  });

  it('is waited for, when that is wanted', async () => {
    const file = join(folder, 'b.lock');
    const unlock = await lockLab(file, { what });
    const told: string[] = [];
    const second = lockLab(file, { what: 'outpost up', wait: true, onWait: (text) => void told.push(text) });
    unlock();
    (await second)();
    expect(told).toEqual([`waiting for outpost run (process ${process.pid})`]);
  });

  it('is for one of those that find what a killed process left', async () => {
    const file = join(folder, 'd.lock');
    writeFileSync(file, JSON.stringify({ pid: 2 ** 22 + 1, startedAt: '1', what }));
    const takers = await Promise.allSettled(['outpost up', 'outpost down', 'outpost run'].map((each) => lockLab(file, { what: each })));
    expect(takers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(readdirSync(folder)).toEqual(['d.lock']);
  });

  it('is not judged where it cannot be taken', async () => {
    writeFileSync(join(folder, 'a-file'), '');
    await expect(lockLab(join(folder, 'a-file', 'e.lock'), { what })).rejects.toMatchObject({ code: 'live/state', fault: 'environment' });
  });

  it.each([
    ['a process that was killed', { pid: 2 ** 22 + 1, startedAt: '1', what }],
    ['a process whose number another one has now', { pid: process.pid, startedAt: '1', what }],
  ])('is free again after %s', async (_name, holder) => {
    const file = join(folder, 'c.lock');
    writeFileSync(file, JSON.stringify(holder));
    (await lockLab(file, { what }))();
    expect(existsSync(file)).toBe(false);
  });
});
