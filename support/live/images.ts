import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import type Docker from 'dockerode';
import { shown } from '../content/yaml-file.ts';
import { ContentError, EnvironmentError, OutpostError } from '../verdict/errors.ts';
import { explainEngineError } from './engine-error.ts';
import { interrupted, running } from './running.ts';

/** Labels of an image that `outpost up` has built: from which files, and for the lab in which folder. */
const filesLabel = 'outpost.files';
const labLabel = 'outpost.lab';

export interface ImageBuild {
  readonly image: string;
  /** Holds the Dockerfile. */
  readonly folder: string;
}

/** What an engine has under the name of an image that a lab builds. */
export type ImageState =
  /** Nothing, or what this lab built from other files. */
  | 'missing'
  | 'built'
  /** Made by hand, or brought along from another machine: it is taken as it is. */
  | 'by hand'
  /** Another lab built it from other files. */
  | { readonly lab: string };

/** Of what a folder holds: names, contents, and who may execute. */
export function folderHash(folder: string): string {
  const hash = createHash('sha256');
  const add = (path: string): void => {
    const { mode } = lstatSync(path);
    const kind = mode & 0o170000;
    hash.update(`${relative(folder, path)}\0${kind}\0${mode & 0o111}\0`);
    if (kind === 0o040000) for (const name of readdirSync(path).sort()) add(join(path, name));
    else if (kind === 0o120000) hash.update(readlinkSync(path));
    else if (kind === 0o100000) hash.update(readFileSync(path));
    hash.update('\0');
  };
  add(folder);
  return hash.digest('hex').slice(0, 16);
}

export async function imageState(docker: Docker, { image, folder }: ImageBuild, lab: string): Promise<ImageState> {
  const labels = await imageLabels(docker, image);
  if (labels === undefined) return 'missing';
  const { [filesLabel]: files, [labLabel]: owner } = labels;
  if (files === undefined || owner === undefined) return 'by hand';
  if (files === folderHash(folder)) return 'built';
  return owner === lab ? 'missing' : { lab: owner };
}

/** @returns undefined for an image that is not there */
async function imageLabels(docker: Docker, image: string): Promise<Readonly<Record<string, string>> | undefined> {
  try {
    return (await docker.getImage(image).inspect()).Config.Labels ?? {};
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === 404) return undefined;
    throw explainEngineError(error);
  }
}

/**
 * `docker build`, by the engine's own builder. Whoever interrupts it ends it in the engine, too.
 * @param lab the folder of the lab that it is built for
 * @throws ContentError for a Dockerfile that cannot be read, EnvironmentError with the last lines for one that fails
 */
export async function buildImage(
  docker: Docker,
  { image, folder }: ImageBuild,
  options: { readonly lab: string; readonly timeoutMs: number; readonly onOutput: (text: string) => void },
): Promise<void> {
  const abort = new AbortController();
  let why: EnvironmentError | undefined;
  const stop = (reason: EnvironmentError) => {
    why ??= reason;
    abort.abort();
  };
  const minutes = options.timeoutMs / 60_000;
  const timer = setTimeout(
    () => stop(new EnvironmentError('live/build', `${image} was not built in ${minutes} min`, { fix: 'outpost doctor' })),
    options.timeoutMs,
  );
  const said: string[] = [];
  const work = build();
  const forget = running.add({
    stop: async () => {
      stop(interrupted());
      await work.catch(() => undefined);
    },
    stopNow: () => abort.abort(),
  });
  try {
    await work;
  } catch (error) {
    throw why ?? explainBuildError(error, image, folder, said);
  } finally {
    clearTimeout(timer);
    forget();
  }

  async function build(): Promise<void> {
    const stream = await docker.buildImage(
      { context: folder, src: readdirSync(folder) },
      {
        t: image,
        labels: { [filesLabel]: folderHash(folder), [labLabel]: options.lab },
        rm: true,
        forcerm: true,
        abortSignal: abort.signal,
      },
    );
    await new Promise<void>((resolve, reject) => {
      abort.signal.addEventListener('abort', () => reject(new Error('aborted')));
      // A build that fails ends as one that does not: the engine has said so in the middle.
      let failure: string | undefined;
      docker.modem.followProgress(
        stream,
        (error) => {
          if (error !== null) reject(error);
          else if (failure !== undefined) reject(new Error(failure));
          else resolve();
        },
        ({ stream: text, status, error }: { stream?: string; status?: string; error?: string }) => {
          failure ??= error;
          const line = text ?? status ?? error ?? '';
          said.push(...line.split('\n').filter((each) => each.trim() !== ''));
          said.splice(0, said.length - 8);
          options.onOutput(line);
        },
      );
    });
  }
}

function explainBuildError(error: unknown, image: string, folder: string, said: readonly string[]): unknown {
  if (error instanceof OutpostError || !(error instanceof Error)) return error;
  const { statusCode } = error as { statusCode?: number };
  const reason = error.message.replace(/^\(HTTP code \d+\) [^-]*- /, '').trim();
  if (
    statusCode === 400 ||
    /^(?:dockerfile parse error|failed to parse|unknown instruction|(?:COPY|ADD) failed: file not found)/i.test(reason)
  ) {
    return new ContentError(
      'content/build',
      `${shown(join(folder, 'Dockerfile'))}: ${reason}`,
      { fix: `docker build ${shown(folder)} shows it again` },
      { cause: error },
    );
  }
  const explained = explainEngineError(error);
  if (explained !== error && statusCode === undefined) return explained;
  return new EnvironmentError(
    'live/build',
    `${image} could not be built: ${reason}`,
    said.length > 1 ? { hint: `its last lines:\n${said.map((line) => `    ${line}`).join('\n')}` } : {},
    { cause: error },
  );
}

/** Removes an image that was built for this lab, unless somebody uses it. @returns whether it was removed */
export async function removeImage(docker: Docker, image: string, lab: string): Promise<boolean> {
  const labels = await imageLabels(docker, image);
  if (labels?.[labLabel] !== lab) return false;
  try {
    await docker.getImage(image).remove();
    return true;
  } catch (error) {
    // Somebody has a container of it: it is theirs now.
    if ((error as { statusCode?: number }).statusCode === 409) return false;
    throw explainEngineError(error);
  }
}
