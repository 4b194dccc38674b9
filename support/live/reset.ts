import { join } from 'node:path';
import { kubeContext, type LiveContext, need } from './live-context.ts';
import { applyManifest } from './steps.ts';

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
