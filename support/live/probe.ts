import { existsSync } from 'node:fs';

export type DockerProbe = { readonly answers: true } | { readonly answers: false; readonly reason: string };

const patienceMs = 1_500;

/** Whether a Docker engine answers, without loading a client where there is not even a socket. */
export async function probeDocker(env: NodeJS.ProcessEnv = process.env): Promise<DockerProbe> {
  const host = env.DOCKER_HOST ?? 'unix:///var/run/docker.sock';
  const socket = /^unix:\/\/(.*)$/.exec(host)?.[1];
  if (socket !== undefined && !existsSync(socket)) return { answers: false, reason: `no Docker: there is no ${socket}` };
  const { connectDocker } = await import('./engine.ts');
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${patienceMs / 1000} s`)), patienceMs);
  });
  try {
    await Promise.race([connectDocker().ping(), late]);
    return { answers: true };
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
    return { answers: false, reason: `no Docker at ${host}: ${why}` };
  } finally {
    clearTimeout(timer);
  }
}
