import { serveHttp } from '../net/http.ts';
import type { ListeningSocket, NetworkNamespace } from '../net/types.ts';

export interface HealthCheck {
  readonly namespace: string;
  readonly name: string;
  readonly localEndpoints: number;
}

/** The checks of a node, by port. */
export interface HealthChecks {
  ports(): Iterable<number>;
  at(port: number): HealthCheck | undefined;
}

/**
 * What load balancers outside ask a node before they send it a service's packets: a web server at each health check
 * node port, which says 200 where the service has an endpoint on the node and 503 where it has none. kube-proxy
 * and Cilium's kube-proxy replacement serve it alike, but for the body. The servers of a node are as many as the cluster's services,
 * so one is only made when somebody looks at its port.
 * @returns what ends them
 */
export function serveServiceHealth(
  namespace: NetworkNamespace,
  program: string,
  checks: HealthChecks,
  body: (check: HealthCheck) => string,
): () => void {
  const servers = new Map<number, ListeningSocket>();
  const close = (port: number): void => {
    servers.get(port)?.close();
    servers.delete(port);
  };
  const listen = (port: number): void => {
    try {
      const server = serveHttp(namespace, { port, program }, () => {
        const check = checks.at(port);
        if (check === undefined) return { status: 503 };
        return {
          status: check.localEndpoints > 0 ? 200 : 503,
          headers: {
            'Content-Type': 'application/json',
            'X-Content-Type-Options': 'nosniff',
            'X-Load-Balancing-Endpoint-Weight': String(check.localEndpoints),
          },
          body: body(check),
        };
      });
      servers.set(port, server);
    } catch {
      // The port is somebody else's: the real ones log it and go on without.
    }
  };
  const sync = (port: number): void => {
    if (checks.at(port) === undefined) close(port);
    else if (!servers.has(port)) listen(port);
  };
  const remove = namespace.sockets.addPortSource({
    sync,
    syncAll() {
      for (const port of [...servers.keys()]) sync(port);
      for (const port of checks.ports()) sync(port);
    },
  });
  return () => {
    remove();
    for (const port of [...servers.keys()]) close(port);
  };
}
