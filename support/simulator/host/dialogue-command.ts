import type { Command, CommandContext } from '../docker/types.ts';
import type { Dialogue, DialogueStep } from './dialogue.ts';

/**
 * A program that leads a conversation: it tells, asks, and comments the answer. Answers come from a person
 * (`--interactive` on a terminal), from the lines of standard input, or, where there is neither, from the script's
 * own key, so that reading it is enough.
 */
export function createDialogueCommand(name: string, dialogue: Dialogue): Command {
  return async (args, context) => {
    const unknown = args.find((argument) => !['--interactive', '-i', '--help', '-h'].includes(argument));
    if (unknown !== undefined) return { stdout: '', stderr: `${name}: unknown option ${unknown}\n${usage(name)}`, exitCode: 2 };
    if (args.includes('--help') || args.includes('-h')) return { stdout: usage(name), stderr: '', exitCode: 0 };
    const isInteractive = args.includes('--interactive') || args.includes('-i');
    const hasLines = context.hasStdin && context.stdin.trim() !== '';
    const lines = hasLines
      ? context.stdin
          .split('\n')
          .map((line) => line.trim())
          .filter((line) => line !== '')
      : [];
    const output: string[] = [`── ${dialogue.title} ──`, ''];
    for (const step of dialogue.steps) {
      if (step.kind === 'say') output.push(...wrap(step.text), '');
      else {
        const person = isInteractive && !hasLines ? context.ask : undefined;
        const reply = await converse(step, person, hasLines ? lines : undefined, output);
        output.push(...reply.said, '');
        if (reply.isDead) return { stdout: `${output.join('\n')}\nThe line went dead.\n`, stderr: '', exitCode: 1 };
      }
    }
    return { stdout: output.join('\n').replace(/\n+$/, '\n'), stderr: '', exitCode: 0 };
  };
}

interface Reply {
  readonly said: readonly string[];
  /** Whoever answered is gone: no question follows. */
  readonly isDead: boolean;
}

async function converse(
  step: Extract<DialogueStep, { kind: 'ask' }>,
  person: CommandContext['ask'] | undefined,
  lines: string[] | undefined,
  said: string[],
): Promise<Reply> {
  const question = [...wrap(step.question), ...step.options.map((option, index) => `  ${index + 1}) ${option}`)];
  if (person !== undefined) {
    let prompt = `${[...said.splice(0), ...question].join('\n')}\n> `;
    for (;;) {
      const given = await person(prompt);
      if (given === undefined) return { said: [], isDead: true };
      const verdict = judge(step, given.trim());
      if (verdict.isRight) return { said: wrap(verdict.text), isDead: false };
      prompt = `${wrap(verdict.text).join('\n')}\n> `;
    }
  }
  const result = [...question];
  if (lines === undefined) return { said: [...result, '', ...wrap(`(${step.answer}) ${step.right}`)], isDead: false };
  while (lines.length > 0) {
    const given = lines.shift() ?? '';
    const verdict = judge(step, given);
    result.push(`> ${given}`, ...wrap(verdict.text));
    if (verdict.isRight) return { said: result, isDead: false };
  }
  return { said: result, isDead: true };
}

function judge(step: Extract<DialogueStep, { kind: 'ask' }>, given: string): { isRight: boolean; text: string } {
  const number = Number(given);
  if (!Number.isInteger(number) || number < 1 || number > step.options.length)
    return { isRight: false, text: `Please answer with a number from 1 to ${step.options.length}.` };
  return number === step.answer ? { isRight: true, text: step.right } : { isRight: false, text: step.wrong };
}

function wrap(text: string, width = 100): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

function usage(name: string): string {
  return `Usage: ${name} [--interactive]\n\nAnswers are read from the terminal, or line by line from standard input.\n`;
}
