import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { OutpostError } from '../verdict/errors.ts';
import { type Program, program, startAs } from './program.ts';

/** Options that every command which opens a lab takes. */
export interface LabOptions {
  readonly lab: string;
  readonly driver: 'auto' | 'live' | 'simulator';
  readonly seed: number;
  /** Wait for another command that works on the live lab. */
  readonly wait?: boolean;
}

/** Runs the command line. @returns the exit code: 0 held, 1 a check did not, 2 usage, 3 environment, 4 content */
export async function main(argv: readonly string[], program: Program): Promise<number> {
  startAs(program);
  let exitCode = 0;
  const end = (code: number) => {
    exitCode = code;
  };
  const commands = buildCommands(end);
  try {
    await commands.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (error) {
    return explain(error);
  }
}

function explain(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof OutpostError) {
    process.stderr.write(`outpost: ${error.message}\n`);
    return error.exitCode;
  }
  // A bug of this program: never the learner's fault, and its stack is the only help there is.
  process.stderr.write(`outpost: internal error\n${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return 3;
}

function buildCommands(end: (code: number) => void): Command {
  const commands = new Command('outpost')
    .description('Grades hands-on network labs, on the real lab or on a simulator in this process.')
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({
      outputError: (text, write) =>
        write(
          `outpost: ${text
            .replace(/^error: /, '')
            .trim()
            .replaceAll('\n', ' ')}\n`,
        ),
    })
    .addHelpText(
      'after',
      '\nExit status: 0 all held, 1 a check did not hold, 2 wrong usage, 3 the lab could not be judged, 4 the content is broken.',
    );

  withLab(commands.command('run'))
    .description('do the tasks and check them, challenge by challenge')
    .argument('[features...]', 'feature files, with :LINE for single scenarios; all of the lab when absent')
    .option('--tags <expression>', "only scenarios that match, e.g. '@task-bgp and not @before'")
    .option('--json', 'print the verdict as one JSON document')
    .option('--reports <dir>', 'folder for the reports (reports/ in the lab)')
    .option('--record <dir>', 'keep every command and what it printed there, for outpost drift')
    .option('--wait', 'on a live lab: wait for another command that works on it')
    .action(async (features, options) => end(await (await import('./commands/run.ts')).run(features, options)));

  withLab(commands.command('check'))
    .description('check what has been done so far; changes nothing')
    .argument('[challenge]', 'all challenges when absent')
    .option('--json', 'print the verdict as one JSON document')
    .option('--reports <dir>', 'folder for the reports (reports/ in the lab)')
    .option('--record <dir>', 'keep every command and what it printed there, for outpost drift')
    .option('--wait', 'on a live lab: wait for another command that works on it')
    .option('--after <script>', 'on the simulator: a shell script to run first, as a learner would')
    .action(async (challenge, options) => end(await (await import('./commands/check.ts')).check(challenge, options)));

  withLab(commands.command('solve'))
    .description('do the tasks of a challenge, without checking them')
    .argument('<challenge>')
    .option('--wait', 'on a live lab: wait for another command that works on it')
    .action(async (challenge, options) => end(await (await import('./commands/solve.ts')).solve(challenge, options)));

  withContent(commands.command('up'))
    .description('bring the real lab up: kind, containerlab, Cilium; goes on where it broke off')
    .option('--wait', 'wait for another command that works on this lab')
    .action(async (options) => end(await (await import('./commands/up.ts')).up(options)));

  withContent(commands.command('down'))
    .description('take away what outpost up made, and nothing else')
    .option('--all', 'of every lab that was brought up here')
    .option('--wait', 'wait for another command that works on this lab')
    .action(async (options) => end(await (await import('./commands/down.ts')).down(options)));

  withContent(commands.command('reset'))
    .description('bring the real lab back to the start of a challenge')
    .argument('[challenge]', 'the start of the lab when absent')
    .option('--wait', 'wait for another command that works on this lab')
    .action(async (challenge, options) => end(await (await import('./commands/reset.ts')).reset(challenge, options)));

  withContent(commands.command('status'))
    .description('what of the real lab is there: 0 it is up, 3 it is not')
    .option('--json', 'as one JSON document')
    .action(async (options) => end(await (await import('./commands/status.ts')).status(options)));

  withContent(commands.command('doctor'))
    .description('find what would break a real lab on this machine, and how to mend it')
    .option('--fix', 'mend what can be mended without asking')
    .option('--json', 'as one JSON document')
    .action(async (options) => end(await (await import('./commands/doctor.ts')).doctor(options)));

  withLab(commands.command('shell'), 'simulator')
    .description("the lab host's terminal, on the simulator; a script comes from -c or standard input")
    .option('--at <challenge>', 'start with the earlier challenges solved')
    .option('-c <script>', 'run a script and end with its exit status')
    .action(async (options) => end(await (await import('./commands/shell.ts')).shell(options)));

  withLab(commands.command('topology'))
    .description('draw the lab with its links, addresses and BGP sessions, for the terminal or as SVG')
    .option('-o, --output <file>', 'an SVG file to write')
    .action(async (options) => end(await (await import('./commands/topology.ts')).topology(options)));

  withContent(commands.command('validate'))
    .description('check the content without running it: files, tasks, steps, tags')
    .action(async (options) => end(await (await import('./commands/validate.ts')).validate(options)));

  withContent(commands.command('list'))
    .description('list challenges and tasks')
    .option('--json', 'as one JSON document')
    .action(async (options) => end(await (await import('./commands/list.ts')).list(options)));

  withContent(commands.command('report'))
    .description('make the Allure site from the results of the last run (needs Java)')
    .option('--reports <dir>', 'folder of the reports (reports/ in the lab)')
    .action(async (options) => end(await (await import('./commands/report.ts')).report(options)));

  commands
    .command('drift')
    .description('compare two recordings by command, real or simulated: 0 nothing differs, 1 something does')
    .argument('[a]', 'a folder that --record made, or a transcript')
    .argument('[b]', 'another one')
    .option('--json', 'as one JSON document')
    .option('--show-masks', 'also list what differs between any two runs and is not compared')
    .action(async (a, b, options) => end(await (await import('./commands/drift.ts')).drift(a, b, options)));

  for (const command of commands.commands) command.exitOverride().copyInheritedSettings(commands);
  return commands;
}

function withContent(command: Command): Command {
  return command.option('--lab <dir>', 'folder of the lab: holds lab/lab.yaml, lab.yaml or a kind file', program().clone);
}

function withLab(command: Command, driver: LabOptions['driver'] = 'auto'): Command {
  const choice = new Option('--driver <driver>', 'where the lab is').choices(['auto', 'live', 'simulator']).default(driver);
  return withContent(command).addOption(choice).option('--seed <number>', 'seed of the simulator: same seed, same run', wholeNumber, 1);
}

function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('must be a whole number.');
  return Number(text);
}
