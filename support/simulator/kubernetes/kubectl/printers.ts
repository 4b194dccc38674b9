import { qualifiedKind } from './discovery.ts';
import { KubectlError, PlainError } from './errors.ts';
import { toYaml } from './go-yaml.ts';
import { goJson, goJsonIndented } from './json.ts';
import { JsonPath, relaxedJsonPath } from './jsonpath.ts';
import { readFile } from './manifests.ts';
import type { Session } from './session.ts';
import { formatTable } from './table.ts';
import { at, type Dict, isDict, listAt, nameOf, sortedKeys, textAt } from './values.ts';

/** Prints whole objects: every `-o` except the tables of `get`. */
export type ObjectPrinter = (object: Dict) => string;

const templateFormats = ['go-template', 'go-template-file', 'jsonpath', 'jsonpath-as-json', 'jsonpath-file', 'template', 'templatefile'];
const commonFormats = ['json', 'name', 'yaml', ...templateFormats];
const columnFormats = ['custom-columns', 'custom-columns-file'];

/** `jsonpath={.x}` → `jsonpath` and its template. */
function splitFormat(output: string, template: string): { readonly format: string; readonly argument: string } {
  const equals = output.indexOf('=');
  // Only templates have an argument: `yaml=x` is no format.
  if (equals === -1 || ['json', 'yaml', 'name'].includes(output.slice(0, equals)))
    return { format: output === '' && template !== '' ? 'go-template' : output, argument: template };
  return { format: output.slice(0, equals), argument: output.slice(equals + 1) };
}

export function unknownFormat(output: string, extra: readonly string[]): KubectlError {
  const formats = [...commonFormats, ...extra].sort().join(',');
  return new KubectlError(
    `unable to match a printer suitable for the output format ${JSON.stringify(output)}, allowed formats are: ${formats}`,
  );
}

/** @param extra formats beyond the common ones that the command knows (`wide`) */
export async function objectPrinter(
  session: Session,
  output: string,
  extra: readonly string[] = [],
  options: { readonly isTyped?: boolean } = {},
): Promise<ObjectPrinter> {
  const { flags } = session;
  const { format, argument } = splitFormat(output, flags.has('template') ? flags.text('template') : '');
  const clean = (object: Dict): Dict =>
    flags.has('show-managed-fields') && flags.is('show-managed-fields') ? object : withoutManagedFields(object);
  const needTemplate = (): string => {
    if (argument === '') throw new KubectlError('template format specified but no template given');
    return argument;
  };
  const fromFile = (): string => {
    const text = readFile(session, needTemplate());
    const what = format === 'custom-columns-file' ? 'template' : '--template';
    if (text === undefined) throw new KubectlError(`error reading ${what} ${argument}, open ${argument}: no such file or directory`);
    return text;
  };
  const allowsMissing = !flags.has('allow-missing-template-keys') || flags.is('allow-missing-template-keys');
  let count = 0;
  switch (format) {
    case 'json':
      return (object) => `${goJsonIndented(clean(object), options.isTyped ?? false)}\n`;
    case 'yaml':
      return (object) => (count++ > 0 ? '---\n' : '') + toYaml(clean(object));
    case 'name':
      return (object) =>
        objectNames(object)
          .map((name) => `${name}\n`)
          .join('');
    case 'jsonpath':
    case 'jsonpath-file': {
      const path = new JsonPath(format === 'jsonpath' ? needTemplate() : fromFile(), { allowsMissing });
      return (object) => path.print(clean(object));
    }
    case 'jsonpath-as-json': {
      const path = new JsonPath(needTemplate(), { allowsMissing });
      return (object) => `${goJsonIndented(path.findAll(clean(object)))}\n`;
    }
    case 'go-template':
    case 'template':
    case 'go-template-file':
    case 'templatefile': {
      const source = format.endsWith('file') ? fromFile() : needTemplate();
      const { GoTemplate } = await import('./go-template.ts');
      const template = new GoTemplate(source, { allowsMissing });
      return (object) => template.print(clean(object));
    }
    case 'custom-columns':
    case 'custom-columns-file':
      if (extra.includes('custom-columns')) {
        const spec = format === 'custom-columns' ? argument : columnsOfFile(fromFile());
        return customColumns(session, spec, flags.has('no-headers') && flags.is('no-headers'), clean);
      }
  }
  throw unknownFormat(output, extra);
}

export const getFormats = [...columnFormats, 'wide'];

export function withoutManagedFields(object: Dict): Dict {
  const strip = (one: Dict): Dict => {
    if (!isDict(one.metadata) || !('managedFields' in one.metadata)) return one;
    const { managedFields: _, ...metadata } = one.metadata;
    return { ...one, metadata };
  };
  const stripped = strip(object);
  return Array.isArray(stripped.items)
    ? { ...stripped, items: stripped.items.map((item) => (isDict(item) ? strip(item) : item)) }
    : stripped;
}

/** `deployment.apps/web`, one for each item of a list. */
export function objectNames(object: Dict): string[] {
  if (Array.isArray(object.items)) return listAt(object, 'items').filter(isDict).flatMap(objectNames);
  const kind = textAt(object, 'kind');
  if (kind === '')
    throw new KubectlError(
      "unable to get type info from the object \"*unstructured.Unstructured\": Object 'Kind' is missing in 'object has no kind field '",
    );
  return [`${qualifiedKind(kind, textAt(object, 'apiVersion'))}/${nameOf(object)}`];
}

/** Several objects printed as one: `kind: List`. */
export function listOf(items: readonly Dict[]): Dict {
  return { apiVersion: 'v1', items, kind: 'List', metadata: { resourceVersion: '' } };
}

// ── custom columns ──────────────────────────────────────────────────────────────────────────────────────────

function columnsOfFile(text: string): string {
  const [headers, paths] = text.split('\n').map((line) => line.trim().split(/\s+/));
  if (headers === undefined || paths === undefined || headers.length !== paths.length) {
    throw new KubectlError(`number of headers (${headers?.length ?? 0}) and field specifications (${paths?.length ?? 0}) don't match`);
  }
  return headers.map((header, index) => `${header}:${paths[index]}`).join(',');
}

function customColumns(session: Session, spec: string, hidesHeaders: boolean, clean: (object: Dict) => Dict): ObjectPrinter {
  if (spec === '') throw new KubectlError('custom-columns format specified but no custom columns given');
  const columns = spec.split(',').map((column) => {
    const colon = column.indexOf(':');
    if (colon === -1) throw new KubectlError(`unexpected custom-columns spec: ${column}, expected <header>:<json-path-expr>`);
    return { header: column.slice(0, colon), path: new JsonPath(relaxedOrFull(column.slice(colon + 1))) };
  });
  return (object) => {
    const items = Array.isArray(object.items) ? object.items.filter(isDict) : [object];
    const rows = hidesHeaders ? [] : [columns.map(({ header }) => header)];
    try {
      for (const item of items) rows.push(columns.map(({ path }) => columnText(path.find(clean(item)))));
    } catch (error) {
      // What came before the row that failed is printed.
      session.stdout += formatTable(rows);
      throw error;
    }
    return formatTable(rows);
  };
}

function relaxedOrFull(expression: string): string {
  return relaxedJsonPath(expression);
}

function columnText(values: readonly unknown[]): string {
  return values.length === 0 ? '<none>' : values.map(goValueText).join(',');
}

/** Go's `%v`. */
export function goValueText(value: unknown): string {
  if (value === null || value === undefined) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(goValueText).join(' ')}]`;
  if (isDict(value))
    return `map[${sortedKeys(value)
      .map((key) => `${key}:${goValueText(value[key])}`)
      .join(' ')}]`;
  return String(value);
}

// ── messages ────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * What a writing command prints about an object: `pod/web labeled`, with the dry-run suffix, or the object itself
 * where `-o` asks for it.
 */
export async function resultPrinter(
  session: Session,
  dryRun: 'none' | 'client' | 'server',
  options: { readonly isTyped?: boolean } = {},
): Promise<(object: Dict, operation: string) => void> {
  const output = session.flags.has('output') ? session.flags.text('output') : '';
  if (output !== '' || (session.flags.has('template') && session.flags.text('template') !== '')) {
    const print = await objectPrinter(session, output, [], options);
    return (object) => {
      session.stdout += print(object);
    };
  }
  const suffix = dryRun === 'client' ? ' (dry run)' : dryRun === 'server' ? ' (server dry run)' : '';
  return (object, operation) => session.out(`${objectNames(object)[0]} ${operation}${suffix}`);
}

export function notSimulated(what: string): PlainError {
  return new PlainError(`error: not simulated: ${what}`);
}

/** Compact JSON with sorted keys and a line end, as kubectl encodes objects (the last-applied annotation). */
export function encode(object: unknown): string {
  return `${goJson(object)}\n`;
}

export function resourceVersionOf(object: unknown): string {
  const version = at(object, 'metadata', 'resourceVersion');
  return typeof version === 'string' ? version : '';
}
