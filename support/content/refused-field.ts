import { createRequire } from 'node:module';
import { join } from 'node:path';
import type * as Yaml from 'yaml';
import type { ContentPath } from '../port/content-problem.ts';
import type { LabDefinition } from './lab.ts';
import { lineOf, place } from './yaml-file.ts';

/**
 * Where in a manifest of the home stands the field that the API server refused, as `file:line`. Undefined when the answer names
 * neither a file of the home nor a field in it.
 * @param answer what kubectl printed: `error when creating "a.yaml": … unknown field "spec.b"`, or `… is invalid: spec.b: …`
 */
export function placeOfRefusal(
  definition: Pick<LabDefinition, 'home' | 'homeFiles'>,
  answer: string,
  applied?: string,
): string | undefined {
  const file = applied ?? /error when (?:creating|applying patch|replacing|updating)[^"]*"([^"]+)"/.exec(answer)?.[1];
  const text = file === undefined ? undefined : definition.homeFiles.get(file.replace(/^(?:\.\/|\/root\/|~\/)/, ''));
  if (file === undefined || text === undefined || definition.home === undefined) return undefined;
  const field =
    /unknown field "([^"]+)"/.exec(answer)?.[1] ?? /is invalid: (?:\n?\* )?([A-Za-z][\w.[\]-]*): /.exec(answer)?.[1] ?? undefined;
  if (field === undefined) return undefined;
  const path = pathOf(field);
  const document = documentWith(text, path);
  return document === undefined ? undefined : place(join(definition.home, file.replace(/^\.\//, '')), lineOf(text, path, document));
}

/** `spec.ports[0].name` → spec, ports, 0, name */
function pathOf(field: string): ContentPath {
  return field
    .split(/\.|\[|\]\.?/)
    .filter((part) => part !== '')
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part));
}

/** The first document in which the whole path stands. */
function documentWith(text: string, path: ContentPath): number | undefined {
  const { parseAllDocuments } = createRequire(import.meta.url)('yaml') as typeof Yaml;
  const documents = parseAllDocuments(text);
  if (!Array.isArray(documents)) return undefined;
  const index = documents.findIndex((document) => document.hasIn(path));
  return index < 0 ? undefined : index;
}
