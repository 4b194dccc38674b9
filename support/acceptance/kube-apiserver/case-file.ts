import { parse } from 'yaml';

/** One request of a case. */
export interface Step {
  /** Index of its first line in the file. */
  readonly line: number;
  readonly verb: string;
  /** A base (`create`, `update`, `apply`), or a resource: `pods/web`, `deployments.apps/web/scale`, a path. */
  readonly target: string;
  readonly query: Readonly<Record<string, string>>;
  readonly body: unknown;
  /** What the real server answered; without lines when it was not asked yet. */
  readonly answer: readonly string[];
}

export interface Case {
  readonly name: string;
  readonly steps: readonly Step[];
}

export interface CaseFile {
  readonly path: string;
  /** `cilium: 1.16.5`: the definitions of a Cilium release are there. */
  readonly settings: Readonly<Record<string, string>>;
  readonly cases: readonly Case[];
  /** The file's text with other answers, one list of lines for each step. */
  write(answers: readonly (readonly string[])[]): string;
}

const verb = /^(create|update|apply|merge|strategic|json|post|get|table|delete) (\S+)((?: [\w.]+=\S*)*)$/;

/**
 * Reads a file of questions to an API server and of its answers:
 *
 *     set cilium=1.16.5
 *
 *     base pod
 *     {apiVersion: v1, kind: Pod, …}
 *
 *     == an image is needed
 *     create pod fieldValidation=Warn
 *     spec: {containers: [{name: web}]}
 *     --> 422 Invalid
 *     Pod "web" is invalid: spec.containers[0].image: Required value
 *
 * What follows `create`, `update` and `apply` is merged into the base (RFC 7386); after `merge`, `strategic` and `json` it is the patch.
 */
export function readCaseFile(path: string, text: string): CaseFile {
  const lines = text.replace(/\n$/, '').split('\n');
  const settings: Record<string, string> = {};
  const bases = new Map<string, unknown>();
  const cases: { name: string; steps: Step[] }[] = [];
  const answerRanges: (readonly [from: number, to: number])[] = [];
  let at = 0;
  const until = (isEnd: (line: string) => boolean): string[] => {
    const from = at;
    while (at < lines.length && !isEnd(lines[at] ?? '')) at++;
    return lines.slice(from, at);
  };
  const isNext = (line: string): boolean => line.startsWith('== ') || line.startsWith('base ') || verb.test(line);
  const read = (of: readonly string[]): unknown => parse(of.join('\n'), { strict: false }) as unknown;
  while (at < lines.length) {
    const line = lines[at] ?? '';
    const found = verb.exec(line);
    if (found !== null) {
      const start = at++;
      const body = read(until((next) => next.startsWith('-->') || isNext(next)));
      const from = at;
      const answer = lines[at]?.startsWith('-->') === true ? until((next) => isNext(next) || next === '') : [];
      answerRanges.push([from, at]);
      const query = Object.fromEntries(
        [...(found[3] ?? '').matchAll(/ ([\w.]+)=(\S*)/g)].map(([, key, value]) => [key, value?.replaceAll('+', ' ')]),
      ) as Step['query'];
      const [, name = '', target = ''] = found;
      cases.at(-1)?.steps.push({ line: start, verb: name, target, query, body: completed(name, target, body), answer });
      continue;
    }
    at++;
    if (line.startsWith('== ')) cases.push({ name: line.slice(3), steps: [] });
    else if (line.startsWith('set ')) Object.assign(settings, Object.fromEntries([line.slice(4).split('=', 2)]));
    else if (line.startsWith('base ')) bases.set(line.slice(5), read(until((next) => next === '' || isNext(next))));
    else if (line !== '' && !line.startsWith('#')) throw new Error(`${path}:${at}: ${line}`);
  }
  function completed(name: string, target: string, body: unknown): unknown {
    if (!['create', 'update', 'apply'].includes(name)) return body;
    const base = bases.get(target);
    if (base === undefined) throw new Error(`${path}: there is no base ${target}`);
    return merged(base, body ?? {});
  }
  return {
    path,
    settings,
    cases,
    write: (answers) => {
      const output = [...lines];
      for (const [index, [from, to]] of [...answerRanges.entries()].reverse()) output.splice(from, to - from, ...(answers[index] ?? []));
      return `${output.join('\n')}\n`;
    },
  };
}

/** RFC 7386. */
function merged(base: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const output = new Map<string, unknown>(typeof base === 'object' && base !== null && !Array.isArray(base) ? Object.entries(base) : []);
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) output.delete(key);
    else output.set(key, merged(output.get(key), value));
  }
  return Object.fromEntries(output);
}
