import { join } from 'node:path';
import { loadLab } from '../../content/lab.ts';
import { EnvironmentError } from '../../verdict/errors.ts';
import { Grader } from '../grade.ts';
import { openLive } from '../live-command.ts';
import { openTerminal } from '../terminal.ts';
import { refuse } from './run.ts';

export interface ResetOptions {
  readonly lab: string;
  readonly wait?: boolean;
}

/**
 * `outpost reset [CHALLENGE]`: back to the start of a challenge, or of the lab: what the manifests of the home made is deleted, the
 * setup is applied again, nodes that were lost are started, and the tasks of the earlier challenges are done.
 */
export async function reset(challenge: string | undefined, options: ResetOptions): Promise<number> {
  const definition = loadLab(options.lab);
  const grader = await Grader.open(definition);
  const earlier = challenge === undefined ? undefined : grader.beforeChallenge(challenge);
  const terminal = openTerminal();
  return await openLive(definition, { what: 'outpost reset', wait: options.wait === true, tell: terminal.tell }, async (context) => {
    const { docker, cluster, run } = context;
    const [{ LiveLab }, { preflight }, { startLost, undoManifests }] = await Promise.all([
      import('../../live/live-lab.ts'),
      import('../../live/doctor/preflight.ts'),
      import('../../live/reset.ts'),
    ]);
    const lab = new LiveLab(definition, docker);
    await startLost(context, terminal.tell);
    const { isUp, detail } = await lab.status();
    if (!isUp) throw new EnvironmentError('lab/not-live', 'the live lab is not up', { hint: detail, fix: 'outpost up' });
    await preflight(definition);
    await undoManifests({ definition, cluster, run }, terminal.tell);
    if (earlier !== undefined) {
      refuse(await grader.solve(lab, earlier));
      if (earlier.paths.length > 0) terminal.tell('the tasks of the earlier challenges are done');
    }
    terminal.tell(
      `the lab is where ${challenge === undefined ? 'it began' : `${challenge} begins`}; what was made by hand beside the manifests in ${shownHome(definition)} is left`,
    );
    return 0;
  });
}

function shownHome(definition: ReturnType<typeof loadLab>): string {
  return definition.home ?? join(definition.directory, '(no home)');
}
