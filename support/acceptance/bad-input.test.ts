import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { clone, outpost } from './broken-lab.ts';

interface Row {
  readonly name: string;
  /** File of the lab, and what becomes of its text. */
  readonly edit?: readonly [file: string, change: (text: string) => string];
  readonly args?: readonly string[];
  readonly exitCode: number;
  /** The whole first line of standard error, without `outpost: `. */
  readonly says: string;
}

const lab = 'lab/lab.yaml';
const cluster = 'lab/cluster.yaml';
const topology = 'containerlab/lab.clab.yaml';
const values = 'lab/values.yaml';
const policies = 'lab/manifests/bgp-peering-policies.yaml';
const feature = 'features/1-bgp-and-dual-stack.feature';

const run = ['run', '--driver', 'simulator'];
const replacing = (from: string, to: string) => (text: string) => {
  if (!text.includes(from)) throw new Error(`${from} is not in the file`);
  return text.replace(from, to);
};
const becoming = (text: string) => () => text;
const adding = (more: string) => (text: string) => `${text}${more}`;
/** Ten lines that stand for 9^10 values. */
const bomb = Array.from({ length: 10 }, (_, level) => {
  const item = level === 0 ? 'x' : `*b${level - 1}`;
  return `b${level}: &b${level} [${Array.from({ length: 9 }, () => item).join(', ')}]\n`;
}).join('');

const content: readonly Row[] = [
  {
    name: 'an empty lab.yaml',
    edit: [lab, becoming('')],
    exitCode: 4,
    says: 'lab/lab.yaml:1: the file is empty, the description of a lab was expected',
  },
  {
    name: 'a lab.yaml that is a list',
    edit: [lab, becoming('- a\n')],
    exitCode: 4,
    says: 'lab/lab.yaml:1: the file must be a mapping (key: value), not a list',
  },
  {
    name: 'a tab',
    edit: [lab, becoming('name: x\n\tcluster: y\n')],
    exitCode: 4,
    says: 'lab/lab.yaml:2: not valid YAML: tab characters must not be used in indentation',
  },
  {
    name: 'a binary file',
    edit: [lab, becoming('\0\x01\x02')],
    exitCode: 4,
    says: 'lab/lab.yaml:1: not valid YAML: null byte is not allowed in input',
  },
  {
    name: 'a key twice',
    edit: [lab, replacing('title: Cloud', 'name: again\ntitle: Cloud')],
    exitCode: 4,
    says: 'lab/lab.yaml:2: not valid YAML: duplicated mapping key',
  },
  { name: 'an unknown field', edit: [lab, replacing('setup:', 'setpu:')], exitCode: 4, says: 'lab/lab.yaml:7: unknown field "setpu"' },
  {
    name: 'a field called __proto__',
    edit: [lab, replacing('title: Cloud', '__proto__: {name: x}\ntitle: Cloud')],
    exitCode: 4,
    says: 'lab/lab.yaml:2: unknown field "__proto__"',
  },
  {
    name: 'a second document',
    edit: [lab, adding('---\nname: b\n')],
    exitCode: 4,
    says: 'lab/lab.yaml:72: the file has 2 documents, and a lab.yaml is one',
  },
  {
    name: 'a missing file',
    edit: [lab, replacing('cluster: cluster.yaml', 'cluster: nope.yaml')],
    exitCode: 4,
    says: 'lab/lab.yaml:3: "nope.yaml" does not exist',
  },
  {
    name: 'a folder for a feature',
    edit: [lab, replacing('../features/3-egress-gateway.feature', '../features')],
    exitCode: 4,
    says: 'lab/lab.yaml:61: "../features" is a folder, not a file',
  },
  {
    name: 'a device for a file',
    edit: [lab, replacing('cluster: cluster.yaml', `cluster: ${'../'.repeat(20)}dev/zero`)],
    exitCode: 4,
    says: '/dev/zero: it is not a regular file',
  },
  {
    name: 'aliases that stand for billions of values',
    edit: [values, adding(bomb)],
    exitCode: 4,
    says: 'lab/values.yaml:42: not valid YAML: its aliases stand for too many values',
  },
  {
    name: 'an alias of what it is in',
    edit: [values, adding('podAnnotations: &a\n  x: *a\n')],
    exitCode: 4,
    says: 'lab/values.yaml:42: not valid YAML: an anchor contains an alias of itself',
  },
  {
    name: 'an unknown field of a kind file',
    edit: [cluster, replacing('nodes:', 'nodez:')],
    exitCode: 4,
    says: 'lab/cluster.yaml:11: nodez: field nodez not found in type v1alpha4.Cluster',
  },
  {
    name: 'an unknown kind of node',
    edit: [topology, replacing('kind: linux', 'kind: linx')],
    exitCode: 4,
    says: 'containerlab/lab.clab.yaml:15: node "router0": unknown kind "linx"',
  },
  {
    name: 'a link to nowhere',
    edit: [topology, replacing('"srv-worker:net0"', '"srv-wrker:net0"')],
    exitCode: 4,
    says: 'containerlab/lab.clab.yaml:100: the link names node "srv-wrker", which the topology does not have',
  },
  {
    name: 'the network of a container that is not there',
    edit: [topology, replacing('container:kind-worker2', 'container:kind-worker9')],
    exitCode: 4,
    says: 'containerlab/lab.clab.yaml:69: node "srv-worker2" shares the network of container "kind-worker9", which does not exist',
  },
  {
    name: 'a Helm value that is no CIDR',
    edit: [values, replacing('ipv4NativeRoutingCIDR: 10.0.0.0/8', 'ipv4NativeRoutingCIDR: 10.0.0.0/99')],
    exitCode: 4,
    says: 'lab/values.yaml:20: ipv4NativeRoutingCIDR: invalid CIDR address: 10.0.0.0/99',
  },
  {
    name: 'a field of an image file',
    edit: ['lab/images/starship.yaml', adding('foo: bar\n')],
    exitCode: 4,
    says: 'lab/images/starship.yaml:18: foo: unknown key; known here: images, commands, shell, entrypoint, command, env, files, servers, requests, preloaded, exit',
  },
  {
    name: 'a manifest that is no YAML',
    edit: ['lab/manifests/lb-pool.yaml', replacing('spec:', 'spec: {')],
    exitCode: 4,
    says: 'lab/manifests/lb-pool.yaml:7: not valid YAML: missed comma between flow collection entries',
  },
  {
    name: 'a kind that nobody knows',
    edit: [policies, replacing('kind: CiliumBGPPeeringPolicy', 'kind: CiliumBGPPeringPolicy')],
    exitCode: 4,
    says: 'lab/manifests/bgp-peering-policies.yaml:3: no matches for kind "CiliumBGPPeringPolicy" in version "cilium.io/v2alpha1" (Cilium 1.16.0)',
  },
  {
    name: 'a kind that nobody knows, in a manifest for later',
    edit: ['lab/manifests/batuu.yaml', replacing('kind: Deployment', 'kind: Deploymint')],
    exitCode: 4,
    says: 'lab/manifests/batuu.yaml:27: no matches for kind "Deploymint" in version "apps/v1"',
  },
  {
    name: 'an unknown field of a manifest that is applied at the start',
    edit: [policies, replacing('  virtualRouters:', '  virtualRouterz:')],
    exitCode: 4,
    says: 'lab/manifests/bgp-peering-policies.yaml:10: kubectl apply refused it: Error from server (BadRequest): error when creating "bgp-peering-policies.yaml": CiliumBGPPeeringPolicy in version "v2alpha1" cannot be handled as a CiliumBGPPeeringPolicy: strict decoding error: unknown field "spec.virtualRouterz"',
  },
  {
    name: 'Helm values in two documents',
    edit: [values, adding('---\nb: 2\n')],
    exitCode: 4,
    says: 'lab/values.yaml:42: the file has 2 documents, and a file of Helm values is one',
  },
  {
    name: 'a topology with another name than the features say',
    edit: [topology, (text) => text.replace(/^name: .*/m, 'name: renamed')],
    exitCode: 4,
    says: `${feature}:28: the lab has no container "clab-bgp-cplane-dev-dual-router0"`,
  },
  {
    name: 'a program in the place of a tool',
    edit: [lab, replacing('  starcom: ', '  kubectl: ')],
    exitCode: 4,
    says: 'lab/lab.yaml:13: "kubectl" is a tool of the lab host, and cannot be a program of the lab',
  },
  {
    name: 'Gherkin',
    edit: [feature, replacing('Scenario:', 'Scenari:')],
    exitCode: 4,
    says: `${feature}:6: not valid Gherkin: expected: #TagLine, #RuleLine, #Comment, #Empty, got 'Scenari: Cilium is healthy'`,
  },
  {
    name: 'a step that is not defined',
    edit: [feature, replacing('And Cilium reports', 'And Cilium sings')],
    exitCode: 4,
    says: `${feature}:12: no step definition fits "Cilium sings these components within 2 minutes:"`,
  },
  {
    name: 'a tag of no task',
    edit: [feature, replacing('@task-cilium', '@task-cillium')],
    exitCode: 4,
    says: `${feature}:6: the tag @task-cillium means nothing`,
  },
  {
    name: 'an empty feature',
    edit: [feature, becoming('')],
    exitCode: 4,
    says: `${feature}: the feature of challenge bgp-and-dual-stack has no scenario`,
  },
];

const usage: readonly Row[] = [
  {
    name: 'a recording over something else',
    args: [...run, '--record', 'lab'],
    exitCode: 2,
    says: 'lab is not empty, and what is in it is no recording',
  },
  { name: 'no folder for reports', args: [...run, '--reports', ''], exitCode: 2, says: '--reports takes a folder, and got none' },
  { name: 'one recording', args: ['drift', 'a'], exitCode: 2, says: 'drift takes two recordings, and got one' },
  { name: 'no recording', args: ['drift', 'lab', 'lab'], exitCode: 2, says: 'lab is no recording: it has no recording.json' },
  { name: 'an unknown option', args: ['run', '--bogus'], exitCode: 2, says: "unknown option '--bogus'" },
  {
    name: 'a seed',
    args: ['run', '--seed', 'x'],
    exitCode: 2,
    says: "option '--seed <number>' argument 'x' is invalid. must be a whole number.",
  },
  { name: 'an unknown challenge to check', args: ['check', 'nope'], exitCode: 2, says: 'there is no challenge "nope"' },
  { name: 'an unknown challenge to solve', args: ['solve', 'nope'], exitCode: 2, says: 'there is no challenge "nope"' },
  { name: 'a feature', args: ['run', 'features/none.feature'], exitCode: 2, says: 'there is no feature features/none.feature' },
  {
    name: 'a tag expression',
    args: ['run', '--tags', 'and and'],
    exitCode: 2,
    says: '--tags and and is no tag expression: Expected operand.',
  },
  { name: 'tags that nothing has', args: [...run, '--tags', '@nope'], exitCode: 2, says: 'no scenario was selected' },
  { name: 'a folder that is not there', args: ['run', '--lab', '/nope'], exitCode: 2, says: 'there is no folder /nope' },
  {
    name: 'a file for a folder',
    args: ['list', '--lab', '/etc/passwd'],
    exitCode: 2,
    says: '--lab takes a folder, and /etc/passwd is a file',
  },
  {
    name: 'a folder that cannot hold reports',
    args: [...run, '--reports', '/dev/null/reports'],
    exitCode: 3,
    says: 'the reports cannot be written to /dev/null/reports: a file is in the way',
  },
];

describe.concurrent('content that is broken is told in one message, with its place', () => {
  it.each(content)('$name', async ({ edit, exitCode, says }) => {
    const folder = mkdtempSync(join(tmpdir(), 'outpost-bad-'));
    try {
      for (const part of ['lab', 'containerlab', 'features']) cpSync(join(clone, part), join(folder, part), { recursive: true });
      const [file, change] = edit ?? [lab, (text: string) => text];
      writeFileSync(join(folder, file), change(readFileSync(join(folder, file), 'utf8')));
      expect(await toldBy([...run, '--lab', folder], `${folder}/`)).toEqual({ exitCode, says, hasStack: false });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe.concurrent('a command line that is wrong is told in one message', () => {
  it.each(usage)('$name', async ({ args = [], exitCode, says }) => {
    expect(await toldBy(args, '')).toEqual({ exitCode, says, hasStack: false });
  });
});

async function toldBy(args: readonly string[], folder: string): Promise<{ exitCode: number; says: string; hasStack: boolean }> {
  const { status, stderr } = await outpost(args);
  const lines = (folder === '' ? stderr : stderr.replaceAll(folder, '')).split('\n').filter((line) => line.startsWith('outpost: '));
  return {
    exitCode: status,
    says: lines.map((line) => line.slice('outpost: '.length)).join('\n'),
    hasStack: /^\s+at .*:\d+:\d+\)?$/m.test(stderr),
  };
}
