import { join } from 'node:path';
import { load, loadAll, YAMLException } from 'js-yaml';
import { ContentError } from '../verdict/errors.ts';
import { lineOf, place } from './yaml-file.ts';

/**
 * Checks the YAML files of the home as far as that needs no cluster: that they parse, and that every document of a
 * manifest has what each Kubernetes object has.
 * @throws ContentError with file and line
 */
export function checkManifests(home: string, files: ReadonlyMap<string, string>): void {
  for (const [name, text] of files) {
    if (!/\.ya?ml$/.test(name)) continue;
    parseManifest(join(home, name), text).forEach((document, index) => {
      if (document !== null && document !== undefined) checkObject(join(home, name), text, document, index);
    });
  }
}

/** Documents of a manifest file. @throws ContentError */
export function parseManifest(file: string, text: string): readonly unknown[] {
  try {
    return /^---/m.test(text) ? loadAll(text) : [load(text)];
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const line = (error.mark?.line ?? 0) + 1;
    throw new ContentError(
      'content/yaml',
      `${place(file, line)}: not valid YAML: ${error.reason}`,
      { fix: `correct line ${line}` },
      { cause: error },
    );
  }
}

function checkObject(file: string, text: string, document: unknown, index: number): void {
  const at = (path: readonly (string | number)[]) => place(file, lineOf(text, path, index));
  if (typeof document !== 'object' || Array.isArray(document)) {
    throw new ContentError('content/manifest', `${at([])}: a manifest must be a mapping with apiVersion, kind and metadata`);
  }
  const object = document as { apiVersion?: unknown; kind?: unknown; metadata?: { name?: unknown; generateName?: unknown } | null };
  for (const field of ['apiVersion', 'kind'] as const) {
    if (typeof object[field] !== 'string' || object[field] === '') {
      throw new ContentError('content/manifest', `${at([field])}: the object has no ${field}`, { fix: `add ${field}: …` });
    }
  }
  if (object.kind === 'List') return;
  const name = object.metadata?.name ?? object.metadata?.generateName;
  if (typeof name !== 'string' || name === '') {
    throw new ContentError('content/manifest', `${at(['metadata'])}: the ${object.kind} has no metadata.name`, {
      fix: 'add metadata.name',
    });
  }
}
