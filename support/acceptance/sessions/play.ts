import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadLab } from '../../content/lab.ts';
import { parseTopology } from '../../simulator/containerlab/topology.ts';
import type { LabContent } from '../../simulator/host/content.ts';
import { SimulatedLab } from '../../simulator/host/simulator.ts';
import { clone } from '../broken-lab.ts';
import { fitted, readSessionFile, type SessionLab } from './session-file.ts';

const folder = fileURLToPath(new URL('../../testdata/sessions/', import.meta.url));

const defaultCluster = {
  kind: 'Cluster',
  apiVersion: 'kind.x-k8s.io/v1alpha4',
  networking: { ipFamily: 'dual', disableDefaultCNI: true, kubeProxyMode: 'none' },
  nodes: [{ role: 'control-plane' }, { role: 'worker' }],
};

function contentOf(path: string, lab: SessionLab): LabContent {
  if (lab.folder !== undefined) return loadLab(join(clone, lab.folder));
  const file = (name: string, document: unknown) => ({ file: `${path} (${name})`, documents: [document] });
  return {
    name: 'session',
    cluster: file('cluster', lab.cluster ?? defaultCluster),
    topology:
      lab.topology === undefined
        ? undefined
        : {
            source: file('topology', lab.topology),
            parsed: parseTopology(lab.topology),
            files: new Map(Object.entries(lab.mounts ?? {})),
          },
    cilium:
      lab.cilium === undefined
        ? undefined
        : { version: lab.cilium.version, values: lab.cilium.values === undefined ? undefined : file('values', lab.cilium.values) },
    homeFiles: new Map(Object.entries(lab.files ?? {})),
    setup: lab.setup ?? [],
    images: (lab.images ?? []).map((image) => file('images', image)),
    programs: new Map(),
  };
}

/**
 * Plays each case of the session files in a folder of testdata/sessions/ at the terminal of a lab of its own.
 * @param least how many cases the suite promises
 */
export function playSessions(suite: string, least: number): void {
  const files = readdirSync(join(folder, suite))
    .filter((name) => name.endsWith('.session'))
    .sort()
    .map((name) => readSessionFile(join(folder, suite, name)));
  it(`has at least ${least} cases, each with a name of its own`, () => {
    const names = files.flatMap(({ cases }) => cases.map(({ name }) => name));
    expect(names.length).toBeGreaterThanOrEqual(least);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });
  for (const { path, lab, cases } of files) {
    describe(path.slice(folder.length), () => {
      it.each(cases)('$name (line $line)', async ({ exchanges }) => {
        const simulated = new SimulatedLab(contentOf(path, lab), 1);
        await simulated.up();
        const terminal = simulated.openShell();
        for (const { line, command, output, exitCode } of exchanges) {
          const result = await terminal.run(command, { isTerminal: true });
          const printed = result.stdout + result.stderr;
          expect({ line, command, output: printed, exitCode: result.exitCode }).toEqual({
            line,
            command,
            output: fitted(output, printed),
            exitCode,
          });
        }
      });
    });
  }
}
