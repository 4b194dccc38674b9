import { check } from './check.ts';
import { formatted, natives } from './natives.ts';
import { binary, child, children, type Node } from './nodes.ts';
import { prelude } from './prelude.ts';
import { type Filter, FilterSyntaxError, type Pattern, parseFilter } from './syntax.ts';
import {
  arithmetic,
  deletePaths,
  described,
  excerpt,
  getPath,
  index,
  isList,
  isObject,
  isTrue,
  JqError,
  type Json,
  type Path,
  setPath,
  text,
  typeOf,
} from './values.ts';

interface Callable {
  readonly body: Filter;
  readonly parameters: readonly string[];
  /** Where the body was written. A definition sees itself: filled in afterwards. */
  scope: Scope;
}

interface Scope {
  readonly parent: Scope | undefined;
  readonly variable?: readonly [string, Json];
  readonly callable?: readonly [string, Callable];
  readonly label?: readonly [string, object];
}

/** What a filter can ask the program that runs it. */
export interface Surroundings {
  readonly variables: ReadonlyMap<string, Json>;
  readonly now: () => number;
  /** The next input; undefined when there is none. */
  readonly next: () => Json | undefined;
  readonly debug: (line: string) => void;
}

class Break extends Error {
  readonly label: object;
  constructor(label: object) {
    super('break');
    this.label = label;
  }
}

/** Steps a filter may take: a lab's terminal must come back from `repeat(.)`. */
const mostSteps = 5_000_000;

export class Program {
  readonly #filter: Filter;
  readonly #around: Surroundings;
  readonly #root: Scope;
  #steps = 0;

  constructor(source: string, around: Surroundings) {
    this.#around = around;
    this.#filter = parseFilter(source);
    let scope: Scope | undefined;
    for (const [name, value] of around.variables) scope = { parent: scope, variable: [name, value] };
    this.#root = scope ?? { parent: undefined };
    check(this.#filter, new Set([...around.variables.keys(), 'ENV']), new Set());
  }

  *results(input: Json): Generator<Json> {
    for (const { value } of this.#run(this.#filter, { value: input, path: undefined }, this.#root)) yield value;
  }

  *#values(filter: Filter, input: Json, scope: Scope): Generator<Json> {
    for (const { value } of this.#run(filter, { value: input, path: undefined }, scope)) yield value;
  }

  *#paths(filter: Filter, input: Json, scope: Scope): Generator<Path> {
    for (const { path, value } of this.#run(filter, { value: input, path: [] }, scope)) {
      if (path === 'lost' || path === undefined) throw new JqError(`Invalid path expression with result ${excerpt(value)}`);
      yield path;
    }
  }

  *#run(filter: Filter, node: Node, scope: Scope): Generator<Node> {
    if (++this.#steps > mostSteps) throw new JqError('not simulated: a filter of this many steps');
    const made = (value: Json): Node => ({ value, path: node.path === undefined ? undefined : 'lost' });
    switch (filter.kind) {
      case 'identity':
        yield node;
        return;
      case 'recurse':
        yield* this.#recurse(node);
        return;
      case 'location':
        yield made({ file: '<top-level>', line: 1 });
        return;
      case 'literal':
        yield made(filter.value);
        return;
      case 'string':
        for (const value of this.#interpolate(filter.parts, filter.format, node.value, scope)) yield made(value);
        return;
      case 'format':
        yield made(formatted(filter.name, node.value));
        return;
      case 'index':
        for (const of of this.#run(filter.of, node, scope))
          for (const key of this.#values(filter.key, node.value, scope)) yield child(of, key);
        return;
      case 'slice':
        for (const of of this.#run(filter.of, node, scope))
          for (const end of filter.to === undefined ? [null] : this.#values(filter.to, node.value, scope))
            for (const start of filter.from === undefined ? [null] : this.#values(filter.from, node.value, scope))
              yield child(of, { start, end });
        return;
      case 'iterate':
        for (const of of this.#run(filter.of as Filter, node, scope)) yield* children(of);
        return;
      case 'negate':
        for (const value of this.#values(filter.of as Filter, node.value, scope)) {
          if (typeof value !== 'number') throw new JqError(`${described(value)} cannot be negated`);
          yield made(-value);
        }
        return;
      case 'array':
        yield made(filter.of === undefined ? [] : [...this.#values(filter.of, node.value, scope)]);
        return;
      case 'object':
        for (const value of this.#object(filter.entries, node.value, scope)) yield made(value);
        return;
      case 'pipe':
        for (const left of this.#run(filter.left, node, scope)) yield* this.#run(filter.right, left, scope);
        return;
      case 'comma':
        yield* this.#run(filter.left, node, scope);
        yield* this.#run(filter.right, node, scope);
        return;
      case 'alternative':
        yield* this.#alternative(filter.left, filter.right, node, scope);
        return;
      case 'and':
      case 'or':
        for (const left of this.#values(filter.left, node.value, scope)) {
          if (isTrue(left) === (filter.kind === 'or')) yield made(filter.kind === 'or');
          else for (const right of this.#values(filter.right, node.value, scope)) yield made(isTrue(right));
        }
        return;
      case 'binary':
        for (const right of this.#values(filter.right, node.value, scope))
          for (const left of this.#values(filter.left, node.value, scope)) yield made(binary(filter.operator, left, right));
        return;
      case 'update':
        for (const value of this.#update(filter.operator, filter.left, filter.right, node.value, scope)) yield made(value);
        return;
      case 'if':
        for (const value of this.#values(filter.condition, node.value, scope))
          yield* this.#run(isTrue(value) ? filter.then : filter.else, node, scope);
        return;
      case 'try':
        yield* this.#try(filter.body, filter.handler, node, scope);
        return;
      case 'reduce':
        yield* this.#reduce(filter, node, scope);
        return;
      case 'foreach':
        for (const start of this.#run(filter.start, node, scope)) {
          let state = start;
          for (const item of this.#values(filter.source, node.value, scope))
            for (const bound of this.#bind(filter.pattern, item, scope))
              for (const next of this.#run(filter.update, state, bound)) {
                state = next;
                yield* this.#run(filter.extract, state, bound);
              }
        }
        return;
      case 'bind':
        for (const value of this.#values(filter.source, node.value, scope))
          for (const bound of this.#bind(filter.pattern, value, scope)) yield* this.#run(filter.body, node, bound);
        return;
      case 'define': {
        const callable: Callable = { body: filter.body, parameters: filter.parameters, scope };
        callable.scope = { parent: scope, callable: [`${filter.name}/${filter.parameters.length}`, callable] };
        yield* this.#run(filter.rest, node, callable.scope);
        return;
      }
      case 'variable':
        yield made(this.#variable(filter.name, scope));
        return;
      case 'label': {
        const label = {};
        try {
          yield* this.#run(filter.body, node, { parent: scope, label: [filter.name, label] });
        } catch (error) {
          if (!(error instanceof Break) || error.label !== label) throw error;
        }
        return;
      }
      case 'break':
        for (let at: Scope | undefined = scope; at !== undefined; at = at.parent)
          if (at.label?.[0] === filter.name) throw new Break(at.label[1]);
        return;
      default:
        yield* this.#call(filter.name, filter.args, node, scope);
    }
  }

  *#recurse(node: Node): Generator<Node> {
    yield node;
    if (isList(node.value) || isObject(node.value)) for (const inner of children(node)) yield* this.#recurse(inner);
  }

  *#interpolate(parts: readonly (string | Filter)[], format: string | undefined, input: Json, scope: Scope): Generator<string> {
    const last = parts.at(-1);
    if (last === undefined) {
      yield '';
      return;
    }
    for (const end of typeof last === 'string' ? [last] : this.#values(last, input, scope))
      for (const start of this.#interpolate(parts.slice(0, -1), format, input, scope))
        yield start + (typeof last === 'string' ? last : formatted(format ?? '@text', end));
  }

  *#object(entries: readonly (readonly [Filter, Filter])[], input: Json, scope: Scope): Generator<Json> {
    const [first, ...rest] = entries;
    if (first === undefined) {
      yield {};
      return;
    }
    for (const key of this.#values(first[0], input, scope)) {
      if (typeof key !== 'string') throw new JqError(`Object keys must be strings`);
      for (const value of this.#values(first[1], input, scope))
        for (const others of this.#object(rest, input, scope)) yield { [key]: value, ...(others as object) };
    }
  }

  *#alternative(left: Filter, right: Filter, node: Node, scope: Scope): Generator<Node> {
    let found = false;
    try {
      for (const one of this.#run(left, node, scope)) {
        if (!isTrue(one.value)) continue;
        found = true;
        yield one;
      }
    } catch (error) {
      if (!(error instanceof JqError)) throw error;
    }
    if (!found) yield* this.#run(right, node, scope);
  }

  *#update(operator: string, left: Filter, right: Filter, input: Json, scope: Scope): Generator<Json> {
    if (operator === '|=') {
      let value = input;
      const gone: Path[] = [];
      for (const path of this.#paths(left, input, scope)) {
        const [changed, ...none] = this.#first(right, getPath(value, path), scope);
        if (changed === undefined && none.length === 0) gone.push(path);
        else value = setPath(value, path, () => changed as Json);
      }
      yield deletePaths(value, gone);
      return;
    }
    for (const operand of this.#values(right, input, scope)) {
      let value = input;
      for (const path of this.#paths(left, input, scope)) {
        value = setPath(value, path, (old) => {
          if (operator === '=') return operand;
          if (operator === '//=') return isTrue(old) ? old : operand;
          return arithmetic(operator.slice(0, -1), old, operand);
        });
      }
      yield value;
    }
  }

  #first(filter: Filter, input: Json, scope: Scope): readonly Json[] {
    for (const value of this.#values(filter, input, scope)) return [value];
    return [];
  }

  *#try(body: Filter, handler: Filter | undefined, node: Node, scope: Scope): Generator<Node> {
    const results = this.#run(body, node, scope);
    for (;;) {
      let step: IteratorResult<Node>;
      try {
        step = results.next();
      } catch (error) {
        if (!(error instanceof JqError)) throw error;
        if (isObject(error.value) && error.value['__jq'] !== undefined) throw error;
        if (handler !== undefined)
          yield* this.#run(handler, { value: error.value, path: node.path === undefined ? undefined : 'lost' }, scope);
        return;
      }
      if (step.done === true) return;
      yield step.value;
    }
  }

  *#reduce(filter: Extract<Filter, { kind: 'reduce' }>, node: Node, scope: Scope): Generator<Node> {
    for (const start of this.#run(filter.start, node, scope)) {
      let state = start;
      for (const item of this.#values(filter.source, node.value, scope))
        for (const bound of this.#bind(filter.pattern, item, scope)) {
          let last: Node | undefined;
          for (const next of this.#run(filter.update, state, bound)) last = next;
          state = last ?? { value: null, path: state.path };
        }
      yield state;
    }
  }

  *#bind(pattern: Pattern, value: Json, scope: Scope): Generator<Scope> {
    if (pattern.kind === 'name') {
      yield { parent: scope, variable: [pattern.name, value] };
      return;
    }
    if (pattern.kind === 'list') {
      if (!isList(value) && value !== null) throw new JqError(`Cannot index ${typeOf(value)} with number`);
      yield* this.#bindAll(
        pattern.items.map((item, at) => [item, index(value, at)] as const),
        scope,
      );
      return;
    }
    let scopes = [scope];
    for (const { key, variable, value: inner } of pattern.fields) {
      scopes = scopes.flatMap((at) =>
        [...this.#values(key, value, at)].flatMap((name) => {
          if (typeof name !== 'string') throw new JqError(`Cannot index ${typeOf(value)} with ${typeOf(name)}`);
          const field = index(value, name);
          const own: Scope = variable === undefined ? at : { parent: at, variable: [variable, field] };
          return inner === undefined ? [own] : [...this.#bind(inner, field, own)];
        }),
      );
    }
    yield* scopes;
  }

  *#bindAll(items: readonly (readonly [Pattern, Json])[], scope: Scope): Generator<Scope> {
    const [first, ...rest] = items;
    if (first === undefined) yield scope;
    else for (const bound of this.#bind(first[0], first[1], scope)) yield* this.#bindAll(rest, bound);
  }

  #variable(name: string, scope: Scope): Json {
    for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) if (at.variable?.[0] === name) return at.variable[1];
    return null;
  }

  *#call(name: string, args: readonly Filter[], node: Node, scope: Scope): Generator<Node> {
    const signature = `${name}/${args.length}`;
    let callable: Callable | undefined;
    for (let at: Scope | undefined = scope; at !== undefined && callable === undefined; at = at.parent)
      if (at.callable?.[0] === signature) callable = at.callable[1];
    const known = prelude.get(signature);
    if (callable === undefined && known !== undefined) callable = { ...known, scope: this.#root };
    if (callable !== undefined) {
      yield* this.#invoke(callable, args, node, scope);
      return;
    }
    const made = (value: Json): Node => ({ value, path: node.path === undefined ? undefined : 'lost' });
    const [first, second] = args;
    switch (signature) {
      case 'empty/0':
        return;
      case 'path/1':
        for (const path of this.#paths(first as Filter, node.value, scope)) yield made(path);
        return;
      case 'getpath/1':
        for (const path of this.#values(first as Filter, node.value, scope)) {
          if (!isList(path)) throw new JqError('Path must be specified as an array');
          const whole = node.path === undefined || node.path === 'lost' ? node.path : [...node.path, ...path];
          yield { value: getPath(node.value, path), path: whole };
        }
        return;
      case 'first/1':
        for (const one of this.#run(first as Filter, node, scope)) {
          yield one;
          return;
        }
        return;
      case 'limit/2':
        for (const count of this.#values(first as Filter, node.value, scope)) {
          let left = Number(count);
          if (left <= 0) continue;
          for (const one of this.#run(second as Filter, node, scope)) {
            yield one;
            if (--left <= 0) break;
          }
        }
        return;
      case 'error/0':
        throw new JqError(node.value);
      case 'input/0': {
        const next = this.#around.next();
        if (next === undefined) throw new JqError('No more inputs');
        yield made(next);
        return;
      }
      case 'inputs/0':
        for (let next = this.#around.next(); next !== undefined; next = this.#around.next()) yield made(next);
        return;
      case 'now/0':
        yield made(this.#around.now());
        return;
      case 'env/0':
        yield made(this.#variable('ENV', scope));
        return;
      case 'debug/0':
        this.#around.debug(`["DEBUG:",${text(node.value)}]`);
        yield node;
        return;
      default:
    }
    const native = natives.get(signature);
    if (native === undefined) throw new FilterSyntaxError(`${signature} is not defined`);
    for (const values of this.#products(args, node.value, scope)) yield made(native(node.value, ...values));
  }

  *#products(args: readonly Filter[], input: Json, scope: Scope): Generator<readonly Json[]> {
    const last = args.at(-1);
    if (last === undefined) yield [];
    else
      for (const value of this.#values(last, input, scope))
        for (const others of this.#products(args.slice(0, -1), input, scope)) yield [...others, value];
  }

  *#invoke(callable: Callable, args: readonly Filter[], node: Node, scope: Scope): Generator<Node> {
    let scopes: Scope[] = [callable.scope];
    callable.parameters.forEach((parameter, at) => {
      const body = args[at] as Filter;
      const name = parameter.replace(/^\$/, '');
      const withFilter = (outer: Scope): Scope => ({ parent: outer, callable: [`${name}/0`, { body, parameters: [], scope }] });
      scopes = parameter.startsWith('$')
        ? scopes.flatMap((outer) =>
            [...this.#values(body, node.value, scope)].map((value) => ({ parent: withFilter(outer), variable: [name, value] as const })),
          )
        : scopes.map(withFilter);
    });
    for (const inner of scopes) yield* this.#run(callable.body, node, inner);
  }
}
