import type { ExecResult, Lab } from '../port/lab.ts';
import { budgets } from '../waiting/budgets.ts';
import { execArgv, type ObjectName } from './kubectl.ts';
import { run, toolFailed } from './run.ts';

/** An answer, or why there was none. */
export type Answer = { readonly answered: true; readonly body: string } | { readonly answered: false; readonly reason: string };

export function curlArgv(url: string, maxTimeMs: number = budgets.requestMs): string[] {
  return ['curl', '-sS', '--max-time', String(maxTimeMs / 1000), url];
}

/**
 * Exit statuses of curl that say something about the network (curl(1), EXIT CODES): names that do not resolve, refused
 * or unreachable, time-out, empty reply, send and receive errors. Any other failure is curl's own.
 */
const networkFailures = new Set([5, 6, 7, 16, 28, 35, 52, 55, 56]);

export function parseCurl(result: ExecResult): Answer {
  if (result.exitCode === 0) return { answered: true, body: result.stdout };
  const status = /curl: \((\d+)\)/.exec(result.stderr)?.[1] ?? String(result.exitCode);
  if (!networkFailures.has(Number(status))) throw toolFailed(result);
  const message = /curl: \(\d+\) .*/.exec(result.stderr)?.[0];
  return { answered: false, reason: message ?? `curl: exit status ${status}` };
}

/** curl through `kubectl exec`, whose own errors say that the pod is not there, or not running. */
export function parseCurlInPod(result: ExecResult): Answer {
  const refusal =
    /^(?:Error from server \((?:BadRequest|NotFound)\): |error: (?=unable to upgrade connection|cannot exec|pod ))(.*)$/m.exec(
      result.stderr,
    );
  return result.exitCode !== 0 && refusal !== null ? { answered: false, reason: refusal[1] ?? '' } : parseCurl(result);
}

/** Requests over HTTP, from the lab host or from a container. */
export class Curl {
  readonly #lab: Lab;

  constructor(lab: Lab) {
    this.#lab = lab;
  }

  /** @param container undefined: the lab host */
  async get(url: string, container: string | undefined, maxTimeMs: number = budgets.requestMs): Promise<Answer> {
    return parseCurl(await run(this.#lab, { argv: curlArgv(url, maxTimeMs), ...(container === undefined ? {} : { container }) }));
  }

  /** From inside a pod: one that does not run gets no answer, which is a state of the lab like any other. */
  async getFromPod(pod: ObjectName, url: string): Promise<Answer> {
    return parseCurlInPod(await run(this.#lab, { argv: execArgv(pod, curlArgv(url)) }));
  }
}
