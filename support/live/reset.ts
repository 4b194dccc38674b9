import { join } from 'node:path';
import { UsageError } from '../verdict/errors.ts';
import { apiAnswers, clusterContainers, isMadeBy } from './cluster-step.ts';
import { kubeContext, type LiveContext, need } from './live-context.ts';
import { applyManifest, upSteps } from './steps.ts';

const minute = 60_000;

/**
 * Undoes what the manifests of the home made: their objects are deleted, except for those of the setup, which is applied again.
 * @throws EnvironmentError with kubectl's last lines
 */
export async function undoManifests(
  { definition, cluster, run }: Pick<LiveContext, 'definition' | 'cluster' | 'run'>,
  tell: (text: string) => void,
): Promise<void> {
  const { home = definition.directory, setup } = definition;
  const files = [...new Set(definition.homeObjects.map(({ file }) => file))].filter((file) => !setup.includes(file)).sort();
  for (const file of files) {
    // A resource that is not defined yet has no objects: Cilium's operator defines them one after the other.
    const argv = [
      'kubectl',
      '--context',
      kubeContext(cluster),
      'delete',
      '-f',
      join(home, file),
      '--ignore-not-found',
      '--wait',
      '--timeout=2m',
    ];
    const output = await run(argv, { timeoutMs: 3 * minute });
    if (output.exitCode !== 0 && !/no matches for kind/.test(output.stderr)) await need(async () => output, argv);
    tell(`${file} is undone`);
  }
  for (const file of setup) await applyManifest(run, cluster, join(home, file));
  if (setup.length > 0) tell(`applied again: ${setup.join(', ')}`);
}

/**
 * Starts the nodes that were lost on the way, since a task may be to lose one: those that `outpost up` made.
 * @throws UsageError for a cluster that was made for another lab; EnvironmentError when it does not get ready again
 */
export async function startLost(context: LiveContext, tell: (text: string) => void): Promise<void> {
  const { cluster, definition, docker, run, state } = context;
  const record = state.read();
  if (record !== undefined && record.root !== definition.root) {
    throw new UsageError('usage/other-lab', `kind cluster "${cluster}" was made for the lab in ${record.root}`, {
      fix: `outpost reset --lab ${record.root}`,
    });
  }
  const lost = (await clusterContainers(docker, cluster)).filter(({ State }) => State !== 'running');
  if (lost.length === 0 || !lost.every(({ Id }) => isMadeBy(record, Id))) return;
  for (const { Id } of lost) await docker.getContainer(Id).start();
  await apiAnswers(run, kubeContext(cluster));
  await upSteps(context)
    .find(({ name }) => name === 'ready')
    ?.run({ earlier: 'done', onOutput: () => undefined });
  const names = lost.map(({ Names }) => (Names[0] ?? '').replace(/^\//, '')).sort();
  tell(`${names.join(', ')} ${names.length === 1 ? 'was' : 'were'} started again`);
}
