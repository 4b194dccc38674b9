import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ApiRequest, ApiServer } from '../../simulator/kubernetes/types.ts';

/** A simulated API server on a loopback port, for a real client. */
export interface Listener {
  readonly url: string;
  close(): Promise<void>;
}

/** `openapi: "2.0", info: { title: "Kubernetes", version: "1" }` as protobuf: all that kubectl needs of the older document. */
const openApiV2 = Buffer.from('0a03322e30120f0a0a4b756265726e65746573120131', 'hex');

const discoveryType = (version: string): string => `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;

/** RFC 3339 times in an answer, moved so that the client's clock and the lab's agree about how long ago they were. */
export function shiftTimes(text: string, bySeconds: number): string {
  return text.replace(/"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z"/g, (_all, whole: string, fraction: string | undefined) => {
    const moved = new Date(Date.parse(`${whole}Z`) + bySeconds * 1000).toISOString().slice(0, 19);
    return `"${moved}${fraction ?? ''}Z"`;
  });
}

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function requestOf(message: IncomingMessage, body: Buffer): ApiRequest {
  const url = new URL(message.url ?? '/', 'http://127.0.0.1');
  const headers = Object.fromEntries(
    Object.entries(message.headers).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])),
  );
  const request = {
    method: (message.method ?? 'GET') as ApiRequest['method'],
    path: decodeURIComponent(url.pathname),
    query: Object.fromEntries(url.searchParams),
    headers,
  };
  if (body.length === 0) return request;
  // Typed clients write protobuf. Of what the judge runs these are the access reviews, which everyone passes.
  const isProtobuf = body.subarray(0, 4).toString('latin1') === 'k8s\0';
  return { ...request, body: isProtobuf ? {} : JSON.parse(body.toString('utf8')) };
}

/**
 * Serves `server` over HTTP on a port of its own.
 * @param secondsAhead how far the client's clock is ahead of the lab's; asked at each answer
 * @param timePasses whether virtual time goes on while a client watches
 */
export async function listen(server: ApiServer, secondsAhead: () => number, timePasses: () => boolean): Promise<Listener> {
  const answer = async (message: IncomingMessage, response: ServerResponse): Promise<void> => {
    const request = requestOf(message, await bodyOf(message));
    const textOf = (value: unknown): string => shiftTimes(JSON.stringify(value), secondsAhead());
    if (request.path === '/openapi/v2') {
      response.setHeader('content-type', 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf');
      response.end(openApiV2);
      return;
    }
    if (request.query['watch'] === 'true') {
      const opened = server.watch(request, (event) => response.write(`${textOf(event)}\n`));
      if ('close' in opened) {
        response.setHeader('content-type', 'application/json');
        response.flushHeaders();
        let isOpen = true;
        response.on('close', () => {
          isOpen = false;
          opened.close();
        });
        // Somebody waits: virtual time passes, in small steps, so that what is seen can be acted upon.
        const pass = (): void => {
          if (!isOpen) return;
          if (timePasses()) server.clock.advance(100);
          setTimeout(pass, 5);
        };
        setImmediate(pass);
        return;
      }
      response.statusCode = opened.status;
      response.setHeader('content-type', 'application/json');
      response.end(textOf(opened.body));
      return;
    }
    const { status, body, warnings } = server.handle(request);
    server.clock.advance(0);
    response.statusCode = status;
    for (const warning of warnings) response.appendHeader('warning', `299 - ${JSON.stringify(warning)}`);
    const isDiscovery = typeof body === 'object' && body !== null && 'kind' in body && body.kind === 'APIGroupDiscoveryList';
    const apiVersion = isDiscovery ? String((body as { readonly apiVersion?: unknown }).apiVersion) : '';
    response.setHeader(
      'content-type',
      typeof body === 'string' ? 'text/plain' : isDiscovery ? discoveryType(apiVersion.split('/')[1] ?? 'v2') : 'application/json',
    );
    response.end(typeof body === 'string' ? body : textOf(body));
  };
  const http = createServer((message, response) => {
    answer(message, response).catch((error: unknown) => {
      response.statusCode = 500;
      response.end(String(error instanceof Error ? error.stack : error));
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const { port } = http.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        http.closeAllConnections();
        http.close(() => resolve());
      }),
  };
}
