import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { labContract } from '../port/lab.contract.ts';
import { cuttableEngine } from './cuttable-engine.fixture.ts';
import { execInContainer } from './engine.ts';
import { lockLab } from './lab-lock.ts';
import { LiveLab } from './live-lab.ts';
import { clientImage, clone, findEngine } from './real-lab.fixture.ts';

const engine = await findEngine();
const title = 'reason' in engine ? `the live driver on a real engine (skipped: ${engine.reason})` : 'the live driver on a real engine';

describe.skipIf('reason' in engine)(title, () => {
  const { docker } = engine as { docker: Docker };
  const name = `outpost-test-${process.pid}`;
  const cluster = `outpost-test-${process.pid}`;
  const content = { name: 'x', root: '/', home: undefined, cluster: { documents: [{ name: cluster }] } };
  const folder = mkdtempSync(join(tmpdir(), 'outpost-driver-'));

  const start = async (container: string) => {
    const created = await docker.createContainer({
      name: container,
      Image: clientImage,
      Cmd: ['sleep', 'infinity'],
      Labels: { 'io.x-k8s.kind.cluster': cluster },
      HostConfig: { Init: true, NetworkMode: 'none' },
    });
    await created.start();
  };
  beforeAll(() => start(name));
  afterAll(async () => {
    await docker.getContainer(name).remove({ force: true });
    rmSync(folder, { recursive: true, force: true });
  });

  labContract('a container of a real engine', async () => ({ lab: new LiveLab(content, docker), container: name }));

  const exec = (argv: readonly string[], options = {}, container = name, client = docker) =>
    execInContainer(client, container, argv, options);
  const processes = async () => (await exec(['ps', '-eo', 'args'])).stdout;

  it('stops a program whose output has no end', async () => {
    await expect(exec(['yes'])).rejects.toMatchObject({
      code: 'exec/output-limit',
      message: expect.stringContaining('yes printed more than 16 MiB'),
    });
    expect(await processes()).not.toContain('yes');
  });

  it('stops with a program all that it started, and tells its last line', async () => {
    await expect(exec(['sh', '-c', 'sleep 71 & sleep 72 & echo half-way; wait'], { timeoutMs: 500 })).rejects.toMatchObject({
      code: 'exec/timeout',
      hint: 'it was stopped; its last line: half-way',
    });
    expect(await processes()).not.toMatch(/sleep 7[12]/);
  });

  it('waits for a program that closed its output', async () => {
    expect(await exec(['sh', '-c', 'exec >&- 2>&-; sleep 0.3; exit 4'])).toEqual({ stdout: '', stderr: '', exitCode: 4 });
  });

  it('has no verdict when the container is killed in the middle of a command, is paused, or was stopped', async () => {
    const victim = `${name}-victim`;
    await start(victim);
    try {
      const command = exec(['sleep', '60'], { timeoutMs: 30_000 }, victim);
      const seen = expect(command).rejects.toMatchObject({ code: 'exec/container-stopped', fault: 'environment' });
      while (!(await exec(['ps', '-eo', 'args'], {}, victim)).stdout.includes('sleep 60'));
      await docker.getContainer(victim).kill();
      await seen;
      await expect(exec(['true'], {}, victim)).rejects.toMatchObject({ code: 'exec/not-running', fault: 'environment' });
      await docker.getContainer(victim).start();
      await docker.getContainer(victim).pause();
      await expect(exec(['true'], {}, victim)).rejects.toMatchObject({ code: 'exec/not-running', fix: `docker unpause ${victim}` });
      await docker.getContainer(victim).unpause();
    } finally {
      await docker.getContainer(victim).remove({ force: true });
    }
    await expect(exec(['true'], {}, victim)).rejects.toMatchObject({ code: 'exec/no-container', fault: 'environment' });
  });

  it('has no verdict when the engine goes in the middle of a command', async () => {
    const { server, cut, client } = await cuttableEngine(join(folder, 'engine.sock'));
    expect((await exec(['echo', 'there'], {}, name, client)).stdout).toBe('there\n');
    const seen = expect(exec(['sleep', '3'], { timeoutMs: 20_000 }, name, client)).rejects.toMatchObject({
      code: 'docker/dead',
      fault: 'environment',
    });
    while (!(await processes()).includes('sleep 3'));
    cut();
    await seen;
    await expect(exec(['true'], {}, name, client)).rejects.toMatchObject({ code: 'docker/dead' });
    await expect(new LiveLab(content, client).status()).rejects.toMatchObject({ code: 'docker/dead', fault: 'environment' });
    expect(server.listening).toBe(false);
  });

  /** A grader that holds the lab, with a program in the container and one on the lab host. */
  const grader = async (seconds: number, lock: string) => {
    const script = join(folder, `${seconds}.mts`);
    writeFileSync(
      script,
      `import { connectDocker, execInContainer } from '${clone}support/live/engine.ts';
import { execOnHost } from '${clone}support/live/host.ts';
import { lockLab } from '${clone}support/live/lab-lock.ts';
import { stopOnSignals } from '${clone}support/live/running.ts';
stopOnSignals();
await lockLab('${lock}', { what: 'a test' });
const ended = (error: Error) => console.log(error.message);
execInContainer(connectDocker(), '${name}', ['sh', '-c', 'sleep ${seconds}; echo']).catch(ended);
execOnHost(['sh', '-c', 'sleep ${seconds}9; echo'], '/').catch(ended);
`,
    );
    const child = spawn(process.execPath, ['--import', 'tsx', script], { cwd: clone, stdio: ['ignore', 'pipe', 'pipe'] });
    const said: string[] = [];
    child.stderr.on('data', (chunk: Buffer) => said.push(chunk.toString()));
    const end = new Promise((resolve) => child.once('exit', resolve));
    const runs = async () => [
      (await processes()).includes(`sleep ${seconds}\n`),
      (await runLines(['ps', '-eo', 'args'])).includes(`sleep ${seconds}9`),
    ];
    await vi.waitFor(async () => expect(await runs()).toEqual([true, true]), { timeout: 50_000, interval: 300 });
    return { child, said, end, runs };
  };

  it('leaves no exec and no child behind when a signal ends it', async () => {
    const { child, said, end, runs } = await grader(82, join(folder, 'a.lock'));
    child.kill('SIGTERM');
    expect(await end).toBe(143);
    expect(said.join('')).toContain('outpost: interrupted (SIGTERM): stopping what runs in the lab');
    expect(await runs()).toEqual([false, false]);
  });

  it('ends what one has left that was killed without a chance to, before the lab is taken again', async () => {
    const lock = join(folder, 'b.lock');
    const { child, end, runs } = await grader(83, lock);
    child.kill('SIGKILL');
    await end;
    expect(await runs()).toEqual([true, true]);
    const unlock = await lockLab(lock, { what: 'a test' });
    expect(await runs()).toEqual([false, false]);
    unlock();
  });
});

async function runLines(argv: readonly string[]): Promise<string[]> {
  const { execOnHost } = await import('./host.ts');
  return (await execOnHost(argv, '/')).stdout.split('\n');
}
