import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { containerName } from '../simulator/containerlab/topology.ts';
import { EnvironmentError } from '../verdict/errors.ts';
import { clusterStep } from './cluster-step.ts';
import { buildStep, loadedImages, loadStep } from './image-steps.ts';
import { folderHash } from './images.ts';
import { lostLinks } from './links.ts';
import { asTree, kubeContext, type LiveContext, need } from './live-context.ts';
import { fingerprint, minute, type UpStep } from './step.ts';
import { ciliumChart } from './versions.ts';

/** What brings a lab up, in the order in which each part can rely on the one before. */
export function upSteps(context: LiveContext): UpStep[] {
  const { definition } = context;
  return [
    // Before what takes longer: it needs nothing but the engine.
    ...(definition.builds.size === 0 ? [] : [buildStep(context)]),
    clusterStep(context),
    ...(loadedImages(definition).length === 0 ? [] : [loadStep(context)]),
    ...(definition.topology === undefined ? [] : [topologyStep(context, definition.topology)]),
    ...(definition.cilium === undefined ? [] : [ciliumStep(context, definition.cilium)]),
    readyStep(context),
    ...(definition.setup.length === 0 ? [] : [setupStep(context)]),
  ];
}

const fileText = (file: string | undefined) => (file === undefined ? undefined : readFileSync(file, 'utf8'));

function topologyStep(
  { definition, docker, run, state }: LiveContext,
  { source, parsed }: NonNullable<LiveContext['definition']['topology']>,
): UpStep {
  const containers = async () => await docker.listContainers({ all: true, filters: { label: [`containerlab=${parsed.name}`] } });
  const built = parsed.nodes.flatMap(({ image = '' }) => definition.builds.get(image) ?? []).map(folderHash);
  const mounted = parsed.nodes.flatMap(({ binds }) => binds.map((bind) => join(dirname(source.file), bind.split(':')[0] ?? '')));
  return {
    name: 'topology',
    title: `topology "${parsed.name}", ${parsed.nodes.length} nodes and ${parsed.links.length} links`,
    fingerprint: fingerprint(fileText(source.file), ...mounted.map((file) => (existsSync(file) ? safeText(file) : undefined)), ...built),
    async stillThere() {
      const running = (await containers()).filter(({ State }) => State === 'running').flatMap(({ Names }) => Names);
      if (!parsed.nodes.every(({ name }) => running.includes(`/${containerName(parsed, name)}`))) return false;
      return (await lostLinks(docker, parsed)).length === 0;
    },
    async foreign(record) {
      const isForeign = ({ Labels }: { Labels: Record<string, string> }) =>
        record.steps['topology'] === undefined || Labels['clab-topo-file'] !== source.file;
      if (!(await containers()).some(isForeign)) return undefined;
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
    async run({ earlier, onOutput }) {
      if (earlier === 'begun') await finishBrokenOff(run, context);
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

/** helm refuses to touch a release whose installation or upgrade was cut off ("another operation is in progress"). */
async function finishBrokenOff(run: LiveContext['run'], context: string): Promise<void> {
  const { release, namespace } = ciliumChart;
  const where = [release, '--namespace', namespace, '--kube-context', context];
  const { stdout, exitCode } = await run(['helm', 'status', ...where, '--output', 'json'], { timeoutMs: minute });
  const state = exitCode === 0 ? /"status":\s*"(pending-[a-z]+)"/.exec(stdout)?.[1] : undefined;
  if (state === 'pending-install') await need(run, ['helm', 'uninstall', ...where], { timeoutMs: 5 * minute });
  else if (state !== undefined) await need(run, ['helm', 'rollback', ...where], { timeoutMs: 5 * minute });
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
