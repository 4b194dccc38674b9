import type { Interface } from 'node:readline';

export type Line = { readonly text: string } | 'interrupt' | 'end';

/**
 * Reads lines one by one, and keeps those that come while nobody reads: a learner pastes several commands at once, and
 * none of them may be lost while the first one runs.
 */
export class LineReader {
  readonly #input: Interface;
  readonly #waiting: Line[] = [];
  #reader: ((line: Line) => void) | undefined;
  #hasEnded = false;

  constructor(input: Interface) {
    this.#input = input;
    input.on('line', (text) => this.#take({ text }));
    input.on('close', () => {
      this.#hasEnded = true;
      this.#take('end');
    });
    input.on('SIGINT', () => {
      // What was typed so far goes; so does what was pasted behind it.
      this.#waiting.length = 0;
      input.write(null, { ctrl: true, name: 'e' });
      input.write(null, { ctrl: true, name: 'u' });
      process.stdout.write('^C\n');
      this.#take('interrupt');
    });
  }

  read(prompt: string): Promise<Line> {
    const next = this.#waiting.shift();
    if (next !== undefined) return Promise.resolve(next);
    if (this.#hasEnded) return Promise.resolve('end');
    return new Promise((resolve) => {
      this.#reader = resolve;
      this.#input.setPrompt(prompt);
      this.#input.prompt();
    });
  }

  #take(line: Line): void {
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader !== undefined) reader(line);
    else if (line !== 'interrupt') this.#waiting.push(line);
  }
}
