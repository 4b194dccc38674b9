import { definitions } from './builtin-definitions.ts';

/**
 * The fields of the built-in types (Kubernetes 1.27 `k8s.io/api`), for strict decoding, `omitempty` and patch merge keys.
 *
 * Notation: `name:type`. `s` string, `i` int32, `l` int64, `f` float64, `b` bool, `ios` IntOrString, `q` quantity, `t` time,
 * `bytes`, `any`, `[T]` list, `{T}` map with string keys, a capital letter begins another struct. `*` is a pointer (zero values are
 * kept), `!` has no `omitempty`, `=v1.Protocol` is the Go name of a text's or map's type. `[T@key,…]` is a list merged by key (the first is the strategic merge key, all of them identify an
 * item for server-side apply), `[s@]` a set of values.
 */
export type Type =
  | { readonly kind: 'string'; readonly goName?: string }
  | { readonly kind: 'int32' | 'int64' | 'float64' | 'bool' | 'intstr' | 'quantity' | 'time' | 'bytes' | 'any' }
  | { readonly kind: 'struct'; readonly name: string }
  | { readonly kind: 'list'; readonly item: Type; readonly keys: readonly string[] | undefined; readonly isSet: boolean }
  | { readonly kind: 'map'; readonly value: Type; readonly goName?: string };

export interface Field {
  readonly type: Type;
  readonly isPointer: boolean;
  readonly keepsEmpty: boolean;
}

export type Struct = ReadonlyMap<string, Field>;

export type Zero = '' | '0' | 0 | false | null;

/** Values that Go writes although nothing set them: what has no `omitempty`, structs and times that are no pointers. */
export interface Zeros {
  readonly always: readonly (readonly [field: string, value: Zero])[];
  /** Fields in which there may be more to fill in; a struct of these that is no pointer is always there. */
  readonly nested: readonly (readonly [field: string, struct: string, form: 'struct' | 'pointer' | 'list'])[];
}

const scalars: Readonly<Record<string, Type>> = {
  s: { kind: 'string' },
  i: { kind: 'int32' },
  l: { kind: 'int64' },
  f: { kind: 'float64' },
  b: { kind: 'bool' },
  ios: { kind: 'intstr' },
  q: { kind: 'quantity' },
  t: { kind: 'time' },
  mt: { kind: 'time' },
  bytes: { kind: 'bytes' },
  any: { kind: 'any' },
};

let lines: ReadonlyMap<string, string> | undefined;
const structs = new Map<string, Struct>();

/** A struct by its Go name; parsed at its first use. */
export function structOf(name: string): Struct | undefined {
  const known = structs.get(name);
  if (known !== undefined) return known;
  lines ??= new Map(
    definitions
      .trim()
      .split('\n')
      .map((line) => {
        // A struct may have no fields.
        const [name = '', ...fields] = line.split(' ');
        return [name, fields.join(' ')];
      }),
  );
  const line = lines.get(name);
  if (line === undefined) return undefined;
  const struct = new Map(
    (line === '' ? [] : line.split(' ')).map((part) => {
      const colon = part.indexOf(':');
      return [part.slice(0, colon), fieldOf(part.slice(colon + 1))];
    }),
  );
  structs.set(name, struct);
  return struct;
}

function fieldOf(text: string): Field {
  const keepsEmpty = text.endsWith('!');
  const isPointer = text.startsWith('*');
  return { type: typeOf(text.slice(isPointer ? 1 : 0, keepsEmpty ? -1 : undefined)), isPointer, keepsEmpty };
}

function typeOf(text: string): Type {
  const equals = text.lastIndexOf('=');
  if (equals >= 0 && !text.endsWith(']') && !text.endsWith('}')) {
    const named = typeOf(text.slice(0, equals));
    const goName = text.slice(equals + 1);
    return named.kind === 'string' || named.kind === 'map' ? { ...named, goName } : named;
  }
  if (text.startsWith('{')) return { kind: 'map', value: typeOf(text.slice(1, -1)) };
  if (text.startsWith('[')) {
    const [item = '', keys] = text.slice(1, -1).split('@');
    return { kind: 'list', item: typeOf(item), keys: keys === undefined || keys === '' ? undefined : keys.split(','), isSet: keys === '' };
  }
  return scalars[text] ?? { kind: 'struct', name: text };
}

const zeros = new Map<string, Zeros>();

export function zerosOf(name: string): Zeros {
  const known = zeros.get(name);
  if (known !== undefined) return known;
  const always: (readonly [string, Zero])[] = [];
  const nested: (readonly [string, string, 'struct' | 'pointer' | 'list'])[] = [];
  for (const [field, { type, isPointer, keepsEmpty }] of structOf(name) ?? []) {
    if (type.kind === 'struct') nested.push([field, type.name, isPointer ? 'pointer' : 'struct']);
    else if (type.kind === 'list' && type.item.kind === 'struct') nested.push([field, type.item.name, 'list']);
    if (type.kind === 'time' ? !isPointer : keepsEmpty && type.kind !== 'struct') always.push([field, zeroOf(type, isPointer)]);
  }
  const found = { always, nested };
  zeros.set(name, found);
  return found;
}

function zeroOf(type: Type, isPointer: boolean): Zero {
  if (isPointer) return null;
  switch (type.kind) {
    case 'string':
      return '';
    case 'quantity':
      return '0';
    case 'bool':
      return false;
    case 'int32':
    case 'int64':
    case 'float64':
    case 'intstr':
      return 0;
    default:
      return null;
  }
}

/** The Go spelling of a type, for decoding errors. */
export function goType(type: Type): string {
  switch (type.kind) {
    case 'struct':
      return `v1.${type.name.replace(/^Core(?=EndpointPort$)/, '')}`;
    case 'list':
      return `[]${goType(type.item)}`;
    case 'map':
      return type.goName !== undefined
        ? type.goName
        : type.value.kind === 'quantity'
          ? 'v1.ResourceList'
          : `map[string]${goType(type.value)}`;
    case 'intstr':
      return 'intstr.IntOrString';
    case 'quantity':
      return 'resource.Quantity';
    case 'time':
      return 'v1.Time';
    case 'bytes':
      return '[]uint8';
    case 'any':
      return 'interface {}';
    case 'string':
      return type.goName ?? 'string';
    default:
      return type.kind;
  }
}
