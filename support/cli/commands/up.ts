import { loadLab } from '../../content/lab.ts';
import { openLive } from '../live-command.ts';
import { openTerminal } from '../terminal.ts';
import { UpLines } from '../up-lines.ts';

export interface UpOptions {
  readonly lab: string;
  readonly wait?: boolean;
}

/** `outpost up`: brings the real lab up, or goes on where an earlier run broke off. */
export async function up(options: UpOptions): Promise<number> {
  const definition = loadLab(options.lab);
  const terminal = openTerminal();
  return await openLive(definition, { what: 'outpost up', wait: options.wait === true, tell: terminal.tell }, async (context) => {
    const { bringUp } = await import('../../live/up.ts');
    terminal.tell(terminal.paint('bold', definition.title));
    const startedAt = performance.now();
    const lines = new UpLines(terminal, process.stdout);
    try {
      await bringUp(context, lines);
    } finally {
      lines.close();
    }
    const { formatDuration } = await import('../../waiting/waiting.ts');
    terminal.tell(
      `\nThe lab is up, after ${formatDuration(performance.now() - startedAt)}. Next: outpost check, outpost run, outpost down`,
    );
    return 0;
  });
}
