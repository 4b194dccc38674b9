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
    const lines = context.hasStdin
      ? context.stdin
          .split('\n')
          .map((line) => line.trim())
          .filter((line) => line !== '')
      : [];
    const output: string[] = [`── ${dialogue.title} ──`, ''];
    for (const step of dialogue.steps) {
      if (step.kind === 'say') output.push(...wrap(step.text), '');
      else output.push(...(await converse(step, isInteractive ? context : undefined, lines, output)), '');
    }
    return { stdout: output.join('\n').replace(/\n+$/, '\n'), stderr: '', exitCode: 0 };
  };
}

async function converse(
  step: Extract<DialogueStep, { kind: 'ask' }>,
  person: CommandContext | undefined,
  lines: string[],
  said: string[],
): Promise<readonly string[]> {
  const question = [...wrap(step.question), ...step.options.map((option, index) => `  ${index + 1}) ${option}`)];
  if (person?.ask !== undefined && lines.length === 0) {
    let prompt = `${[...said.splice(0), ...question].join('\n')}\n> `;
    for (;;) {
      const given = await person.ask(prompt);
      if (given === undefined) return ['', 'The line went dead.'];
      const verdict = judge(step, given.trim());
      if (verdict.isRight) return wrap(verdict.text);
      prompt = `${wrap(verdict.text).join('\n')}\n> `;
    }
  }
  const result = [...question];
  if (lines.length === 0) return [...result, '', ...wrap(`(${step.answer}) ${step.right}`)];
  while (lines.length > 0) {
    const given = lines.shift() ?? '';
    const verdict = judge(step, given);
    result.push(`> ${given}`, ...wrap(verdict.text));
    if (verdict.isRight) return result;
  }
  return [...result, '', 'The line went dead.'];
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
