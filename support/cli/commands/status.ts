import { loadLab } from '../../content/lab.ts';
import { connected } from '../live-command.ts';
import { openTerminal } from '../terminal.ts';

/** `outpost status`: what of the lab is there. @returns 0 when it is up, 3 when not */
export async function status(options: { readonly lab: string; readonly json?: boolean }): Promise<number> {
  const definition = loadLab(options.lab);
  const terminal = openTerminal(options.json === true);
  const { probeDocker } = await import('../../live/probe.ts');
  const answer = await probeDocker();
  if (!answer.answers) {
    const detail = answer.reason;
    if (options.json === true) terminal.print(JSON.stringify({ lab: definition.name, isUp: false, detail }, null, 2));
    else terminal.tell(`${terminal.paint('bold', definition.title)}: not up: ${detail}`);
    return 3;
  }
  const docker = await connected();
  const [{ LiveLab }, { openContext }, { upSteps }, { isDone }] = await Promise.all([
    import('../../live/live-lab.ts'),
    import('../../live/live-context.ts'),
    import('../../live/steps.ts'),
    import('../../live/step.ts'),
  ]);
  const context = openContext(definition, docker);
  const record = context.state.read();
  const { isUp, detail } = await new LiveLab(definition, docker).status();
  const steps = upSteps(context).map((step) => ({
    name: step.name,
    title: step.title,
    state:
      record?.steps[step.name] === undefined
        ? 'not made'
        : isDone(record, step)
          ? 'done'
          : record.steps[step.name]?.state === 'begun'
            ? 'broken off'
            : 'content has changed',
  }));
  if (options.json === true) {
    terminal.print(JSON.stringify({ lab: definition.name, isUp, detail, madeByOutpost: record !== undefined, steps }, null, 2));
    return isUp ? 0 : 3;
  }
  terminal.tell(`${terminal.paint('bold', definition.title)}: ${isUp ? 'up' : 'not up'}: ${detail}`);
  if (record === undefined) terminal.tell(isUp ? 'outpost did not make it, and will not take it away' : 'outpost up brings it up');
  else
    for (const { title, state } of steps)
      terminal.tell(`  ${state === 'done' ? terminal.paint('green', '✔') : '·'} ${title}${state === 'done' ? '' : `: ${state}`}`);
  return isUp ? 0 : 3;
}
