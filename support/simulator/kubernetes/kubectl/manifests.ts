import { KubectlError, throwAll } from './errors.ts';
import type { Session } from './session.ts';
import { type Dict, isDict, isEqual, listAt, textAt } from './values.ts';
import { parseYaml } from './yaml-parser.ts';
import { YamlError } from './yaml-scanner.ts';

/** One object of a file, not yet matched with a type of the server. */
export interface ManifestObject {
  readonly object: Dict;
  /** The file as it was named, or `STDIN`. */
  readonly source: string;
}

const manifestEndings = /\.(json|yaml|yml)$/;

function absolute(session: Session, path: string): string {
  const parts = (path.startsWith('/') ? path : `${session.context.cwd}/${path}`).split('/');
  const kept: string[] = [];
  for (const part of parts) {
    if (part === '..') kept.pop();
    else if (part !== '' && part !== '.') kept.push(part);
  }
  return `/${kept.join('/')}`;
}

export function readFile(session: Session, path: string): string | undefined {
  return session.context.files.read(absolute(session, path));
}
export function writeFile(session: Session, path: string, content: string): void {
  session.context.files.write(absolute(session, path), content);
}
export function isDirectory(session: Session, path: string): boolean {
  return session.context.files.isDirectory(absolute(session, path));
}
export function listDirectory(session: Session, path: string): readonly string[] | undefined {
  return session.context.files.list(absolute(session, path));
}

/** The objects of `-f` in order; errors of one document do not stop the others. */
export function readManifests(session: Session, errors: KubectlError[], validates: boolean): ManifestObject[] {
  const { flags } = session;
  if (flags.has('kustomize') && flags.text('kustomize') !== '') throw new KubectlError('not simulated: kubectl with --kustomize (-k)');
  const found: ManifestObject[] = [];
  const paths = flags.list('filename');
  const isMissing = (path: string): boolean =>
    path !== '-' && !/^https?:\/\//.test(path) && !isDirectory(session, path) && readFile(session, path) === undefined;
  // Nothing is read where a path is missing.
  throwAll(paths.filter(isMissing).map((path) => new KubectlError(`the path ${JSON.stringify(path)} does not exist`)));
  for (const path of paths) {
    for (const { text, source } of readPath(session, path, errors)) found.push(...objectsIn(text, source, errors, validates));
  }
  return found;
}

function readPath(session: Session, path: string, errors: KubectlError[]): { readonly text: string; readonly source: string }[] {
  if (path === '-') return [{ text: session.context.stdin, source: 'STDIN' }];
  if (/^https?:\/\//.test(path)) {
    errors.push(new KubectlError(`not simulated: reading ${path} over the network`));
    return [];
  }
  if (isDirectory(session, path)) return readDirectory(session, path.replace(/\/+$/, ''));
  return [{ text: readFile(session, path) ?? '', source: path }];
}

function readDirectory(session: Session, path: string): { readonly text: string; readonly source: string }[] {
  const isRecursive = session.flags.has('recursive') && session.flags.is('recursive');
  const found: { readonly text: string; readonly source: string }[] = [];
  for (const name of [...(listDirectory(session, path) ?? [])].sort()) {
    const inner = `${path}/${name}`;
    if (isDirectory(session, inner)) {
      if (isRecursive) found.push(...readDirectory(session, inner));
    } else if (manifestEndings.test(name)) found.push({ text: readFile(session, inner) ?? '', source: inner });
  }
  return found;
}

/** Documents are split at lines of `---` before they are parsed, which is why line numbers count from there. */
export function splitDocuments(text: string): string[] {
  const documents: string[] = [];
  let lines: string[] = [];
  text.split('\n').forEach((line, index) => {
    if (line.startsWith('---') && (index > 0 || line.trim() === '---')) {
      documents.push(lines.join('\n'));
      lines = [];
      // What follows the marker on its line belongs to it (`--- # comment`).
    } else lines.push(line);
  });
  documents.push(lines.join('\n'));
  return documents;
}

function objectsIn(text: string, source: string, errors: KubectlError[], validates: boolean): ManifestObject[] {
  const found: ManifestObject[] = [];
  const documents = text.trimStart().startsWith('{') ? [text] : splitDocuments(text);
  for (const document of documents) {
    let value: unknown;
    try {
      value = parseYaml(document);
    } catch (error) {
      if (!(error instanceof YamlError)) throw error;
      // The decoder cannot go on after a text that is no YAML.
      errors.push(new KubectlError(`error parsing ${source}: error converting YAML to JSON: ${error.message}`));
      return found;
    }
    if (value === null || value === undefined || isEqual(value, {})) continue;
    if (!isDict(value)) {
      const shown = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;
      if (validates) {
        errors.push(
          new KubectlError(
            `error validating ${JSON.stringify(source)}: error validating data: invalid object to validate; if you choose to ignore these errors, turn validation off with --validate=false`,
          ),
        );
        continue;
      }
      errors.push(
        new KubectlError(
          `unable to decode ${JSON.stringify(source)}: json: cannot unmarshal ${shown} into Go value of type unstructured.detector`,
        ),
      );
      return found;
    }
    for (const object of flattenList(value)) found.push({ object, source });
  }
  return found;
}

function flattenList(value: Dict): Dict[] {
  if (!textAt(value, 'kind').endsWith('List') || !Array.isArray(value.items)) return [value];
  return listAt(value, 'items').filter(isDict).flatMap(flattenList);
}
