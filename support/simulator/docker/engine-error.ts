import type { EngineErrorLike } from './types.ts';

/** A request that the engine refuses; the command line prints `Error response from daemon: MESSAGE`. */
export class EngineError extends Error implements EngineErrorLike {
  readonly statusCode: number;

  constructor(statusCode: number, message: string) {
    super(message);
    this.name = 'EngineError';
    this.statusCode = statusCode;
  }
}
