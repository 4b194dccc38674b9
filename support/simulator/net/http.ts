import type { Timer } from '../clock/clock.ts';
import type { Endpoint, Errno, Family, Ip, ListeningSocket, NetworkNamespace, TcpConnection } from './types.ts';

export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  readonly remote: Endpoint;
  readonly local: Endpoint;
}

export interface HttpResponse {
  readonly status: number;
  readonly reason?: string;
  /** As they stand on the wire, in this order. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** How long the server thinks before it answers. */
  readonly delayMs?: number;
}

/** A response as a client has read it. */
export type ReceivedHttpResponse = Required<Omit<HttpResponse, 'delayMs'>>;

export interface HttpClientRequest {
  readonly endpoint: Endpoint;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly sourceIp?: Ip;
  readonly device?: string;
  readonly connectTimeoutMs?: number;
}

export interface HttpClientHandlers {
  onConnected?(): void;
  onResponse(response: ReceivedHttpResponse): void;
  /** `empty-reply`: the server has closed without a byte. */
  onError(error: Errno | 'empty-reply'): void;
}

export interface HttpClientCall {
  /** Gives up: nothing is reported any more. */
  abort(): void;
  readonly connection: TcpConnection;
}

/** RFC 9110 §15, as far as servers of labs go. */
const reasons: Readonly<Record<number, string>> = {
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  204: 'No Content',
  301: 'Moved Permanently',
  302: 'Found',
  304: 'Not Modified',
  307: 'Temporary Redirect',
  308: 'Permanent Redirect',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  418: "I'm a teapot",
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
};

const encoder = new TextEncoder();

/** Text that arrives in pieces; decoded as a whole, since a piece may end inside a character. */
class Received {
  #bytes = new Uint8Array(0);

  get length(): number {
    return this.#bytes.length;
  }

  add(piece: Uint8Array): void {
    if (this.#bytes.length === 0) {
      this.#bytes = new Uint8Array(piece);
      return;
    }
    const joined = new Uint8Array(this.#bytes.length + piece.length);
    joined.set(this.#bytes);
    joined.set(piece, this.#bytes.length);
    this.#bytes = joined;
  }

  /**
   * The message once it is whole (RFC 9112 §6.3): by Content-Length; without one a request has no body, and a
   * response lasts until the connection ends. An answer to HEAD has none whatever it declares.
   */
  message(
    kind: 'request' | 'response' | 'head-response',
    hasEnded: boolean,
  ): { start: string; headers: Record<string, string>; body: string } | undefined {
    const headEnd = this.#findHeadEnd();
    if (headEnd < 0) return undefined;
    const [start = '', ...lines] = new TextDecoder().decode(this.#bytes.subarray(0, headEnd)).split('\r\n');
    const headers: Record<string, string> = {};
    for (const line of lines) {
      const colon = line.indexOf(':');
      if (colon > 0) headers[line.slice(0, colon)] = line.slice(colon + 1).trim();
    }
    const body = this.#bytes.subarray(headEnd + 4);
    const declared = Object.entries(headers).find(([name]) => name.toLowerCase() === 'content-length')?.[1];
    const hasNoBody = kind === 'head-response' || (declared === undefined && kind === 'request') || / (1\d\d|204|304)( |$)/.test(start);
    const length = hasNoBody ? 0 : declared === undefined ? undefined : Number(declared);
    if (length === undefined ? !hasEnded : body.length < length) return undefined;
    return { start, headers, body: new TextDecoder().decode(length === undefined ? body : body.subarray(0, length)) };
  }

  #findHeadEnd(): number {
    const bytes = this.#bytes;
    for (let at = 0; at + 3 < bytes.length; at++) {
      if (bytes[at] === 13 && bytes[at + 1] === 10 && bytes[at + 2] === 13 && bytes[at + 3] === 10) return at;
    }
    return -1;
  }
}

/**
 * Serves HTTP/1.1 (RFC 9112) over the simulated TCP. Each connection carries one exchange.
 * @throws NetworkErrorLike EADDRINUSE, EADDRNOTAVAIL
 */
export function serveHttp(
  namespace: NetworkNamespace,
  options: { readonly port: number; readonly ip?: Ip; readonly family?: Family; readonly program?: string },
  handler: (request: HttpRequest) => HttpResponse,
): ListeningSocket {
  return namespace.sockets.listen({
    ...options,
    onConnection(connection) {
      const received = new Received();
      let isAnswered = false;
      connection.handlers = {
        onData(bytes) {
          if (isAnswered) return;
          received.add(bytes);
          const message = received.message('request', false);
          if (message === undefined) return;
          isAnswered = true;
          answer(namespace, connection, message, handler);
        },
        onEnd() {
          if (!isAnswered) connection.end();
        },
      };
    },
  });
}

function answer(
  namespace: NetworkNamespace,
  connection: TcpConnection,
  message: { start: string; headers: Record<string, string>; body: string },
  handler: (request: HttpRequest) => HttpResponse,
): void {
  const [method = '', path = '', version = ''] = message.start.split(' ');
  const headers = new Map(Object.entries(message.headers).map(([name, value]) => [name.toLowerCase(), value]));
  const { remote, local } = connection;
  const response: HttpResponse = version.startsWith('HTTP/1.')
    ? handler({ method, path, headers, body: message.body, remote, local })
    : { status: 400 };
  const bytes = encoder.encode(responseText(response, method));
  const send = () => {
    connection.send(bytes);
    connection.end();
  };
  if (response.delayMs === undefined || response.delayMs <= 0) send();
  else namespace.network.clock.schedule(response.delayMs, send);
}

function responseText(response: HttpResponse, method: string): string {
  const body = response.body ?? '';
  const headers: Record<string, string> = { ...response.headers };
  const has = (name: string) => Object.keys(headers).some((known) => known.toLowerCase() === name);
  if (!has('content-length') && response.status !== 204 && response.status !== 304)
    headers['Content-Length'] = String(encoder.encode(body).length);
  if (!has('connection')) headers.Connection = 'close';
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const reason = response.reason ?? reasons[response.status] ?? '';
  return `HTTP/1.1 ${response.status} ${reason}\r\n${lines.join('')}\r\n${method === 'HEAD' ? '' : body}`;
}

/** Sends one request and reports once: the response, or why there is none. */
export function requestHttp(namespace: NetworkNamespace, request: HttpClientRequest, handlers: HttpClientHandlers): HttpClientCall {
  const received = new Received();
  let isDone = false;
  let timer: Timer | undefined;
  const finish = (): boolean => {
    if (isDone) return false;
    isDone = true;
    timer?.cancel();
    return true;
  };
  const tryToRead = (hasEnded: boolean): boolean => {
    const message = received.message(request.method === 'HEAD' ? 'head-response' : 'response', hasEnded);
    if (message === undefined) return false;
    const [, status = '0', ...reason] = message.start.split(' ');
    if (!finish()) return true;
    connection.end();
    handlers.onResponse({ status: Number(status), reason: reason.join(' '), headers: message.headers, body: message.body });
    return true;
  };
  const { sourceIp, device, connectTimeoutMs } = request;
  const connection = namespace.sockets.connect({
    destination: request.endpoint,
    ...(sourceIp === undefined ? {} : { source: { ip: sourceIp } }),
    ...(device === undefined ? {} : { device }),
    handlers: {
      onConnected() {
        timer?.cancel();
        handlers.onConnected?.();
        connection.send(encoder.encode(requestText(request)));
      },
      onData(bytes) {
        if (isDone) return;
        received.add(bytes);
        tryToRead(false);
      },
      onEnd() {
        if (isDone || tryToRead(true) || !finish()) return;
        connection.end();
        handlers.onError(received.length === 0 ? 'empty-reply' : 'ECONNRESET');
      },
      onClose(errno) {
        if (finish()) handlers.onError(errno ?? 'empty-reply');
      },
    },
  });
  if (connectTimeoutMs !== undefined && connection.state !== 'CLOSED') {
    timer = namespace.network.clock.schedule(connectTimeoutMs, () => {
      if (!finish()) return;
      connection.abort();
      handlers.onError('ETIMEDOUT');
    });
  }
  return {
    connection,
    abort() {
      if (!finish()) return;
      if (connection.state === 'SYN-SENT') connection.abort();
      else connection.end();
    },
  };
}

function requestText({ method, path, headers, body }: HttpClientRequest): string {
  const all: Record<string, string> = { ...headers };
  if (body !== undefined && !Object.keys(all).some((name) => name.toLowerCase() === 'content-length')) {
    all['Content-Length'] = String(encoder.encode(body).length);
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body ?? ''}`;
}
