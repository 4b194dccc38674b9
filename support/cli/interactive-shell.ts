import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { LabDefinition } from '../content/lab.ts';
import type { Lab } from '../port/lab.ts';
import { encodeRaw } from '../simulator/docker/byte-text.ts';
import type { ShellSession } from '../simulator/docker/types.ts';
import { OutpostError } from '../verdict/errors.ts';
import { checkTags } from './commands/check.ts';
import { LineReader } from './line-reader.ts';
import { completions, isIncomplete } from './shell-text.ts';
import { openTerminal } from './terminal.ts';

const historyFile = join(process.env.XDG_STATE_HOME ?? join(homedir(), '.local/state'), 'outpost', 'history');
const historyLength = 1000;

/** Talks with a learner at a terminal: prompt, history, completion, lines that go on. */
export async function interact(session: ShellSession, lab: Lab, definition: LabDefinition): Promise<number> {
  const terminal = openTerminal();
  terminal.tell(`${definition.title}, simulated. "outpost check [CHALLENGE]" grades what you have done; "exit" or Ctrl-D ends.`);
  const input = createInterface({
    input: process.stdin,
    output: process.stdout,
    history: readHistory(),
    historySize: historyLength,
    removeHistoryDuplicates: true,
    completer: (line: string, done: (error: Error | null, result: [string[], string]) => void) => {
      completions(session, line).then(
        (found) => done(null, found),
        () => done(null, [[], line]),
      );
    },
  });
  // The lab's time follows the wall clock while the learner thinks; otherwise nothing would ever happen between commands.
  let lastAt = performance.now();
  input.on('history', (history: string[]) => writeHistory(history));
  const lines = new LineReader(input);
  let exitCode = 0;
  for (;;) {
    const text = await readCommand(lines, prompt(session, definition));
    if (text === undefined || /^(exit|logout)(\s+\d+)?$/.test(text.trim())) {
      exitCode = Number(/\d+/.exec(text ?? '')?.[0] ?? exitCode);
      break;
    }
    await lab.clock.sleep(Math.max(0, performance.now() - lastAt));
    try {
      const challenge = /^outpost\s+check(?:\s+(\S+))?$/.exec(text.trim());
      exitCode = challenge === null ? await runCommand(session, text, lines) : await checkHere(lab, definition, challenge[1]);
    } catch (error) {
      if (!(error instanceof OutpostError)) throw error;
      process.stderr.write(`outpost: ${error.message}\n`);
      exitCode = error.exitCode;
    }
    lastAt = performance.now();
  }
  input.close();
  return exitCode;
}

async function runCommand(session: ShellSession, text: string, lines: LineReader): Promise<number> {
  if (text.trim() === '') return 0;
  const result = await session.run(text, { isTerminal: true, ask: (question) => answer(lines, question) });
  process.stdout.write(encodeRaw(result.stdout));
  process.stderr.write(encodeRaw(result.stderr));
  return result.exitCode;
}

/** The answer to a program's question; undefined when there is none to come. */
async function answer(lines: LineReader, question: string): Promise<string | undefined> {
  const last = question.lastIndexOf('\n') + 1;
  process.stdout.write(question.slice(0, last));
  const line = await lines.read(question.slice(last));
  return typeof line === 'string' ? undefined : line.text;
}

async function checkHere(lab: Lab, definition: LabDefinition, challenge: string | undefined): Promise<number> {
  const [{ Grader, challengeIndex, labFeatures }, { formatVerdict, Progress }] = await Promise.all([
    import('./grade.ts'),
    import('./summary.ts'),
  ]);
  const paths =
    challenge === undefined ? labFeatures(definition) : [definition.challenges[challengeIndex(definition, challenge)]?.feature ?? ''];
  const terminal = openTerminal();
  const progress = new Progress(terminal);
  const startedAt = performance.now();
  const labStartedAt = lab.clock.now();
  graders.set(definition, graders.get(definition) ?? Grader.open(definition));
  const grader = await graders.get(definition);
  const verdict = await grader?.grade(
    lab,
    'check',
    { paths, tags: checkTags },
    { onScenario: (scenario) => progress.onScenario(scenario) },
  );
  if (verdict === undefined) return 3;
  terminal.tell(formatVerdict(verdict, terminal, { wallMs: performance.now() - startedAt, labMs: lab.clock.now() - labStartedAt }));
  return verdict.exitCode;
}

/** Step definitions register themselves when they are imported, which happens once in a process. */
const graders = new Map<LabDefinition, Promise<import('./grade.ts').Grader>>();

/** One command, over as many lines as it needs; undefined at the end of the input. Ctrl-C drops what was begun. */
async function readCommand(lines: LineReader, firstPrompt: string): Promise<string | undefined> {
  let text = '';
  for (;;) {
    const line = await lines.read(text === '' ? firstPrompt : '> ');
    if (line === 'end') return text === '' ? undefined : text;
    if (line === 'interrupt') {
      text = '';
      continue;
    }
    text = text === '' ? line.text : `${text}\n${line.text}`;
    if (!isIncomplete(text)) return text;
  }
}

function prompt(session: ShellSession, definition: LabDefinition): string {
  const folder = session.cwd === '/root' ? '~' : session.cwd.replace(/^\/root\//, '~/');
  const host = session.env.get('HOSTNAME') ?? definition.name;
  return `root@${host}:${folder}# `;
}

function readHistory(): string[] {
  if (!existsSync(historyFile)) return [];
  return readFileSync(historyFile, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .reverse()
    .slice(0, historyLength);
}

function writeHistory(history: readonly string[]): void {
  try {
    mkdirSync(dirname(historyFile), { recursive: true });
    writeFileSync(historyFile, `${[...history].reverse().join('\n')}\n`);
  } catch {
    // A history that cannot be kept is no reason to disturb the learner.
  }
}
