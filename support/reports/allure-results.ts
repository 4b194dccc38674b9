import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Writes Allure's result files for allure-cucumberjs, whose own writer waits after each of some hundred small files until
 * the disk has it. A run that is killed loses nothing by that; only a machine that loses power would.
 */
export class AllureResultsWriter {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  writeResult(result: { readonly uuid: string }): void {
    this.#json(`${result.uuid}-result.json`, result);
  }

  writeGroup(group: { readonly uuid: string }): void {
    this.#json(`${group.uuid}-container.json`, group);
  }

  writeAttachment(name: string, content: Buffer | string): void {
    writeFileSync(join(this.#folder, name), content);
  }

  writeAttachmentFromPath(name: string, from: string): void {
    copyFileSync(from, join(this.#folder, name));
  }

  writeGlobals(name: string, globals: unknown): void {
    this.#json(name, globals);
  }

  writeCategoriesDefinitions(categories: unknown): void {
    this.#json('categories.json', categories);
  }

  writeEnvironmentInfo(info: Readonly<Record<string, string | undefined>>): void {
    const lines = Object.entries(info).map(([key, value]) => `${key} = ${value ?? ''}\n`);
    writeFileSync(join(this.#folder, 'environment.properties'), lines.join(''));
  }

  #json(name: string, value: unknown): void {
    writeFileSync(join(this.#folder, name), JSON.stringify(value));
  }
}
