import { connect, createServer, type Server, type Socket } from 'node:net';
import Docker from 'dockerode';

/** The engine behind a socket that can be taken away, as it is when the engine stops. */
export async function cuttableEngine(path: string): Promise<{ path: string; server: Server; cut: () => void; client: Docker }> {
  const real = (process.env['DOCKER_HOST'] ?? '').replace(/^unix:\/\//, '');
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ path: real, allowHalfOpen: true });
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
    }
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const cut = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { path, server, cut, client: new Docker({ socketPath: path }) };
}
