import { describe, expect, it } from 'vitest';
import type { CommandContext } from '../docker/types.ts';
import { parseDialogue } from './dialogue.ts';
import { createDialogueCommand } from './dialogue-command.ts';

const command = createDialogueCommand(
  'call',
  parseDialogue({
    title: 'A call',
    steps: [
      { ask: 'One?', options: ['yes', 'no'], answer: 1, right: 'Good.', wrong: 'Think.' },
      { ask: 'Two?', options: ['yes', 'no'], answer: 2, right: 'Fine.', wrong: 'Hm.' },
      { say: 'Bye.' },
    ],
  }),
);

interface Case {
  readonly name: string;
  readonly stdin?: string;
  /** What the person at the terminal types; undefined closes it. */
  readonly typed?: readonly (string | undefined)[];
  readonly stdout: string;
  readonly asked?: readonly string[];
  readonly exitCode?: number;
}

const one = 'One?\n  1) yes\n  2) no';
const two = 'Two?\n  1) yes\n  2) no';

describe('a conversation', () => {
  it.each<Case>([
    {
      name: 'answers itself where nobody is',
      stdout: `── A call ──\n\n${one}\n\n(1) Good.\n\n${two}\n\n(2) Fine.\n\nBye.\n`,
    },
    {
      name: 'reads answers from lines',
      stdin: '2\n1\n2\n',
      stdout: `── A call ──\n\n${one}\n> 2\nThink.\n> 1\nGood.\n\n${two}\n> 2\nFine.\n\nBye.\n`,
    },
    {
      name: 'ends with the lines',
      stdin: '1\n',
      stdout: `── A call ──\n\n${one}\n> 1\nGood.\n\n${two}\n\nThe line went dead.\n`,
      exitCode: 1,
    },
    {
      name: 'asks a person until the answer is right',
      typed: ['x', '1', '2'],
      asked: [`── A call ──\n\n${one}\n> `, 'Please answer with a number from 1 to 2.\n> ', `Good.\n\n${two}\n> `],
      stdout: 'Fine.\n\nBye.\n',
    },
    {
      name: 'ends when the person hangs up',
      typed: [undefined],
      asked: [`── A call ──\n\n${one}\n> `],
      stdout: '\nThe line went dead.\n',
      exitCode: 1,
    },
    {
      name: 'hears lines rather than the person',
      stdin: '1\n2\n',
      typed: ['2'],
      asked: [],
      stdout: `── A call ──\n\n${one}\n> 1\nGood.\n\n${two}\n> 2\nFine.\n\nBye.\n`,
    },
  ])('$name', async ({ stdin, typed, stdout, asked = [], exitCode = 0 }) => {
    const prompts: string[] = [];
    const answers = [...(typed ?? [])];
    const context = {
      stdin: stdin ?? '',
      hasStdin: stdin !== undefined,
      ...(typed === undefined
        ? {}
        : {
            ask: async (prompt: string) => {
              prompts.push(prompt);
              return answers.shift();
            },
          }),
    } as unknown as CommandContext;
    expect(await command(['--interactive'], context)).toEqual({ stdout, stderr: '', exitCode });
    expect(prompts).toEqual(asked);
  });
});
