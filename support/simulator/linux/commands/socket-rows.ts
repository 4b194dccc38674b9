import type { CommandContext } from '../../docker/types.ts';
import type { Ip, TcpConnection } from '../../net/types.ts';

/** A socket as ss(8) and netstat(8) list it. */
export interface Row {
  readonly protocol: 'tcp' | 'udp';
  readonly state: string;
  readonly local: { readonly ip: Ip | undefined; readonly port: number };
  /** Port 0: nobody. */
  readonly remote: { readonly ip: Ip | undefined; readonly port: number };
  /** How an address that is not bound is written. */
  readonly any: string;
  readonly family: 4 | 6;
  readonly program: string | undefined;
}

export function endpoint(ip: Ip | undefined, port: number | string, any: string): string {
  if (ip === undefined) return `${any}:${port}`;
  return ip.family === 6 ? `[${ip.text}]:${port}` : `${ip.text}:${port}`;
}

export function socketRows(context: CommandContext): readonly Row[] {
  const { sockets } = context.container.namespace;
  const rows: Row[] = [];
  for (const socket of sockets.listening) {
    const family = socket.family ?? socket.ip?.family;
    rows.push({
      protocol: socket.protocol,
      state: socket.protocol === 'tcp' ? 'LISTEN' : 'UNCONN',
      local: { ip: socket.ip, port: socket.port },
      remote: { ip: undefined, port: 0 },
      any: family === undefined ? '*' : family === 4 ? '0.0.0.0' : '[::]',
      family: family ?? 6,
      program: socket.program,
    });
  }
  for (const connection of sockets.connections) {
    rows.push({
      protocol: 'tcp',
      state: states[connection.state],
      local: connection.local,
      remote: connection.remote,
      any: '*',
      family: connection.local.ip.family,
      program: undefined,
    });
  }
  return rows;
}

const states: Readonly<Record<TcpConnection['state'], string>> = {
  'SYN-SENT': 'SYN-SENT',
  'SYN-RECEIVED': 'SYN-RECV',
  ESTABLISHED: 'ESTAB',
  'FIN-WAIT': 'FIN-WAIT-2',
  'CLOSE-WAIT': 'CLOSE-WAIT',
  CLOSED: 'TIME-WAIT',
};
