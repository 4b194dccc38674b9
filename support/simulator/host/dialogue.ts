import { ContentProblem, FieldReader } from '../../port/content-problem.ts';

export type DialogueStep =
  | { readonly kind: 'say'; readonly text: string }
  | {
      readonly kind: 'ask';
      readonly question: string;
      readonly options: readonly string[];
      /** Number of the right option, from 1. */
      readonly answer: number;
      readonly right: string;
      readonly wrong: string;
    };

/** A conversation that a lab's own program leads with the learner. */
export interface Dialogue {
  readonly title: string;
  readonly steps: readonly DialogueStep[];
}

/** Reads a parsed dialogue file. @throws ContentProblem */
export function parseDialogue(parsed: unknown): Dialogue {
  const file = new FieldReader(parsed, []);
  file.allowOnly(['title', 'steps']);
  const steps = file.list('steps').map((value, index) => {
    const step = new FieldReader(value, ['steps', index]);
    step.allowOnly(['say', 'ask', 'options', 'answer', 'right', 'wrong']);
    if (step.has('say')) return { kind: 'say', text: step.string('say') } as const;
    const question = step.string('ask');
    const options = step.strings('options');
    if (options.length < 2) throw new ContentProblem(step.at('options'), 'a question needs at least two options');
    const answer = step.optionalNumber('answer') ?? 0;
    if (!Number.isInteger(answer) || answer < 1 || answer > options.length) {
      throw new ContentProblem(step.at('answer'), `answer must be the number of an option, 1 to ${options.length}, not ${answer}`);
    }
    return { kind: 'ask', question, options, answer, right: step.string('right'), wrong: step.string('wrong') } as const;
  });
  if (steps.length === 0) throw new ContentProblem(['steps'], 'a dialogue needs at least one step');
  return { title: file.string('title'), steps };
}
