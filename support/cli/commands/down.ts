import { existsSync } from 'node:fs';
import { loadLab } from '../../content/lab.ts';
import type { Removal } from '../../live/down.ts';
import { UsageError } from '../../verdict/errors.ts';
import { lockedLab, openLive } from '../live-command.ts';
import { openTerminal, type Terminal } from '../terminal.ts';

export interface DownOptions {
  readonly lab: string;
  readonly all?: boolean;
  readonly wait?: boolean;
}

/** `outpost down`: takes away what `outpost up` made, and nothing else. */
export async function down(options: DownOptions): Promise<number> {
  const terminal = openTerminal();
  const access = { what: 'outpost down', wait: options.wait === true, tell: terminal.tell };
  if (options.all === true) return await downAll(access, terminal);
  const definition = loadLab(options.lab);
  const [{ LabState }, { clusterName }] = await Promise.all([import('../../live/lab-state.ts'), import('../../live/live-context.ts')]);
  const cluster = clusterName(definition);
  const nothing = () => terminal.tell(`nothing to take away: outpost up has not made kind cluster "${cluster}" here`);
  const state = new LabState(cluster);
  // No engine is needed to know that; unless somebody is about to make it.
  if (state.read() === undefined && !existsSync(state.lockFile)) {
    nothing();
    return 0;
  }
  return await openLive(definition, access, async (context) => {
    const record = context.state.read();
    if (record === undefined) {
      nothing();
      return 0;
    }
    if (record.root !== definition.root) {
      throw new UsageError('usage/other-lab', `kind cluster "${context.cluster}" was made for the lab in ${record.root}`, {
        fix: `outpost down --lab ${record.root}, or outpost down --all`,
      });
    }
    const { takeDown } = await import('../../live/down.ts');
    await takeDown(context, record, telling(terminal));
    return 0;
  });
}

async function downAll(access: Parameters<typeof openLive>[1], terminal: Terminal): Promise<number> {
  const [{ allRecords, LabState }, { takeDown }, { connected }, { hostRunner }] = await Promise.all([
    import('../../live/lab-state.ts'),
    import('../../live/down.ts'),
    import('../live-command.ts'),
    import('../../live/live-context.ts'),
  ]);
  const records = allRecords();
  if (records.length === 0) terminal.tell('nothing to take away: outpost up has made no lab here');
  const docker = records.length === 0 ? undefined : await connected();
  for (const record of records) {
    terminal.tell(terminal.paint('bold', `${record.lab} (${record.root})`));
    const state = new LabState(record.cluster, record.engine);
    await lockedLab(state.lockFile, access, async () => {
      if (docker !== undefined) await takeDown({ docker, run: hostRunner('/'), state }, record, telling(terminal));
    });
  }
  return 0;
}

function telling(terminal: Terminal) {
  return ({ what, failure, left }: Removal) => {
    if (failure !== undefined) terminal.tell(`${terminal.paint('red', '✘')} ${what} is still there`);
    else if (left !== undefined) terminal.tell(`${terminal.paint('yellow', '!')} ${what} is left alone: ${left}`);
    else terminal.tell(`${terminal.paint('green', '✔')} ${what} is gone`);
  };
}
