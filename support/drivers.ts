import type { LabDefinition } from './content/lab.ts';
import { placeOfRefusal } from './content/refused-field.ts';
import { contentErrorAt, readYamlFile, shown } from './content/yaml-file.ts';
import { type ContentPath, ContentProblem } from './port/content-problem.ts';
import type { Lab } from './port/lab.ts';
import { ContentError, EnvironmentError } from './verdict/errors.ts';

export type DriverChoice = 'auto' | 'live' | 'simulator';

export interface OpenedLab {
  readonly lab: Lab;
  /** Which driver it is, and why. */
  readonly note: string;
  /** What of the content has no effect in this lab, for its author. */
  readonly warnings: readonly string[];
  /** What the content and the commands so far asked for that this lab leaves out, a sentence each; nothing in a live one. */
  readonly notModelled: () => readonly string[];
}

/**
 * Opens a lab with the driver that was asked for; `auto` takes the live one when Docker answers and this lab is up.
 * The only place that knows both drivers. A simulated lab is booted here, a live one must be up already.
 * @throws ContentError when one of the lab's files is refused; EnvironmentError when the live lab is not there
 */
export async function openLab(
  definition: LabDefinition,
  options: {
    readonly driver: DriverChoice;
    readonly seed: number;
    /** A live lab is taken for this process until it ends: what it does, and whether it waits for others. */
    readonly alone?: { readonly what: string; readonly wait: boolean; readonly tell: (text: string) => void };
  },
): Promise<OpenedLab> {
  if (options.driver === 'live') {
    const { probeDocker } = await import('./live/probe.ts');
    const docker = await probeDocker();
    if (!docker.answers) throw noLiveLab(docker.reason, 'outpost doctor, then outpost up');
    const live = await openLive(definition);
    const status = await live.lab.status();
    if (!status.isUp) throw noLiveLab(status.detail, 'outpost up');
    await beforeJudging(definition, options.alone);
    return live;
  }
  if (options.driver === 'auto') {
    const { probeDocker } = await import('./live/probe.ts');
    const docker = await probeDocker();
    if (docker.answers) {
      const live = await openLive(definition);
      const status = await live.lab.status();
      if (status.isUp) {
        await beforeJudging(definition, options.alone);
        return live;
      }
      return openSimulated(definition, options.seed, status.detail);
    }
    return openSimulated(definition, options.seed, docker.reason);
  }
  return openSimulated(definition, options.seed);
}

async function openLive(definition: LabDefinition): Promise<OpenedLab> {
  const { LiveLab } = await import('./live/live-lab.ts');
  return { lab: new LiveLab(definition), note: 'live lab', warnings: [], notModelled: () => [] };
}

/** What runs in the lab ends with this process, and what would fail every check is said first. */
async function beforeJudging(definition: LabDefinition, alone: Parameters<typeof openLab>[1]['alone']): Promise<void> {
  const [{ stopOnSignals }, { preflight }] = await Promise.all([import('./live/running.ts'), import('./live/doctor/preflight.ts')]);
  stopOnSignals();
  if (alone !== undefined) {
    const [{ lockLab }, { LabState }, { clusterName }] = await Promise.all([
      import('./live/lab-lock.ts'),
      import('./live/lab-state.ts'),
      import('./live/live-context.ts'),
    ]);
    await lockLab(new LabState(clusterName(definition)).lockFile, { what: alone.what, wait: alone.wait, onWait: alone.tell });
  }
  await preflight(definition);
}

function noLiveLab(reason: string, fix: string): EnvironmentError {
  return new EnvironmentError('lab/not-live', 'the live lab is not up', { hint: reason, fix: `${fix}, or use --driver simulator` });
}

async function openSimulated(definition: LabDefinition, seed: number, why?: string): Promise<OpenedLab> {
  const { SimulatedLab } = await import('./simulator/host/simulator.ts');
  const lab = new SimulatedLab(definition, seed);
  try {
    await lab.up();
  } catch (error) {
    throw explainRefusal(error, definition);
  }
  const note = `simulator, seed ${seed}${why === undefined ? '' : ` (${why})`}`;
  return { lab, note, warnings: lab.machine.warnings, notModelled: () => lab.machine.notModelled };
}

/** Gives a refusal of the simulator's tools the file and line that an author can mend. */
export function explainRefusal(error: unknown, definition: LabDefinition): unknown {
  if (!(error instanceof Error) || error.name !== 'RefusedContentError') return error;
  const { file, reason, document } = error as Error & { file: string; reason: unknown; document: number };
  if (reason instanceof ContentProblem && definition.homeFiles.has(file))
    return contentErrorAt(readYamlFile(`${definition.home}/${file}`), reason, document);
  if (definition.setup.includes(file)) {
    const said = (reason as Error).message;
    const [first = '', ...more] = said.split('\n').filter((line) => line !== '');
    return new ContentError(
      'content/setup',
      `${placeOfRefusal(definition, said, file) ?? shown(`${definition.home}/${file}`)}: kubectl apply refused it: ${first}`,
      {
        ...(more.length === 0 ? {} : { hint: `and ${more.length} more like it` }),
        fix: `correct the manifest; it is applied before the learner arrives`,
      },
      { cause: error },
    );
  }
  const said = (reason as Error).message.replace(`${file}: `, '');
  const problem = reason instanceof ContentProblem ? reason : new ContentProblem(pathIn(said), said);
  return contentErrorAt(readYamlFile(file), problem);
}

/** `nodes[1].role`, or `nodes:` at the beginning, in a tool's message names the place in its file; so does a node of a topology. */
function pathIn(message: string): ContentPath {
  const node = /\bnode "([^"]+)"/.exec(message)?.[1];
  if (node !== undefined) return ['topology', 'nodes', node];
  const label = /^Node "[^"]+" is invalid: metadata\.labels/.test(message);
  if (label) return ['nodes'];
  const match =
    /^(?:- )?([a-zA-Z]\w*(?:\.[a-zA-Z][\w-]*|\[\d+\])*): /m.exec(message) ??
    /\b([a-zA-Z][\w-]*(?:\.[a-zA-Z][\w-]*|\[\d+\])+)/.exec(message);
  return match === null
    ? []
    : (match[1] ?? '')
        .split(/\.|\[|\]\.?/)
        .filter((part) => part !== '')
        .map((part) => (/^\d+$/.test(part) ? Number(part) : part));
}
