import { natives } from './natives.ts';
import { prelude } from './prelude.ts';
import { type Filter, FilterSyntaxError, type Pattern } from './syntax.ts';

/** What the evaluator itself answers. */
const machine = new Set('empty/0 path/1 getpath/1 first/1 limit/2 error/0 input/0 inputs/0 now/0 env/0 debug/0'.split(' '));

/** Names are looked up before anything runs, as jq's compiler does. */
export function check(filter: Filter, variables: ReadonlySet<string>, functions: ReadonlySet<string>): void {
  const inner = (part: Filter | undefined, also: Iterable<string> = []): void => {
    if (part !== undefined) check(part, new Set([...variables, ...also]), functions);
  };
  switch (filter.kind) {
    case 'call': {
      const signature = `${filter.name}/${filter.args.length}`;
      if (![functions, prelude, natives, machine].some((known) => known.has(signature)))
        throw new FilterSyntaxError(`${signature} is not defined`);
      for (const arg of filter.args) inner(arg);
      return;
    }
    case 'variable':
      if (!variables.has(filter.name)) throw new FilterSyntaxError(`$${filter.name} is not defined`);
      return;
    case 'define': {
      const names = filter.parameters.map((name) => name.replace(/^\$/, ''));
      const known = new Set([...functions, `${filter.name}/${filter.parameters.length}`]);
      const values = filter.parameters.filter((name) => name.startsWith('$')).map((name) => name.slice(1));
      check(filter.body, new Set([...variables, ...values]), new Set([...known, ...names.map((name) => `${name}/0`)]));
      check(filter.rest, variables, known);
      return;
    }
    case 'bind':
      inner(filter.source);
      inner(filter.body, namesOf(filter.pattern));
      return;
    case 'reduce':
    case 'foreach':
      inner(filter.source);
      inner(filter.start);
      inner(filter.update, namesOf(filter.pattern));
      if (filter.kind === 'foreach') inner(filter.extract, namesOf(filter.pattern));
      return;
    case 'object':
      for (const [key, value] of filter.entries) {
        inner(key);
        inner(value);
      }
      return;
    case 'string':
      for (const part of filter.parts) if (typeof part !== 'string') inner(part);
      return;
    default:
      for (const part of Object.values(filter) as unknown[])
        if (typeof part === 'object' && part !== null && 'kind' in part) inner(part as Filter);
  }
}

function namesOf(pattern: Pattern): readonly string[] {
  if (pattern.kind === 'name') return [pattern.name];
  if (pattern.kind === 'list') return pattern.items.flatMap(namesOf);
  return pattern.fields.flatMap(({ variable, value }) => [
    ...(variable === undefined ? [] : [variable]),
    ...(value === undefined ? [] : namesOf(value)),
  ]);
}
