import type { ExecResult, Lab } from '../port/lab.ts';
import type { Family } from './addresses.ts';
import { Json } from './json.ts';
import type { ObjectName } from './kubectl.ts';
import { lastLine, run, toolFailed } from './run.ts';

export interface Flow {
  readonly sourcePod: string;
  readonly destinationPod: string;
  readonly family: Family;
  readonly verdict: string;
  /** `L3_L4` for packets, `SOCK` for socket events, `L7` for requests. */
  readonly type: string;
}

/** Flows, or why Hubble gives none. */
export type Flows =
  | { readonly isReachable: true; readonly flows: readonly Flow[] }
  | { readonly isReachable: false; readonly reason: string };

/** Hubble takes pod names by their beginning: the caller picks the pods it means out of the flows. */
export function observeArgv(from: ObjectName, to: ObjectName, last = 40): string[] {
  const pod = (name: ObjectName) => `${name.namespace}/${name.name}`;
  return ['hubble', 'observe', '--from-pod', pod(from), '--to-pod', pod(to), '--last', String(last), '-o', 'json'];
}

/** One JSON object a line; notices about nodes are on stderr, and inside the stream in newer versions. */
export function parseFlows(result: ExecResult): Flows {
  if (result.exitCode !== 0) {
    if (/failed to connect|connection refused|Unavailable/.test(result.stderr)) return { isReachable: false, reason: lastLine(result) };
    throw toolFailed(result);
  }
  const flows: Flow[] = [];
  for (const line of result.stdout.split('\n')) {
    if (line.trim() === '') continue;
    const flow = Json.parse(line, 'hubble observe').at('flow');
    const version = flow.at('IP', 'ipVersion').optionalText();
    if (version !== 'IPv4' && version !== 'IPv6') continue;
    flows.push({
      sourcePod: flow.at('source', 'pod_name').optionalText() ?? '',
      destinationPod: flow.at('destination', 'pod_name').optionalText() ?? '',
      family: version,
      verdict: flow.at('verdict').text(),
      type: flow.at('Type').optionalText() ?? '',
    });
  }
  return { isReachable: true, flows };
}

/** Asks Hubble for the flows it saw. */
export class Hubble {
  readonly #lab: Lab;

  constructor(lab: Lab) {
    this.#lab = lab;
  }

  async flows(from: ObjectName, to: ObjectName): Promise<Flows> {
    return parseFlows(await run(this.#lab, { argv: observeArgv(from, to) }));
  }
}
