import type { Ip, ListeningSocket, NetworkNamespace, TcpConnection } from '../net/types.ts';

/** docker-proxy: what reaches a published port on the host itself is copied to the container and back. */
export function startPortProxy(
  host: NetworkNamespace,
  port: { readonly ip?: Ip; readonly hostPort: number; readonly container: Ip; readonly containerPort: number },
): ListeningSocket {
  return host.sockets.listen({
    port: port.hostPort,
    ...(port.ip === undefined ? {} : { ip: port.ip }),
    program: 'docker-proxy',
    onConnection(client) {
      const waiting: Uint8Array[] = [];
      let isOpen = false;
      let hasEnded = false;
      const server: TcpConnection = host.sockets.connect({
        destination: { ip: port.container, port: port.containerPort },
        handlers: {
          onConnected() {
            isOpen = true;
            for (const bytes of waiting.splice(0)) server.send(bytes);
            if (hasEnded) server.end();
          },
          onData: (bytes) => client.send(bytes),
          onEnd: () => client.end(),
          onClose(errno) {
            if (errno !== undefined) client.abort();
          },
        },
      });
      client.handlers = {
        onData(bytes) {
          if (isOpen) server.send(bytes);
          else waiting.push(bytes);
        },
        onEnd() {
          hasEnded = true;
          if (isOpen) server.end();
        },
        onClose(errno) {
          if (errno !== undefined) server.abort();
        },
      };
    },
  });
}
