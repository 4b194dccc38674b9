import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { containerName } from '../simulator/containerlab/topology.ts';
import { EnvironmentError } from '../verdict/errors.ts';
import type { LabRecord } from './lab-state.ts';
import { lostLinks } from './links.ts';
import { asTree, kubeContext, type LiveContext, need, nodeNames } from './live-context.ts';
import { ciliumChart, defaultNodeImage } from './versions.ts';

/** One part of bringing a lab up. */
export interface UpStep {
  readonly name: string;
  readonly title: string;
  /** What it is made from. */
  readonly fingerprint: string;
  /** Whether what it made is still there; what the record says is not asked again. */
  stillThere(): Promise<boolean>;
  /** Whether something is there that this lab did not make, and that it would trip over. */
  foreign?(): Promise<EnvironmentError | undefined>;
  /** @param earlier how far an earlier run came with it */
  run(options: { readonly earlier: 'nothing' | 'begun' | 'done'; readonly onOutput: (text: string) => void }): Promise<void>;
}

const minute = 60_000;

/** What brings a lab up, in the order in which each part can rely on the one before. */
export function upSteps(context: LiveContext): UpStep[] {
  const { definition } = context;
  return [
    clusterStep(context),
    ...(definition.topology === undefined ? [] : [topologyStep(context, definition.topology)]),
    ...(definition.cilium === undefined ? [] : [ciliumStep(context, definition.cilium)]),
    readyStep(context),
    ...(definition.setup.length === 0 ? [] : [setupStep(context)]),
  ];
}

export function fingerprint(...parts: readonly (string | undefined)[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}

const fileText = (file: string | undefined) => (file === undefined ? undefined : readFileSync(file, 'utf8'));

function clusterStep({ definition, cluster, docker, run }: LiveContext): UpStep {
  const { file, documents } = definition.cluster;
  const names = nodeNames(documents[0], cluster);
  const containers = async () => await docker.listContainers({ all: true, filters: { label: [`io.x-k8s.kind.cluster=${cluster}`] } });
  return {
    name: 'cluster',
    title: `kind cluster "${cluster}", ${names.length === 1 ? 'one node' : `${names.length} nodes`}`,
    fingerprint: fingerprint(fileText(file)),
    async stillThere() {
      const running = (await containers()).filter(({ State }) => State === 'running').flatMap(({ Names }) => Names);
      return names.every((name) => running.includes(`/${name}`));
    },
    async foreign() {
      if ((await containers()).length === 0) return undefined;
      return new EnvironmentError('up/foreign-cluster', `there is a kind cluster "${cluster}" that outpost did not make`, {
        hint: `it is left alone; a lab that was brought up by hand can be judged as it is: outpost run --driver live`,
        fix: `kind delete cluster --name ${cluster}, or give the cluster another name in ${file}`,
      });
    },
    async run({ earlier, onOutput }) {
      const there = await containers();
      if (earlier === 'done' && names.every((name) => there.some(({ Names }) => Names.includes(`/${name}`)))) {
        // Whole, and stopped: a restart of the machine, mostly. What the learner did in it is kept.
        for (const { Id, State } of there) if (State !== 'running') await docker.getContainer(Id).start();
        return;
      }
      if (earlier !== 'nothing') await need(run, ['kind', 'delete', 'cluster', '--name', cluster], { timeoutMs: 5 * minute, onOutput });
      const { nodes } = asTree(documents[0]);
      const hasImage = Array.isArray(nodes) && nodes.some((node) => asTree(node)['image'] !== undefined);
      const image = hasImage ? [] : ['--image', defaultNodeImage];
      await need(run, ['kind', 'create', 'cluster', '--name', cluster, '--config', file, ...image], {
        timeoutMs: 15 * minute,
        onOutput,
      });
    },
  };
}

function topologyStep({ docker, run, state }: LiveContext, { source, parsed }: NonNullable<LiveContext['definition']['topology']>): UpStep {
  const containers = async () => await docker.listContainers({ all: true, filters: { label: [`containerlab=${parsed.name}`] } });
  const mounted = parsed.nodes.flatMap(({ binds }) => binds.map((bind) => join(dirname(source.file), bind.split(':')[0] ?? '')));
  return {
    name: 'topology',
    title: `topology "${parsed.name}", ${parsed.nodes.length} nodes and ${parsed.links.length} links`,
    fingerprint: fingerprint(fileText(source.file), ...mounted.map((file) => (existsSync(file) ? safeText(file) : undefined))),
    async stillThere() {
      const running = (await containers()).filter(({ State }) => State === 'running').flatMap(({ Names }) => Names);
      if (!parsed.nodes.every(({ name }) => running.includes(`/${containerName(parsed, name)}`))) return false;
      return (await lostLinks(docker, parsed)).length === 0;
    },
    async foreign() {
      if ((await containers()).length === 0) return undefined;
      return new EnvironmentError('up/foreign-topology', `containerlab runs a lab "${parsed.name}" that outpost did not make`, {
        hint: 'it is left alone',
        fix: `containerlab destroy --topo ${source.file}, or give the topology another name`,
      });
    },
    async run({ earlier, onOutput }) {
      // containerlab writes its own folder, certificates and inventories; they go where the record of the lab is.
      await need(run, ['containerlab', 'deploy', '--topo', source.file, ...(earlier === 'nothing' ? [] : ['--reconfigure'])], {
        timeoutMs: 15 * minute,
        onOutput,
        env: { CLAB_LABDIR_BASE: state.folder },
      });
    },
  };
}

function ciliumStep({ cluster, run }: LiveContext, cilium: NonNullable<LiveContext['definition']['cilium']>): UpStep {
  const { repository, chart, release, namespace } = ciliumChart;
  const context = kubeContext(cluster);
  return {
    name: 'cilium',
    title: `Cilium ${cilium.version}`,
    fingerprint: fingerprint(cilium.version, fileText(cilium.values?.file)),
    stillThere: async () => {
      const { exitCode } = await run(['helm', 'status', release, '--namespace', namespace, '--kube-context', context], {
        timeoutMs: minute,
      });
      return exitCode === 0;
    },
    async run({ onOutput }) {
      const values = cilium.values === undefined ? [] : ['--values', cilium.values.file];
      await need(
        run,
        [
          ...['helm', 'upgrade', '--install', release, chart, '--repo', repository, '--version', cilium.version],
          ...['--namespace', namespace, '--kube-context', context, ...values],
        ],
        { timeoutMs: 10 * minute, onOutput },
      );
    },
  };
}

function readyStep({ definition, cluster, run }: LiveContext): UpStep {
  const context = kubeContext(cluster);
  return {
    name: 'ready',
    title: definition.cilium === undefined ? 'nodes are ready' : 'Cilium and the nodes are ready',
    fingerprint: '',
    // Cheap when it is so, and the only honest answer.
    stillThere: async () => false,
    async run({ onOutput }) {
      if (definition.cilium !== undefined) {
        await need(run, ['cilium', 'status', '--wait', '--wait-duration', '10m', '--context', context], {
          timeoutMs: 11 * minute,
          onOutput,
        });
      }
      const networking = asTree(asTree(definition.cluster.documents[0])['networking']);
      // Without any network plug-in no node is ever ready.
      if (definition.cilium === undefined && networking['disableDefaultCNI'] === true) return;
      await need(run, ['kubectl', '--context', context, 'wait', '--for=condition=Ready', 'nodes', '--all', '--timeout=5m'], {
        timeoutMs: 6 * minute,
        onOutput,
      });
      await need(run, ['kubectl', '--context', context, '-n', 'kube-system', 'rollout', 'status', 'deployment/coredns', '--timeout=5m'], {
        timeoutMs: 6 * minute,
        onOutput,
      });
    },
  };
}

/** The operator defines Cilium's resources a while after it runs. */
const definitionPatienceMs = 2 * minute;

function setupStep({ definition, cluster, run }: LiveContext): UpStep {
  const files = definition.setup.map((file) => join(definition.home ?? definition.directory, file));
  return {
    name: 'setup',
    title: `setup: ${definition.setup.map((file) => basename(file)).join(', ')}`,
    fingerprint: fingerprint(...files.map(fileText)),
    stillThere: async () => true,
    async run({ onOutput }) {
      for (const file of files) await applyManifest(run, cluster, file, onOutput);
    },
  };
}

export async function applyManifest(
  run: LiveContext['run'],
  cluster: string,
  file: string,
  onOutput: (text: string) => void = () => undefined,
  pause: (milliseconds: number) => Promise<unknown> = wait,
): Promise<void> {
  const argv = ['kubectl', '--context', kubeContext(cluster), 'apply', '-f', file];
  for (let waitedMs = 0; ; waitedMs += 2_000) {
    const output = await run(argv, { timeoutMs: minute, onOutput });
    if (output.exitCode === 0) return;
    if (!/no matches for kind|ensure CRDs are installed first/.test(output.stderr) || waitedMs >= definitionPatienceMs) {
      await need(async () => output, argv);
    }
    await pause(2_000);
  }
}

function safeText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // A folder that is mounted: its files are read by the router, not by this program.
    return undefined;
  }
}

/** Whether a record says that a step was finished from the content as it is now. */
export function isDone(record: LabRecord | undefined, step: UpStep): boolean {
  const known = record?.steps[step.name];
  return known?.state === 'done' && known.fingerprint === step.fingerprint;
}
