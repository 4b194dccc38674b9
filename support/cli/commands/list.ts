import { loadLab } from '../../content/lab.ts';
import { openTerminal } from '../terminal.ts';

/** `outpost list`: challenges, tasks and points. */
export async function list(options: { readonly lab: string; readonly json?: boolean }): Promise<number> {
  const definition = loadLab(options.lab);
  const terminal = openTerminal(options.json === true);
  if (options.json === true) {
    const challenges = definition.challenges.map(({ name, title, feature, tasks }) => ({ name, title, feature, tasks }));
    terminal.print(JSON.stringify({ name: definition.name, title: definition.title, challenges }, null, 2));
    return 0;
  }
  terminal.print(terminal.paint('bold', definition.title));
  for (const { name, title, tasks } of definition.challenges) {
    terminal.print(`\n${terminal.paint('bold', name)}  ${title}`);
    for (const task of tasks) terminal.print(`  ${String(task.points).padStart(3)}  ${task.name.padEnd(16)} ${task.title}`);
  }
  if (definition.challenges.length === 0) terminal.print('no challenges');
  return 0;
}
