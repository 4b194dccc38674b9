import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clone } from './real-lab.fixture.ts';

/** A machine without Docker: an old kind, no kubectl, no sudo. What else is wrong with it is this machine's own affair. */
describe.concurrent('a machine without an engine', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'outpost-no-engine-'));
    mkdirSync(join(folder, 'bin'));
    writeFileSync(join(folder, 'bin', 'kind'), '#!/bin/sh\necho kind v0.11.1 go1.16.4 linux/amd64\n');
    chmodSync(join(folder, 'bin', 'kind'), 0o755);
    writeFileSync(join(folder, 'kind.yaml'), 'kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nname: demo\n');
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const outpost = async (...words: readonly string[]) => {
    const { exitCode, stdout, stderr } = await execa(
      process.execPath,
      [join(clone, 'support/cli/outpost.mjs'), ...words, '--lab', folder],
      {
        reject: false,
        env: {
          PATH: join(folder, 'bin'),
          DOCKER_HOST: 'unix:///no/such.sock',
          HOME: folder,
          XDG_STATE_HOME: join(folder, 'state'),
          NO_COLOR: '1',
        },
        extendEnv: false,
      },
    );
    return { exitCode, stdout, stderr };
  };
  const absent = 'no Docker: there is no /no/such.sock';

  it('is told what is missing, what shows it, and how to get it', async () => {
    const { exitCode, stdout, stderr } = await outpost('doctor');
    expect({ exitCode, stderr }).toEqual({ exitCode: 3, stderr: '' });
    expect(
      stdout
        .replaceAll(/(linux|darwin)-(amd64|arm64)|(linux|darwin)\/(amd64|arm64)/g, 'PLATFORM')
        .split('\n')
        .slice(0, 9),
    ).toEqual([
      '✘ no Docker engine answers  docker/no-answer',
      `    seen: ${absent}`,
      expect.stringContaining('    mend: '),
      '✘ kind is older than 0.20.0  tool/old',
      '    seen: version 0.11.1',
      '    mend: sudo curl -fLo /usr/local/bin/kind https://kind.sigs.k8s.io/dl/v0.27.0/kind-PLATFORM && sudo chmod +x /usr/local/bin/kind',
      '✘ kubectl is not there  tool/missing',
      '    seen: not on the PATH',
      '    mend: sudo curl -fLo /usr/local/bin/kubectl https://dl.k8s.io/release/v1.32.3/bin/PLATFORM/kubectl && sudo chmod +x /usr/local/bin/kubectl',
    ]);
    expect(stdout).toMatch(/\n3 things that must be mended, \d+ risks?$/);
  });

  it('is told so to machines, with the facts', async () => {
    const { exitCode, stdout } = await outpost('doctor', '--json');
    expect(exitCode).toBe(3);
    const { lab, findings, mended, facts } = JSON.parse(stdout) as {
      lab: string;
      findings: { code: string; severity: string }[];
      mended: [];
      facts: object;
    };
    expect(findings.filter(({ severity }) => severity === 'broken').map(({ code }) => code)).toEqual([
      'docker/no-answer',
      'tool/old',
      'tool/missing',
    ]);
    expect({ mended, facts }).toMatchObject({
      mended: [],
      facts: {
        docker: { answers: false, reason: absent },
        tools: { docker: null, kind: '0.11.1', kubectl: null },
        isUp: false,
        lab: { cluster: 'demo', nodes: 1 },
      },
    });
    expect(lab).toMatch(/^outpost-no-engine-/);
  });

  it('has no lab, and nothing to take away', async () => {
    expect(await outpost('status', '--json')).toEqual({
      exitCode: 3,
      stderr: '',
      stdout: JSON.stringify({ lab: folder.split('/').at(-1), isUp: false, detail: absent }, null, 2),
    });
    expect(await outpost('down')).toEqual({
      exitCode: 0,
      stderr: '',
      stdout: 'nothing to take away: outpost up has not made kind cluster "demo" here',
    });
  });

  it('cannot bring a lab up', async () => {
    expect(await outpost('up')).toEqual({
      exitCode: 3,
      stdout: '',
      stderr: `outpost: there is no Docker engine for a live lab\n  why: ${absent}\n  mend: outpost doctor`,
    });
  });
});
