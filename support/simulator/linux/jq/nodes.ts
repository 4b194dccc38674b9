import { arithmetic, compare, described, excerpt, index, isList, isObject, JqError, type Json, type Path } from './values.ts';

/** A value on its way, with the path to it while somebody asks for paths; `lost` when it was made on the way. */
export interface Node {
  readonly value: Json;
  readonly path: Path | 'lost' | undefined;
}

export function child({ value, path }: Node, key: Json): Node {
  if (path === 'lost') throw new JqError(`Invalid path expression with result ${excerpt(value)}`);
  return { value: index(value, key), path: path === undefined ? undefined : [...path, key] };
}

export function* children(node: Node): Generator<Node> {
  const { value } = node;
  if (isList(value)) for (let at = 0; at < value.length; at++) yield child(node, at);
  else if (isObject(value)) for (const key of Object.keys(value)) yield child(node, key);
  else throw new JqError(value === null ? 'Cannot iterate over null' : `Cannot iterate over ${described(value)}`);
}

export function binary(operator: string, left: Json, right: Json): Json {
  const order = (): number => compare(left, right);
  switch (operator) {
    case '==':
      return order() === 0;
    case '!=':
      return order() !== 0;
    case '<':
      return order() < 0;
    case '<=':
      return order() <= 0;
    case '>':
      return order() > 0;
    case '>=':
      return order() >= 0;
    default:
      return arithmetic(operator, left, right);
  }
}
