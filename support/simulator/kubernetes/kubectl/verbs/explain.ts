import { groupVersionOf, type ResourceType } from '../discovery.ts';
import { isNotFound, KubectlError, PlainError } from '../errors.ts';
import { notSimulated } from '../printers.ts';
import { accepts, type Session } from '../session.ts';
import { at, type Dict, dictAt, isDict, listAt, sortedKeys, textAt } from '../values.ts';

/**
 * Documentation of a type's fields, from the server's OpenAPI document of its group and version, as the template `plaintext` of
 * kubectl/pkg/explain/v2 writes it. Of built-in types the document has no descriptions: the server's openapi-builtin.ts says why.
 */
export function explain(session: Session): void {
  const { flags } = session;
  const [argument] = flags.args;
  if (argument === undefined) {
    throw new KubectlError(
      'You must specify the type of resource to explain. Use "kubectl api-resources" for a complete list of supported resources.',
    );
  }
  if (flags.args.length > 1) throw new KubectlError('We accept only this format: explain RESOURCE');
  const { type, path } = findType(session, argument);
  const output = flags.text('output');
  if (output === 'plaintext-openapiv2') throw notSimulated('kubectl explain --output=plaintext-openapiv2');
  if (output !== 'plaintext') throw new KubectlError(`unrecognized format: ${output}`);
  const groupVersion = flags.text('api-version') || groupVersionOf(type);
  const [group, version] = (groupVersion.includes('/') ? groupVersion.split('/') : ['', groupVersion]) as [string, string];
  const resource = `${groupVersion === version ? `/${version}` : groupVersion}, Resource=${type.plural}`;
  const page = new Page(documentOf(session, group, version, resource), flags.is('recursive'));
  const kind = page.kindAt(`${group === '' ? '/api' : `/apis/${group}`}/${version}`, type.plural);
  if (kind === undefined) throw new KubectlError(`GVR (${resource}) not found in OpenAPI schema`);
  session.stdout += `${group === '' ? '' : `GROUP:      ${group}\n`}KIND:       ${kind}\nVERSION:    ${version}\n\n`;
  const text = page.output(page.schemaOf(group, version, kind), path);
  if (text === '') throw new KubectlError(`field ${JSON.stringify(path.at(-1))} does not exist`);
  session.stdout += `${text}\n`;
}

function documentOf(session: Session, group: string, version: string, resource: string): Dict {
  const path = `/openapi/v3/${group === '' ? 'api' : `apis/${group}`}/${version}`;
  try {
    const answer = session.request('GET', path, { accept: accepts.json });
    if (isDict(answer)) return answer;
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  throw new KubectlError(`couldn't find resource for ${JSON.stringify(resource)}`);
}

function findType(session: Session, argument: string): { readonly type: ResourceType; readonly path: readonly string[] } {
  const parts = argument.split('.');
  // `ciliumnodes.cilium.io`: as much as possible is the type, the rest are fields.
  for (let count = parts.length; count > 0; count--) {
    const type = session.discovery.optional(parts.slice(0, count).join('.').toLowerCase());
    if (type !== undefined) return { type, path: parts.slice(count).filter((field) => field !== '') };
  }
  throw new PlainError(`the server doesn't have a resource type ${JSON.stringify(parts[0])}`);
}

/** What a document says of its types. */
class Page {
  readonly #document: Dict;
  readonly #isRecursive: boolean;

  constructor(document: Dict, isRecursive: boolean) {
    this.#document = document;
    this.#isRecursive = isRecursive;
  }

  /** The kind that is served at a path. */
  kindAt(root: string, plural: string): string | undefined {
    for (const path of [`${root}/${plural}/{name}`, `${root}/namespaces/{namespace}/${plural}/{name}`]) {
      const kind = at(this.#document, 'paths', path, 'get', 'x-kubernetes-group-version-kind', 'kind');
      if (typeof kind === 'string') return kind;
    }
    return undefined;
  }

  schemaOf(group: string, version: string, kind: string): Dict {
    const isOf = (schema: unknown): boolean =>
      listAt(schema, 'x-kubernetes-group-version-kind').some(
        (gvk) => textAt(gvk, 'group') === group && textAt(gvk, 'version') === version && textAt(gvk, 'kind') === kind,
      );
    return (Object.values(dictAt(this.#document, 'components', 'schemas')).find(isOf) ?? {}) as Dict;
  }

  /** The text about what a path leads to; empty when it leads nowhere. */
  output(schema: Dict, path: readonly string[], seen: ReadonlySet<string> = new Set()): string {
    const name = referenceOf(schema);
    const resolved = this.#resolve(schema);
    const [field, ...rest] = path;
    if (field === undefined) {
      const told = this.#description(schema);
      const fields = this.#fields(resolved, 1, new Set());
      return `DESCRIPTION:\n${told === '' ? '    <empty>' : indented(wrapped(told, 76), 4)}\n${fields === '' ? '' : `FIELDS:\n${fields}`}`;
    }
    if (name !== '' && seen.has(name)) return '';
    const property = dictAt(resolved, 'properties')[field];
    if (isDict(property)) {
      const head = rest.length > 0 ? '' : `FIELD: ${field} <${this.#typeName(property)}>\n${choices(property, undefined)}\n\n`;
      const below = this.output(property, rest);
      return head + below;
    }
    const next = new Set([...seen, name]);
    if (isDict(resolved.items)) return this.output(resolved.items, path, next);
    if (isDict(resolved.additionalProperties)) return this.output(resolved.additionalProperties, path, next);
    for (const alternative of listAt(resolved, 'allOf').filter(isDict)) {
      const text = this.output(alternative, path, next);
      if (text !== '') return text;
    }
    return '';
  }

  #resolve(schema: Dict): Dict {
    const name = referenceOf(schema);
    if (name === '') return schema;
    return dictAt(this.#document, 'components', 'schemas', name);
  }

  /** Its own description and those of what it is made of. */
  #description(schema: Dict): string {
    const resolved = this.#resolve(schema);
    const own = textAt(resolved, 'description');
    const parts = [...listAt(resolved, 'allOf'), resolved.items, resolved.additionalProperties].filter(isDict);
    return (own === '' ? '' : `${own}\n`) + parts.map((part) => this.#description(part)).join('');
  }

  #fields(schema: Dict, level: number, seen: ReadonlySet<string>): string {
    const name = referenceOf(schema);
    if (name !== '' && seen.has(name)) return '';
    const resolved = this.#resolve(schema);
    const next = new Set([...seen, name]);
    const properties = dictAt(resolved, 'properties');
    const required = listAt(resolved, 'required');
    let text = '';
    for (const key of sortedKeys(properties)) {
      const field = properties[key] as Dict;
      const indent = '  '.repeat(level);
      text += `${indent}${key}\t<${this.#typeName(field)}>${required.includes(key) ? ' -required-' : ''}${choices(field, level * 2)}\n`;
      if (this.#isRecursive) text += this.#fields(field, level + 1, next);
      else text += `${indented(wrapped(textAt(field, 'description') || '<no description>', 78 - level * 2), level * 2 + 2)}\n\n`;
    }
    const parts = [...listAt(resolved, 'allOf'), resolved.items, resolved.additionalProperties].filter(isDict);
    return text + parts.map((part) => this.#fields(part, level, next)).join('');
  }

  #typeName(schema: Dict): string {
    if (isDict(schema.items)) return `[]${this.#typeName(schema.items)}`;
    if (isDict(schema.additionalProperties)) return `map[string]${this.#typeName(schema.additionalProperties)}`;
    const alternatives = listAt(schema, 'allOf').filter(isDict);
    if (alternatives.length === 1 && schema.properties === undefined) return this.#typeName(alternatives[0] as Dict);
    const name = referenceOf(schema);
    const type = textAt(name === '' ? schema : this.#resolve(schema), 'type');
    if (name !== '' && (type === '' || type === 'object')) return name.split('.').at(-1) as string;
    return type === '' || type === 'object' ? 'Object' : type;
  }
}

function referenceOf(schema: Dict): string {
  return textAt(schema, '$ref').split('/').at(-1) as string;
}

/** An enumeration's values: all of them under a field that is asked for, the first four (indented) in a list of fields. */
function choices(schema: Dict, indent: number | undefined): string {
  const values = listAt(schema, 'enum').map((value) => (value === '' ? '""' : String(value)));
  if (values.length === 0) return '';
  if (indent === undefined) return `ENUM:${values.map((value) => `\n    ${value}`).join('')}`;
  return `\n${' '.repeat(indent)}enum: ${values.slice(0, 4).join(', ')}${values.length > 4 ? ', ....' : ''}`;
}

function indented(text: string, amount: number): string {
  const blanks = ' '.repeat(amount);
  return blanks + text.replaceAll('\n', `\n${blanks}`);
}

/** Lines of at most so many columns; a word that is longer has one of its own. */
function wrapped(text: string, width: number): string {
  return text
    .split('\n')
    .map((paragraph) => {
      const lines = [''];
      for (const word of paragraph.split(' ')) {
        const last = lines.at(-1) as string;
        if (last !== '' && last.length + 1 + word.length > width) lines.push(word);
        else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
      }
      return lines.join('\n');
    })
    .join('\n');
}
