import { readdirSync, readFileSync } from 'node:fs';
import type Docker from 'dockerode';
import { runVariable } from './running.ts';

/** Every exec carries this variable with a value of its own, and what it starts inherits it: so all of it can be found again. */
export const execVariable = 'OUTPOST_EXEC';

/** Three rounds: what forks while it is looked for is met by the next one. */
const script = `for round in 1 2 3; do
  for file in /proc/[0-9]*/environ; do
    if grep -q "$1" "$file" 2>/dev/null; then id=\${file#/proc/}; kill -KILL "\${id%/environ}" 2>/dev/null; fi
  done
done`;

const patienceMs = 5_000;

/**
 * Ends an exec and all that it started. The engine has no request for it (moby/moby#9098): the programs are looked for by
 * their variable, inside the container with its own shell, or, where it has none, from this machine when that is allowed to.
 */
export async function killExec(docker: Docker, container: string, id: string): Promise<void> {
  const mark = `${execVariable}=${id}`;
  // As root on the engine's own machine the containers' programs are this machine's.
  if (process.getuid?.() === 0 && killFromHere(mark)) return;
  await killInside(docker, container, mark);
}

/** Ends what a process that was itself killed has left: its programs on this machine, and in the containers of labs. */
export async function killLeftBy(run: string): Promise<void> {
  const mark = `${runVariable}=${run}`;
  killFromHere(mark);
  try {
    const { connectDocker } = await import('./engine.ts');
    const docker = connectDocker();
    const ofLabs = (await docker.listContainers()).filter(({ Labels }) => 'io.x-k8s.kind.cluster' in Labels || 'containerlab' in Labels);
    await Promise.all(ofLabs.map(({ Id }) => killInside(docker, Id, mark).catch(() => undefined)));
  } catch {
    // Without an engine nothing runs in containers.
  }
}

async function killInside(docker: Docker, container: string, mark: string): Promise<void> {
  const exec = await docker.getContainer(container).exec({
    Cmd: ['sh', '-c', script, 'sh', mark],
    User: 'root',
    AttachStdout: true,
    AttachStderr: true,
  });
  const stream = await exec.start({});
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, patienceMs);
    const end = () => {
      clearTimeout(timer);
      resolve();
    };
    stream.on('end', end);
    stream.on('close', end);
    stream.on('error', end);
    stream.resume();
  });
}

/** Of the programs of this machine, those that this user may look at. @returns whether there was any */
function killFromHere(mark: string): boolean {
  if (process.platform !== 'linux') return false;
  let found = false;
  for (let round = 0; round < 3; round++) {
    let hasAny = false;
    for (const name of readdirSync('/proc')) {
      if (!/^\d+$/.test(name)) continue;
      try {
        if (!readFileSync(`/proc/${name}/environ`, 'utf8').split('\0').includes(mark)) continue;
        process.kill(Number(name), 'SIGKILL');
        hasAny = true;
      } catch {
        // It ended meanwhile.
      }
    }
    if (!hasAny) break;
    found = true;
  }
  return found;
}
