import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { buildImage, imageState, removeImage } from './images.ts';
import { clientImage, findEngine } from './real-lab.fixture.ts';

const engine = await findEngine();
const reason = 'reason' in engine ? ` (skipped: ${engine.reason})` : '';

describe.skipIf('reason' in engine)(`images that are built on a real engine${reason}`, () => {
  const { docker } = engine as { docker: Docker };
  const image = `outpost-test/image-${process.pid}:1`;
  let folder = '';
  const file = () => join(folder, 'web', 'Dockerfile');
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'outpost-images-'));
    mkdirSync(join(folder, 'web'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const build = async (text: string, timeoutMs = 30_000, lab = '/lab') => {
    writeFileSync(file(), text);
    await buildImage(docker, { image, folder: join(folder, 'web') }, { lab, timeoutMs, onOutput: () => undefined });
  };
  const state = async (lab = '/lab') => await imageState(docker, { image, folder: join(folder, 'web') }, lab);

  it.each([
    ['an instruction that there is none of', `FROM ${clientImage}\nFLY away\n`, /FLY/],
    ['a file that is not there', `FROM ${clientImage}\nCOPY no-such-file /\n`, /no-such-file/],
  ])('are refused for %s, as content, with the place', async (_name, text, says) => {
    const failure = await build(text).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'content/build', exitCode: 4, shortMessage: expect.stringMatching(says) });
    expect((failure as Error).message).toContain(file());
  });

  it.each([
    ['a command that fails', `FROM ${clientImage}\nRUN echo half-way && false\n`, 'half-way'],
    ['a base that cannot be had', 'FROM outpost-test/no-such-base:1\n', ''],
  ])('are no verdict after %s', async (_name, text, hint) => {
    await expect(build(text)).rejects.toMatchObject({
      code: 'live/build',
      exitCode: 3,
      ...(hint === '' ? {} : { hint: expect.stringMatching(new RegExp(hint)) }),
    });
  });

  it('are given up in time, and nothing of them is built on', async () => {
    await expect(build(`FROM ${clientImage}\nRUN sleep 61\n`, 1_500)).rejects.toMatchObject({ code: 'live/build', exitCode: 3 });
    // The engine ends it as soon as it hears that nobody listens.
    const left = async () => (await docker.listContainers()).filter(({ Command }) => Command.includes('sleep 61')).length;
    await vi.waitFor(async () => expect(await left()).toBe(0), { timeout: 10_000, interval: 100 });
  });

  it('are known by the files that they are made of, and by the lab that they are made for', async () => {
    expect(await state()).toBe('missing');
    await build(`FROM ${clientImage}\n`);
    expect([await state(), await state('/another')]).toEqual(['built', 'built']);
    writeFileSync(file(), `FROM ${clientImage}\nUSER 1\n`);
    expect([await state(), await state('/another')]).toEqual(['missing', { lab: '/lab' }]);
    expect(await removeImage(docker, image, '/another')).toBe(false);
    const user = await docker.createContainer({ Image: image, Cmd: ['true'] });
    expect(await removeImage(docker, image, '/lab')).toBe(false);
    await user.remove();
    expect(await removeImage(docker, image, '/lab')).toBe(true);
    expect(await state()).toBe('missing');
  });
});
