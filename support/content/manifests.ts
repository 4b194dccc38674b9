import { join } from 'node:path';
import { ContentError } from '../verdict/errors.ts';
import { checkEncoding, lineOf, parseDocuments, place } from './yaml-file.ts';

/** An object that a manifest of the home describes. */
export interface HomeObject {
  /** Relative to the home. */
  readonly file: string;
  /** Which `---` document of the file it is. */
  readonly document: number;
  readonly apiVersion: string;
  readonly kind: string;
}

/**
 * Checks the YAML files of the home as far as that needs no cluster: that they parse, and that every document of a
 * manifest has what each Kubernetes object has.
 * @throws ContentError with file and line
 */
export function checkManifests(home: string, files: ReadonlyMap<string, string>): readonly HomeObject[] {
  const found: HomeObject[] = [];
  for (const [file, text] of files) {
    if (!/\.ya?ml$/.test(file)) continue;
    checkEncoding(join(home, file), text);
    parseDocuments(join(home, file), text).forEach((content, document) => {
      if (content === null || content === undefined || isForOtherTools(content)) return;
      checkObject(join(home, file), text, content, document);
      const { apiVersion, kind } = content as { apiVersion: string; kind: string };
      found.push({ file, document, apiVersion, kind });
    });
  }
  return found;
}

/** Topologies, Helm values and kind clusters may lie beside the manifests: labs often keep all of them in one folder. */
function isForOtherTools(document: unknown): boolean {
  if (typeof document !== 'object' || Array.isArray(document)) return false;
  const { apiVersion, kind, metadata } = document as Record<string, unknown>;
  if (apiVersion === undefined && kind === undefined && metadata === undefined) return true;
  return /^(?:kind\.x-k8s\.io|kustomize\.config\.k8s\.io)\//.test(String(apiVersion));
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
