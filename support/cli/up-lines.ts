import type { UpStep } from '../live/step.ts';
import type { UpProgress } from '../live/up.ts';
import { formatDuration } from '../waiting/waiting.ts';
import type { Terminal } from './terminal.ts';

const tickMs = 1_000;

/** A line for each step of `outpost up` once it has ended; in a terminal, one more that tells what goes on. */
export class UpLines implements UpProgress {
  readonly #terminal: Terminal;
  readonly #stream: NodeJS.WriteStream;
  #timer: NodeJS.Timeout | undefined;
  #last = '';

  constructor(terminal: Terminal, stream: NodeJS.WriteStream) {
    this.#terminal = terminal;
    this.#stream = stream;
  }

  onStart(step: UpStep): void {
    if (this.#stream.isTTY !== true) return;
    const startedAt = Date.now();
    this.#last = '';
    const draw = () => {
      const line = `… ${step.title}  ${formatDuration(Math.floor((Date.now() - startedAt) / 1000) * 1000)}  ${this.#last}`;
      this.#stream.write(`\r\u001b[K${line.slice(0, Math.max(20, (this.#stream.columns ?? 80) - 1))}`);
    };
    draw();
    this.#timer = setInterval(draw, tickMs);
  }

  onOutput(_step: UpStep, text: string): void {
    const lines = text.split(/[\r\n]/).filter((line) => line.trim() !== '');
    // Colours and cursor movements of the tool are its own affair.
    this.#last = (lines.at(-1) ?? this.#last).replace(/\u001b\[[0-9;?]*[A-Za-z]/g, '').trim();
  }

  onEnd(step: UpStep, how: 'done' | 'there' | 'failed', durationMs: number, remark = ''): void {
    this.close();
    const mark = how === 'failed' ? this.#terminal.paint('red', '✘') : this.#terminal.paint('green', '✔');
    const time = how === 'there' ? 'is there' : formatDuration(durationMs);
    this.#terminal.tell(`${mark} ${step.title}  ${this.#terminal.paint('grey', remark === '' ? time : `${time}  ${remark}`)}`);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    if (this.#stream.isTTY === true) this.#stream.write('\r\u001b[K');
  }
}
