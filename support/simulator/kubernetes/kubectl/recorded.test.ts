import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SimulatedClock } from '../../clock/clock.ts';
import type { CommandContext } from '../../docker/types.ts';
import type { ApiRequest, ApiResponse, ApiServer } from '../types.ts';
import { createKubectl } from './kubectl.ts';

/**
 * Commands that the real kubectl 1.32 ran against this project's API server over HTTP. The server's answers are
 * replayed, so that the requests, the output and the exit code are kubectl's own business.
 */
interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly accept: string;
  readonly contentType?: string;
  readonly status: number;
  readonly response: unknown;
  readonly warnings?: readonly string[];
}

interface Step {
  readonly argv: readonly string[];
  readonly stdin?: string;
  readonly now: number;
  readonly requests: readonly Exchange[];
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

interface Header {
  readonly files: Readonly<Record<string, string>>;
  readonly discovery: Readonly<Record<string, unknown>>;
}

function load(name: string): { readonly header: Header; readonly steps: readonly Step[] } {
  const text = readFileSync(new URL(`../../../testdata/kubectl/${name}.jsonl`, import.meta.url), 'utf8');
  const [header, ...steps] = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  return { header, steps };
}

/** The terms of a field selector come in any order. */
function shownQuery(query: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const selector = query.fieldSelector;
  return selector === undefined ? query : { ...query, fieldSelector: selector.split(',').sort().join(',') };
}

function shown(request: {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly accept: string;
  readonly contentType?: string;
  readonly body?: unknown;
}): string {
  const sorted = (value: unknown): unknown =>
    Array.isArray(value)
      ? value.map(sorted)
      : typeof value === 'object' && value !== null
        ? Object.fromEntries(
            Object.entries(value)
              .sort(([a], [b]) => (a < b ? -1 : 1))
              .map(([key, entry]) => [key, sorted(entry)]),
          )
        : value;
  const body = request.body === undefined ? '' : ` ${request.contentType} ${JSON.stringify(sorted(request.body))}`;
  return `${request.method} ${request.path} ${JSON.stringify(sorted(shownQuery(request.query)))} ${request.accept}${body}`;
}

async function replay(
  header: Header,
  step: Step,
): Promise<{ readonly requests: string[]; readonly stdout: string; readonly stderr: string; readonly exitCode: number }> {
  const clock = new SimulatedClock(step.now);
  const requests: string[] = [];
  const left = [...step.requests];
  const handle = (request: ApiRequest): ApiResponse => {
    const document = header.discovery[request.path];
    if (document !== undefined) return { status: 200, body: document, warnings: [] };
    const { accept = '', 'content-type': contentType } = request.headers;
    const text = shown({ ...request, accept, ...(contentType === undefined ? {} : { contentType }) });
    requests.push(text);
    const index = left.findIndex((exchange) => shown(exchange) === text);
    const [exchange] = index === -1 ? [] : left.splice(index, 1);
    return exchange === undefined
      ? { status: 404, body: {}, warnings: [] }
      : { status: exchange.status, body: exchange.response, warnings: exchange.warnings ?? [] };
  };
  const server = { clock, version: 'v1.32.0', handle } as unknown as ApiServer;
  const files = {
    read: (path: string) => header.files[path.slice('/home/'.length)],
    write: () => undefined,
    remove: () => false,
    list: () => undefined,
    isDirectory: () => false,
  };
  const context = {
    container: { pid: 1 },
    clock,
    files,
    stdin: step.stdin ?? '',
    hasStdin: true,
    isTerminal: false,
    env: new Map(),
    cwd: '/home',
  } as unknown as CommandContext;
  const result = await createKubectl(() => server)(step.argv, context);
  return { requests, ...result };
}

describe.each(['apply-and-friends', 'generators-and-get', 'describe-and-workloads'])('as recorded: %s', (name) => {
  const { header, steps } = load(name);
  it.each(steps.map((step) => ({ title: step.argv.join(' '), step })))('$title', async ({ step }) => {
    const result = await replay(header, step);
    expect(result).toEqual({
      requests: expect.arrayContaining(step.requests.map(shown)),
      stdout: step.stdout,
      stderr: step.stderr,
      exitCode: step.exitCode,
    });
    expect(result.requests).toHaveLength(step.requests.length);
  });
});
