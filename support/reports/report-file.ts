import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';

/**
 * A report that is whole at every moment: what is added goes in front of an ending that is written again each time, so a
 * run that is killed leaves a file that its readers can open.
 */
export class ReportFile {
  readonly #descriptor: number;
  readonly #ending: string;
  #end = 0;

  constructor(path: string, beginning = '', ending = '') {
    this.#descriptor = openSync(path, 'w');
    this.#ending = ending;
    this.append(beginning);
  }

  append(text: string): void {
    this.#end += writeSync(this.#descriptor, text, this.#end);
    if (this.#ending !== '') writeSync(this.#descriptor, this.#ending, this.#end);
  }

  /** Writes over the beginning, which must not change its length. */
  rewriteBeginning(text: string): void {
    writeSync(this.#descriptor, text, 0);
  }

  close(): void {
    ftruncateSync(this.#descriptor, this.#end + Buffer.byteLength(this.#ending));
    closeSync(this.#descriptor);
  }
}
