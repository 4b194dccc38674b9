import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OutpostError } from '../verdict/errors.ts';
import { podImages } from './builds.ts';
import { loadLab } from './lab.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'outpost-content-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function copyOfReferenceLab(): void {
  for (const part of ['lab', 'containerlab', 'features']) cpSync(join(root, part), join(folder, part), { recursive: true });
}

function edit(file: string, from: string, to: string): void {
  const text = readFileSync(join(folder, file), 'utf8');
  expect(text).toContain(from);
  writeFileSync(join(folder, file), text.replace(from, to));
}

function refusal(): { exitCode: number; message: string } {
  try {
    loadLab(folder);
  } catch (error) {
    if (!(error instanceof OutpostError)) throw error;
    return { exitCode: error.exitCode, message: error.shortMessage.replaceAll(`${folder}/`, '') };
  }
  throw new Error('the lab was accepted');
}

describe('the reference lab', () => {
  it('is read with its challenges in the order of the guide', () => {
    const lab = loadLab(root);
    expect(lab.challenges.map((challenge) => challenge.name)).toEqual(['bgp-and-dual-stack', 'lb-ipam-and-announcement', 'egress-gateway']);
    expect(lab.challenges.flatMap((challenge) => challenge.tasks).reduce((sum, task) => sum + task.points, 0)).toBe(100);
    expect([...lab.homeFiles.keys()]).toEqual([
      'batuu.yaml',
      'bgp-peering-policies.yaml',
      'egress-gw-policy.yaml',
      'layer2-policy.yaml',
      'lb-pool.yaml',
    ]);
    expect(lab.topology?.files.get('router0/daemons')).toContain('bgpd=yes');
    expect([...lab.builds.keys()]).toEqual(['outpost-lab/remote-outpost:1.0', 'outpost-lab/starship:1.0']);
    expect([...podImages(lab.homeFiles)]).toEqual(['quay.io/cilium/starwars:v2.1', 'outpost-lab/starship:1.0']);
  });
});

describe('a folder with a kind file alone', () => {
  it('is a lab', () => {
    writeFileSync(join(folder, 'kind.yaml'), 'kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n');
    expect(loadLab(folder)).toMatchObject({
      topology: undefined,
      cilium: undefined,
      challenges: [],
      cluster: { documents: [{ kind: 'Cluster' }] },
    });
  });
});

describe('broken content is refused with file and line', () => {
  it.each([
    {
      name: 'malformed YAML',
      file: 'lab/lab.yaml',
      from: 'name: discovery',
      to: 'name: [discovery',
      says: /^lab\/lab.yaml:\d+: not valid YAML: /,
    },
    {
      name: 'malformed YAML in the topology',
      file: 'containerlab/lab.clab.yaml',
      from: 'topology:',
      to: 'topology: {',
      says: /^containerlab\/lab.clab.yaml:\d+: not valid YAML: /,
    },
    {
      name: 'an unknown field',
      file: 'lab/lab.yaml',
      from: 'topology: ',
      to: 'topolgy: ',
      says: 'lab/lab.yaml:4: unknown field "topolgy"',
    },
    {
      name: 'an unknown field of a task',
      file: 'lab/lab.yaml',
      from: '        points: 5',
      to: '        marks: 5',
      says: 'lab/lab.yaml:21: unknown field "marks"',
    },
    {
      name: 'a missing file',
      file: 'lab/lab.yaml',
      from: 'cluster: cluster.yaml',
      to: 'cluster: clutser.yaml',
      says: 'lab/lab.yaml:3: "clutser.yaml" does not exist',
    },
    {
      name: 'a missing setup manifest',
      file: 'lab/lab.yaml',
      from: '[bgp-peering-policies.yaml]',
      to: '[bgp.yaml]',
      says: 'lab/lab.yaml:7: setup names "bgp.yaml", which is not in manifests',
    },
    {
      name: 'a Cilium release outside the model',
      file: 'lab/lab.yaml',
      from: 'version: 1.16.0',
      to: 'version: 1.12.0',
      says: 'lab/lab.yaml:5: Cilium 1.12.0 is not modelled',
    },
    {
      name: 'an image to build that kubelet would look for in a registry',
      file: 'lab/lab.yaml',
      from: 'outpost-lab/starship:1.0:',
      to: 'outpost-lab/starship:latest:',
      says: 'lab/lab.yaml:11: "outpost-lab/starship:latest" needs a tag, other than latest',
    },
    {
      name: 'an image to build that has no such name',
      file: 'lab/lab.yaml',
      from: 'outpost-lab/starship:1.0:',
      to: 'outpost-lab/Starship:1.0:',
      says: 'lab/lab.yaml:11: "outpost-lab/Starship:1.0" cannot be the name of an image that is built',
    },
    {
      name: 'an image to build from a folder that is not there',
      file: 'lab/lab.yaml',
      from: 'images/starship',
      to: 'images/starship.yaml',
      says: 'lab/lab.yaml:11: "images/starship.yaml" is not a folder',
    },
    {
      name: 'an image to build without a Dockerfile',
      file: 'lab/lab.yaml',
      from: 'images/starship',
      to: 'images',
      says: 'lab/lab.yaml:11: there is no Dockerfile in "images"',
    },
    {
      name: 'a link to a node that does not exist',
      file: 'containerlab/lab.clab.yaml',
      from: '["router0:net3", "srv-client:net0"]',
      to: '["router0:net3", "srv-cleint:net0"]',
      says: /^containerlab\/lab.clab.yaml:\d+: the link names node "srv-cleint", which the topology does not have$/,
    },
    {
      name: 'an unknown kind of node',
      file: 'containerlab/lab.clab.yaml',
      from: '    srv-client:\n      kind: linux',
      to: '    srv-client:\n      kind: linx',
      says: /^containerlab\/lab.clab.yaml:\d+: node "srv-client": unknown kind "linx"$/,
    },
    {
      name: 'a manifest without a kind',
      file: 'lab/manifests/lb-pool.yaml',
      from: 'kind: CiliumLoadBalancerIPPool\n',
      to: '',
      says: 'lab/manifests/lb-pool.yaml:1: the object has no kind',
    },
    {
      name: 'a manifest that is no YAML',
      file: 'lab/manifests/lb-pool.yaml',
      from: 'spec:',
      to: 'spec: }',
      says: /^lab\/manifests\/lb-pool.yaml:\d+: not valid YAML: /,
    },
  ])('$name', ({ file, from, to, says }) => {
    copyOfReferenceLab();
    edit(file, from, to);
    const { exitCode, message } = refusal();
    expect(exitCode).toBe(4);
    if (typeof says === 'string') expect(message).toBe(says);
    else expect(message).toMatch(says);
  });

  it('a folder without a lab is a mistake of the command line', () => {
    mkdirSync(join(folder, 'empty'));
    expect(refusal()).toEqual({ exitCode: 2, message: `${folder} holds no lab` });
  });
});
