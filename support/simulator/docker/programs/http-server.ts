import type { Timer } from '../../clock/clock.ts';
import { type HttpRequest, type HttpResponse, serveHttp } from '../../net/http.ts';
import type { Family, ListeningSocket } from '../../net/types.ts';
import type { Container, Program } from '../types.ts';

export interface HttpServerOptions {
  readonly name: string;
  readonly port: number;
  readonly family?: Family;
  /** Between the start of the container and the first connection that is accepted. */
  readonly readyAfterMs?: number;
  respond(request: HttpRequest, container: Container): HttpResponse;
}

/** A program that answers HTTP on one port of its container's network namespace. */
export function httpServer(container: Container, options: HttpServerOptions): Program {
  let socket: ListeningSocket | undefined;
  let timer: Timer | undefined;
  const listen = (): void => {
    timer = undefined;
    try {
      socket = serveHttp(
        container.namespace,
        { port: options.port, program: options.name, ...(options.family === undefined ? {} : { family: options.family }) },
        (request) => options.respond(request, container),
      );
    } catch (error) {
      // somebody else in the namespace has the port: the real program would end with this line
      container.writeLog(`listen tcp :${options.port}: bind: address already in use`, 'stderr');
      if (!(error instanceof Error) || !('errno' in error)) throw error;
      container.exit?.(1);
    }
  };
  return {
    name: options.name,
    start() {
      if (options.readyAfterMs === undefined || options.readyAfterMs <= 0) listen();
      else timer = container.namespace.network.clock.schedule(options.readyAfterMs, listen);
    },
    stop() {
      timer?.cancel();
      timer = undefined;
      socket?.close();
      socket = undefined;
    },
    isReady: () => socket !== undefined,
  };
}

/** A program that ends by itself. */
export function endingProgram(container: Container, name: string, afterMs: number, exitCode: number): Program {
  let timer: Timer | undefined;
  return {
    name,
    start() {
      timer = container.namespace.network.clock.schedule(afterMs, () => container.exit?.(exitCode));
    },
    stop() {
      timer?.cancel();
    },
  };
}
