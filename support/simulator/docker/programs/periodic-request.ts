import type { Timer } from '../../clock/clock.ts';
import { parseIp } from '../../net/address.ts';
import { resolveName } from '../../net/dns.ts';
import { type HttpClientCall, requestHttp } from '../../net/http.ts';
import type { Family, Ip } from '../../net/types.ts';
import type { Container, Program } from '../types.ts';

export interface PeriodicRequestOptions {
  readonly name: string;
  readonly everyMs: number;
  readonly jitterMs: number;
  readonly timeoutMs: number;
  /** `http://host[:port]/path`. */
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly families: readonly Family[];
  /** Told of every answer (`undefined`: there was none). */
  onAnswer?(body: string | undefined): void;
}

interface Target {
  readonly host: string;
  readonly authority: string;
  readonly port: number;
  readonly path: string;
}

export function parseTarget(url: string): Target | undefined {
  const match = /^(?:http:\/\/)?(\[[0-9a-fA-F:.]+\]|[^:/?[\]\s]+)(?::(\d{1,5}))?([/?]\S*)?$/.exec(url);
  if (match === null) return undefined;
  const written = match[1] as string;
  const port = match[2] === undefined ? 80 : Number(match[2]);
  const path = match[3] ?? '/';
  return {
    host: written.replace(/^\[|\]$/g, ''),
    authority: match[2] === undefined ? written : `${written}:${match[2]}`,
    port,
    path: path.startsWith('?') ? `/${path}` : path,
  };
}

/** A client that asks the same thing again and again, each time over a connection of its own. */
export function periodicRequest(container: Container, options: PeriodicRequestOptions): Program {
  const { namespace } = container;
  const { clock } = namespace.network;
  const random = namespace.network.random.stream(`requests/${container.name}/${options.name}`);
  const target = parseTarget(options.url);
  let timer: Timer | undefined;
  let timeLimit: Timer | undefined;
  let call: HttpClientCall | undefined;
  // answers of a turn that was given up must not count for the next one
  let turn = 0;
  const stopTurn = (): void => {
    turn++;
    timeLimit?.cancel();
    call?.abort();
    call = undefined;
  };
  const next = (): void => {
    timer = clock.schedule(options.everyMs + random.fraction() * options.jitterMs, begin);
  };
  const answered = (body: string | undefined): void => {
    stopTurn();
    options.onAnswer?.(body);
    next();
  };
  const tryAddress = (ips: readonly Ip[], index: number, thisTurn: number): void => {
    const ip = ips[index];
    if (ip === undefined || target === undefined) {
      answered(undefined);
      return;
    }
    call = requestHttp(
      namespace,
      {
        endpoint: { ip, port: target.port },
        method: options.method,
        path: target.path,
        headers: { Host: target.authority, 'User-Agent': 'curl/7.88.1', Accept: '*/*', ...options.headers },
        ...(options.body === '' ? {} : { body: options.body }),
      },
      {
        onResponse: (response) => {
          if (turn === thisTurn) answered(response.body);
        },
        onError: () => {
          if (turn === thisTurn) tryAddress(ips, index + 1, thisTurn);
        },
      },
    );
  };
  const begin = (): void => {
    if (target === undefined) return;
    const thisTurn = ++turn;
    timeLimit = clock.schedule(options.timeoutMs, () => {
      if (turn === thisTurn) answered(undefined);
    });
    const literal = parseIp(target.host);
    if (literal !== undefined) {
      tryAddress(options.families.includes(literal.family) ? [literal] : [], 0, thisTurn);
      return;
    }
    resolveName(namespace, target.host, { families: options.families }, (result) => {
      if (turn === thisTurn) tryAddress('ips' in result ? result.ips : [], 0, thisTurn);
    });
  };
  return {
    name: options.name,
    start() {
      // the containers of a deployment do not all ask in the same moment
      timer = clock.schedule(random.fraction() * options.everyMs, begin);
    },
    stop() {
      timer?.cancel();
      stopTurn();
    },
  };
}
