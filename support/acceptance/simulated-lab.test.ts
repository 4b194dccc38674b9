import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadLab } from '../content/lab.ts';
import { labContract } from '../port/lab.contract.ts';
import { SimulatedLab } from '../simulator/host/simulator.ts';
import { clone, outpost } from './broken-lab.ts';

labContract('the simulated reference lab', async () => {
  const lab = new SimulatedLab(loadLab(clone), 1);
  await lab.up();
  return { lab, container: 'clab-bgp-cplane-dev-dual-srv-client' };
});

describe('a run', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'outpost-run-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const evidence = async (name: string, seed: number) => {
    const reports = join(folder, name);
    const { status } = await outpost(['run', '--driver', 'simulator', '--seed', String(seed), '--reports', reports]);
    return { status, text: readFileSync(join(reports, 'evidence.txt'), 'utf8') };
  };

  it('gives the same evidence to the byte for the same seed, and other evidence of the same verdict for another', async () => {
    const [first, second, other] = [await evidence('first', 5), await evidence('second', 5), await evidence('other', 6)];
    expect(first.status).toBe(0);
    expect(second).toEqual(first);
    expect(other.status).toBe(0);
    expect(other.text).not.toBe(first.text);
  });

  it('leaves readable reports of what it had done when it is killed half-way', async () => {
    const reports = join(folder, 'killed');
    const signal = await new Promise((resolve) => {
      const run = spawn(process.execPath, [join(clone, 'support/cli/outpost.mjs'), 'run', '--driver', 'simulator', '--reports', reports]);
      let told = '';
      run.stdout.setEncoding('utf8').on('data', (text: string) => {
        told += text;
        if (told.includes('The pool gives the service')) run.kill('SIGKILL');
      });
      run.on('close', (_code, by) => resolve(by));
    });
    expect(signal).toBe('SIGKILL');
    const report = (name: string) => readFileSync(join(reports, name), 'utf8');
    const messages = report('messages.ndjson')
      .trimEnd()
      .split('\n')
      .map((line): unknown => JSON.parse(line));
    expect(messages.length).toBeGreaterThan(100);
    expect(report('junit.xml')).toMatch(/^<\?xml[\s\S]*<testcase [\s\S]*<\/testsuites?>\s*$/);
    // A page without its end is still a page: each message stands in a script element of its own.
    expect(report('cucumber.html').includes('The pool gives the service one address of each family')).toBe(true);
    expect(report('evidence.txt')).toContain('$ kubectl apply -f batuu.yaml');
    expect(readdirSync(join(reports, 'allure-results')).some((name) => name.endsWith('-result.json'))).toBe(true);
  });
});
