import type { CommandResult } from '../../../docker/types.ts';
import { KubectlError } from '../../../kubernetes/kubectl/errors.ts';
import { toYaml } from '../../../kubernetes/kubectl/go-yaml.ts';
import { JsonPath } from '../../../kubernetes/kubectl/jsonpath.ts';
import { formatTabs } from '../tab-writer.ts';

export const ok = (stdout: string): CommandResult => ({ stdout, stderr: '', exitCode: 0 });
/** `Fatalf` of the tool. */
export const fatal = (text: string): CommandResult => ({ stdout: '', stderr: `Error: ${text}\n`, exitCode: 1 });

/**
 * `-o json`, `-o yaml`, `-o jsonpath=…` (pkg/command/output.go); undefined where no output was asked for. After JSON and
 * YAML there is one more line, empty.
 */
export function printOutput(output: string | undefined, data: unknown): CommandResult | undefined {
  if (output === undefined || output === '') return undefined;
  if (output === 'json') return ok(`${JSON.stringify(data, undefined, 2)}\n\n`);
  if (output === 'yaml') return ok(`${toYaml(data)}\n`);
  const template = /^jsonpath=(.*)$/s.exec(output)?.[1];
  if (template === undefined) return { stdout: '', stderr: '', exitCode: 1 };
  if (template === '') return ok(`${JSON.stringify(data, undefined, 2)}\n\n`);
  try {
    return ok(`${new JsonPath(template).print(data)}\n`);
  } catch (error) {
    if (error instanceof KubectlError)
      return { stdout: '', stderr: `Couldn't parse jsonpath expression: '${error.message}'\n`, exitCode: 1 };
    throw error;
  }
}

/** Most tables of the tool: at least five wide, three blanks between. */
export const wide = { minWidth: 5, padding: 3 } as const;

/** A map as two columns: a title, then rows that end in a tab (helpers.go, TablePrinter). */
export function mapTable(first: string, second: string, rows: readonly (readonly [string, string])[]): string {
  return formatTabs([[first, second], ...rows.map(([key, value]) => [key, value, ''])], wide);
}

/** The same as JSON: each key with the list of its values. */
export function mapObject(rows: readonly (readonly [string, string])[]): Readonly<Record<string, readonly string[]>> {
  const object: Record<string, string[]> = {};
  for (const [key, value] of rows) {
    const values = object[key] ?? [];
    values.push(value);
    object[key] = values;
  }
  return Object.fromEntries(Object.entries(object).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
