import type { SimulatedClock, Timer } from '../../clock/clock.ts';
import { parsePlainCommand, runPlainScript } from '../../docker/programs/plain-script.ts';
import type { Container } from '../../docker/types.ts';
import { parseIp } from '../../net/address.ts';
import { requestHttp } from '../../net/http.ts';
import type { Errno, NetworkNamespace } from '../../net/types.ts';
import type { ContainerSpec, Probe } from '../objects.ts';

export type ProbeResult = { readonly isOk: true } | { readonly isOk: false; readonly why: string };

export interface ProbeTarget {
  readonly clock: SimulatedClock;
  /** Where the kubelet lives. */
  readonly node: NetworkNamespace;
  readonly podIp: string;
  readonly container: ContainerSpec;
  /** What runs of it. */
  readonly running: Container;
}

/** Carries out one probe over the network; the answer comes at a later event. */
export function runProbe(probe: Probe, target: ProbeTarget, done: (result: ProbeResult) => void): void {
  if (probe.httpGet !== undefined) {
    probeHttp(probe, probe.httpGet, target, done);
    return;
  }
  const port = probe.tcpSocket?.port ?? probe.grpc?.port;
  if (port !== undefined) {
    probeTcp(probe, portOf(port, target.container), probe.tcpSocket?.host ?? target.podIp, target, done);
    return;
  }
  probeExec(probe, target, done);
}

/** Only plain commands run inside an event; a probe with another one always holds, which is said on admission. */
function probeExec(probe: Probe, target: ProbeTarget, done: (result: ProbeResult) => void): void {
  const script = parsePlainCommand(probe.exec?.command ?? []);
  if (script === undefined) {
    target.clock.schedule(1, () => done({ isOk: true }));
    return;
  }
  let stop: (() => void) | undefined;
  const timeoutSeconds = probe.timeoutSeconds ?? 1;
  const line = (probe.exec?.command ?? []).join(' ');
  const answer = once(target.clock, timeoutSeconds * 1000, done, `command ${JSON.stringify(line)} timed out`, () => stop?.());
  target.clock.schedule(1, () => {
    stop = runPlainScript(target.running, script, ({ exitCode, stdout, stderr }) =>
      answer(exitCode === 0 ? { isOk: true } : { isOk: false, why: `${stdout}${stderr}` }),
    );
  });
}

export function portOf(port: number | string, container: ContainerSpec): number {
  if (typeof port === 'number') return port;
  return container.ports?.find((candidate) => candidate.name === port)?.containerPort ?? Number(port);
}

function probeHttp(probe: Probe, get: NonNullable<Probe['httpGet']>, target: ProbeTarget, done: (result: ProbeResult) => void): void {
  const host = get.host ?? target.podIp;
  const ip = parseIp(host);
  const port = portOf(get.port, target.container);
  const shown = host.includes(':') ? `[${host}]` : host;
  const path = get.path ?? '/';
  const url = `${(get.scheme ?? 'HTTP').toLowerCase()}://${shown}:${port}${path.startsWith('/') ? path : `/${path}`}`;
  if (ip === undefined) {
    done({ isOk: false, why: `Get ${JSON.stringify(url)}: dial tcp: lookup ${host}: no such host` });
    return;
  }
  // TLS is not modelled: an HTTPS probe only sees whether somebody listens.
  if (get.scheme === 'HTTPS') {
    probeTcp(probe, port, host, target, done);
    return;
  }
  const headers: Record<string, string> = { Host: `${shown}:${port}`, 'User-Agent': 'kube-probe/1.27', Accept: '*/*', Connection: 'close' };
  for (const header of get.httpHeaders ?? []) headers[header.name] = header.value;
  const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000;
  const answer = once(
    target.clock,
    timeoutMs,
    done,
    `Get ${JSON.stringify(url)}: context deadline exceeded (Client.Timeout exceeded while awaiting headers)`,
    () => call.abort(),
  );
  const call = requestHttp(
    target.node,
    { endpoint: { ip, port }, method: 'GET', path, headers, connectTimeoutMs: timeoutMs },
    {
      onResponse: (response) =>
        answer(
          response.status >= 200 && response.status < 400
            ? { isOk: true }
            : { isOk: false, why: `HTTP probe failed with statuscode: ${response.status}` },
        ),
      onError: (error) =>
        answer({
          isOk: false,
          why:
            error === 'empty-reply'
              ? `Get ${JSON.stringify(url)}: EOF`
              : `Get ${JSON.stringify(url)}: ${dialError(`${shown}:${port}`, error)}`,
        }),
    },
  );
}

function probeTcp(probe: Probe, port: number, host: string, target: ProbeTarget, done: (result: ProbeResult) => void): void {
  const ip = parseIp(host);
  const shown = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  if (ip === undefined) {
    done({ isOk: false, why: `dial tcp: lookup ${host}: no such host` });
    return;
  }
  const answer = once(target.clock, (probe.timeoutSeconds ?? 1) * 1000, done, `dial tcp ${shown}: i/o timeout`, () => connection.abort());
  const connection = target.node.sockets.connect({
    destination: { ip, port },
    handlers: {
      onConnected: () => {
        answer({ isOk: true });
        connection.end();
      },
      onClose: (errno) => answer({ isOk: false, why: dialError(shown, errno ?? 'ECONNRESET') }),
    },
  });
}

function once(
  clock: SimulatedClock,
  timeoutMs: number,
  done: (result: ProbeResult) => void,
  timeoutText: string,
  giveUp: () => void,
): (result: ProbeResult) => void {
  let isDone = false;
  const timer: Timer = clock.schedule(timeoutMs, () => {
    if (isDone) return;
    isDone = true;
    giveUp();
    done({ isOk: false, why: timeoutText });
  });
  return (result) => {
    if (isDone) return;
    isDone = true;
    timer.cancel();
    done(result);
  };
}

const errnoTexts: Partial<Readonly<Record<Errno, string>>> = {
  ECONNREFUSED: 'connect: connection refused',
  ECONNRESET: 'read: connection reset by peer',
  EHOSTUNREACH: 'connect: no route to host',
  ENETUNREACH: 'connect: network is unreachable',
  ETIMEDOUT: 'i/o timeout',
};

function dialError(address: string, errno: Errno): string {
  return `dial tcp ${address}: ${errnoTexts[errno] ?? `connect: ${errno}`}`;
}
