import { EnvironmentError, OutpostError } from '../verdict/errors.ts';

/** Codes of Node for a connection that could not be made, or broke. */
const dead = new Set(['ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENOTFOUND', 'ECONNABORTED']);

/**
 * What a request to the engine failed of, as what it is to a person: never the learner's mistake.
 * @param container what the request was about
 */
export function explainEngineError(error: unknown, container?: string): unknown {
  if (error instanceof OutpostError || !(error instanceof Error)) return error;
  const { statusCode, code } = error as Error & { statusCode?: number; code?: string };
  if (code === 'EACCES') {
    return new EnvironmentError(
      'docker/permission',
      'the Docker engine does not let this user in',
      { hint: error.message, fix: 'sudo usermod -aG docker "$USER", then log in again' },
      { cause: error },
    );
  }
  if ((code !== undefined && dead.has(code)) || /socket hang up|other side closed/.test(error.message)) {
    return new EnvironmentError(
      'docker/dead',
      'the Docker engine does not answer any more',
      { hint: error.message, fix: 'outpost doctor' },
      { cause: error },
    );
  }
  if (container !== undefined && statusCode === 404)
    return new EnvironmentError('exec/no-container', `there is no container ${container}`, { fix: 'docker ps -a' }, { cause: error });
  // 500: it stopped between the two requests of an exec.
  if (
    container !== undefined &&
    (statusCode === 409 || (statusCode === 500 && /container not running|is not running/.test(error.message)))
  ) {
    const isPaused = /is paused/.test(error.message);
    return new EnvironmentError(
      'exec/not-running',
      `container ${container} ${isPaused ? 'is paused' : 'does not run'}`,
      { fix: `docker ${isPaused ? 'unpause' : 'start'} ${container}` },
      { cause: error },
    );
  }
  if (statusCode === undefined) return error;
  return new EnvironmentError(
    'docker/refused',
    `the Docker engine refused${container === undefined ? '' : ` for ${container}`}: ${error.message}`,
    { fix: 'outpost doctor' },
    { cause: error },
  );
}
