import type { ResourceType } from '../discovery.ts';
import { KubectlError, PlainError } from '../errors.ts';
import { notSimulated } from '../printers.ts';
import type { Session } from '../session.ts';
import { type Dict, dictAt, isDict, listAt, sortedKeys, textAt } from '../values.ts';
import { readIfThere } from '../waiting.ts';

/** Fields of every object; the real server adds them to the schema of a custom resource. */
const conventions = 'https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md';
const common: Readonly<Record<string, Dict>> = {
  apiVersion: {
    type: 'string',
    description: `APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values. More info: ${conventions}#resources`,
  },
  kind: {
    type: 'string',
    description: `Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: ${conventions}#types-kinds`,
  },
  metadata: { type: 'object', 'x-name': 'ObjectMeta', description: `Standard object's metadata. More info: ${conventions}#metadata` },
};

/** Documentation of a type's fields: from the schema of its CustomResourceDefinition. */
export function explain(session: Session): void {
  const { flags } = session;
  const [argument] = flags.args;
  if (argument === undefined) {
    throw new KubectlError(
      'You must specify the type of resource to explain. Use "kubectl api-resources" for a complete list of supported resources.',
    );
  }
  if (flags.args.length > 1) throw new KubectlError('We accept only this format: explain RESOURCE');
  if (!flags.text('output').startsWith('plaintext')) throw notSimulated(`kubectl explain --output=${flags.text('output')}`);
  const { type, path } = findType(session, argument);
  const schema = schemaOf(session, type);
  let text = `${type.group === '' ? '' : `GROUP:      ${type.group}\n`}KIND:       ${type.kind}\nVERSION:    ${type.version}\n\n`;
  let here: Dict = schema;
  let name = '';
  for (const field of path) {
    const inner = dictAt(elementOf(here), 'properties')[field];
    if (!isDict(inner)) {
      session.stdout += text;
      throw new KubectlError(`field ${JSON.stringify(field)} does not exist`);
    }
    here = inner;
    name = field;
  }
  if (name !== '') text += `FIELD: ${name} <${typeName(here)}>\n\n\n`;
  if (listAt(here, 'enum').length > 0)
    text += `ENUM:\n${listAt(here, 'enum')
      .map((value) => `    ${String(value)}\n`)
      .join('')}\n`;
  const told = descriptions(here);
  text += `DESCRIPTION:\n${told}${told === '    <empty>\n' ? '' : '    \n'}`;
  const properties = dictAt(elementOf(here), 'properties');
  if (Object.keys(properties).length > 0) text += `FIELDS:\n${fields(elementOf(here), 1, flags.is('recursive'))}`;
  session.stdout += `${text}\n`;
}

function findType(session: Session, argument: string): { readonly type: ResourceType; readonly path: readonly string[] } {
  const parts = argument.split('.');
  // `ciliumnodes.cilium.io`: as much as possible is the type, the rest are fields.
  for (let count = parts.length; count > 0; count--) {
    const type = session.discovery.optional(parts.slice(0, count).join('.').toLowerCase());
    if (type !== undefined) return { type, path: parts.slice(count) };
  }
  throw new PlainError(`the server doesn't have a resource type ${JSON.stringify(parts[0])}`);
}

function schemaOf(session: Session, type: ResourceType): Dict {
  const definitions = session.discovery.optional('customresourcedefinitions.apiextensions.k8s.io');
  const definition =
    definitions === undefined || type.group === '' ? undefined : readIfThere(session, definitions, '', `${type.plural}.${type.group}`);
  const version = listAt(definition, 'spec', 'versions').find((candidate) => textAt(candidate, 'name') === type.version);
  if (version === undefined) throw notSimulated(`kubectl explain of built-in types (${type.kind})`);
  const schema = dictAt(version, 'schema', 'openAPIV3Schema');
  return { ...schema, properties: { ...dictAt(schema, 'properties'), ...common } };
}

/** What the fields belong to: the object itself, or the items of a list or map. */
function elementOf(schema: Dict): Dict {
  if (isDict(schema.items)) return elementOf(schema.items);
  if (isDict(schema.additionalProperties)) return elementOf(schema.additionalProperties);
  return schema;
}

function typeName(schema: Dict): string {
  if (typeof schema['x-name'] === 'string') return schema['x-name'];
  if (schema.type === 'array') return `[]${isDict(schema.items) ? typeName(schema.items) : 'Object'}`;
  if (isDict(schema.additionalProperties)) return `map[string]${typeName(schema.additionalProperties)}`;
  if (schema['x-kubernetes-int-or-string'] === true) return 'IntOrString';
  return schema.type === 'object' || schema.type === undefined ? 'Object' : String(schema.type);
}

function descriptions(schema: Dict): string {
  const own = textAt(schema, 'description');
  const element = elementOf(schema);
  const texts = [own, element === schema ? '' : textAt(element, 'description')].filter((text) => text !== '');
  return texts.length === 0 ? '    <empty>\n' : texts.map((text) => wrap(text, '    ')).join('');
}

function fields(schema: Dict, level: number, isRecursive: boolean): string {
  const properties = dictAt(schema, 'properties');
  const required = listAt(schema, 'required');
  const indent = '  '.repeat(level);
  return sortedKeys(properties)
    .map((name) => {
      const field = properties[name] as Dict;
      const line = `${indent}${name}\t<${typeName(field)}>${required.includes(name) ? ' -required-' : ''}\n`;
      if (isRecursive) return line + fields(elementOf(field), level + 1, true);
      const choices = listAt(field, 'enum');
      const shown =
        choices.length === 0 ? '' : `${indent}enum: ${choices.slice(0, 4).map(String).join(', ')}${choices.length > 4 ? ', ....' : ''}\n`;
      const text = textAt(field, 'description');
      return `${line}${shown}${text === '' ? `${indent}  <no description>\n` : wrap(text, `${indent}  `)}\n`;
    })
    .join('');
}

/** Lines of at most 80 columns. */
function wrap(text: string, indent: string): string {
  return text
    .trimEnd()
    .split('\n')
    .map((paragraph) => {
      const lines = [''];
      for (const word of paragraph.split(' ')) {
        const last = lines.at(-1) as string;
        if (last !== '' && last.length + 1 + word.length > 80 - indent.length) lines.push(word);
        else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
      }
      return lines.map((line) => `${indent}${line}\n`).join('');
    })
    .join('');
}
