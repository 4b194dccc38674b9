import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Docker from 'dockerode';
import { miniContainerlab } from './mini-containerlab.fixture.ts';

export const clone = fileURLToPath(new URL('../..', import.meta.url));

/** Images that the tests need in the engine: they are never pulled. */
export const clientImage = 'lab/client';
const routerImage = 'lab/frr';
const nodeImage = 'lab/gobgp';

/** An engine that tests may use: the one of DOCKER_HOST. A machine's own engine is somebody's, and left alone. */
export async function findEngine(images: readonly string[] = [clientImage]): Promise<{ docker: Docker } | { reason: string }> {
  const host = process.env['DOCKER_HOST'];
  if (host === undefined || host === '') return { reason: 'DOCKER_HOST names no engine for tests' };
  const socket = /^unix:\/\/(.*)$/.exec(host)?.[1];
  if (socket !== undefined && !existsSync(socket)) return { reason: `there is no ${socket}` };
  const docker = new Docker();
  try {
    await docker.ping();
    for (const image of images) await docker.getImage(image).inspect();
    return { docker };
  } catch (error) {
    return { reason: `${host}: ${(error as Error).message}` };
  }
}

export interface TopologyMeans {
  readonly docker: Docker;
  /** Undefined: a program of the rig deploys in its place. */
  readonly containerlab: string | undefined;
  readonly namespace: string;
}

/** What a real topology needs beside an engine: the network namespace in which the engine's bridges are, and, best of all, containerlab. */
export async function findTopologyMeans(): Promise<TopologyMeans | { reason: string }> {
  const engine = await findEngine([clientImage, routerImage, nodeImage]);
  if ('reason' in engine) return engine;
  const namespace = process.env['ISOLATED_DOCKER_NETNS'];
  if (namespace === undefined)
    return { reason: 'ISOLATED_DOCKER_NETNS names no network namespace: links are made in none but an engine of its own' };
  if (onPath('docker') === undefined) return { reason: 'docker, the client, is not on the PATH' };
  const taken = await engine.docker.listContainers({ all: true });
  if (taken.some(({ Names }) => Names.some((name) => /^\/(kind-|clab-)/.test(name)))) return { reason: 'the engine has a lab already' };
  return { ...engine, containerlab: onPath('containerlab'), namespace };
}

function onPath(program: string): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, program))
    .find((file) => existsSync(file));
}

/** What a program of the rig said. */
export interface Said {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * A machine on which `outpost up` runs, made of real parts where these can be had without a registry: the engine, containerlab, FRR.
 * kind's nodes are containers with a gobgpd in the place of Cilium's agent; kind, helm, kubectl and cilium are scripts that
 * write down how they were called.
 */
export class RealLab {
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly docker: Docker;

  constructor(means: TopologyMeans) {
    this.docker = means.docker;
    this.folder = mkdtempSync(join(tmpdir(), 'outpost-live-'));
    for (const part of ['lab', 'containerlab', 'features']) cpSync(join(clone, part), join(this.folder, part), { recursive: true });
    const bin = join(this.folder, 'bin');
    mkdirSync(bin);
    const home = join(this.folder, 'home');
    mkdirSync(home);
    this.env = {
      ...process.env,
      PATH: `${bin}${delimiter}${process.env['PATH'] ?? ''}`,
      HOME: home,
      XDG_STATE_HOME: join(this.folder, 'state'),
      KUBECONFIG: join(this.folder, 'kubeconfig'),
      CALLS: join(this.folder, 'calls'),
      NO_COLOR: '1',
    };
    writeFileSync(join(this.folder, 'calls'), '');
    writeFileSync(join(this.folder, 'kubeconfig'), 'somebody-elses\n');
    const script = (name: string, text: string) => {
      writeFileSync(join(bin, name), `#!/bin/sh\n${text}`);
      chmodSync(join(bin, name), 0o755);
    };
    // The machine's own hosts file and ssh configuration, which containerlab writes to, stay as they are.
    script(
      'containerlab',
      means.containerlab === undefined
        ? `[ "$1" != version ] || { echo "version: 0.68.0"; exit; }
cd ${clone} && exec ${process.execPath} --import tsx ${miniContainerlab} ${means.namespace} "$@"\n`
        : `exec nsenter --net=${means.namespace} unshare --mount --propagation private sh -c '
cp /etc/hosts ${this.folder}/hosts && mount --bind ${this.folder}/hosts /etc/hosts
mkdir -p ${this.folder}/ssh && { [ ! -d /etc/ssh/ssh_config.d ] || mount --bind ${this.folder}/ssh /etc/ssh/ssh_config.d; }
exec ${means.containerlab} "$@"' containerlab "$@"\n`,
    );
    script('kind', kindScript);
    script('helm', 'echo "helm $*" >>"$CALLS"\n[ ! -e "$CALLS.helm-fails" ] || { echo "Error: no such chart" >&2; exit 1; }\n');
    script('cilium', 'echo "cilium $*" >>"$CALLS"\n');
    script('hubble', 'echo "hubble $*" >>"$CALLS"\n');
    script('kubectl', 'if [ "$1 $2" = "config current-context" ]; then cat "$KUBECONFIG"; exit; fi\necho "kubectl $*" >>"$CALLS"\n');
  }

  /** Images of the names that the topology uses, made of what is in the engine. */
  buildImages(): void {
    this.#build('frrouting/frr:v8.4.1', `FROM ${routerImage}\nRUN ln -s /usr/local/sbin/frr-run /usr/lib/frr/docker-start\n`);
    // Some kernels have no dummy interfaces; an ifb is as mute, and has the same flags.
    this.#build(
      'nicolaka/netshoot:v0.11',
      `FROM ${clientImage}\nRUN ip link add probe type dummy 2>/dev/null || { mv /usr/bin/ip /usr/bin/ip.real && printf '#!/bin/bash\\na=()\\nfor w in "$@"; do [ "$w" = dummy ] && w=ifb; a+=("$w"); done\\nexec /usr/bin/ip.real "\${a[@]}"\\n' >/usr/bin/ip && chmod 755 /usr/bin/ip; }\n`,
    );
    this.#build('outpost-lab/remote-outpost:1.0', `FROM ${clientImage}\nCMD ["sh", "-c", "exec tiny-http -p 8000 -A $ALLOWED_IPS"]\n`);
  }

  #build(tag: string, dockerfile: string): void {
    const { status, stderr } = spawnSync('docker', ['build', '--quiet', '--tag', tag, '-'], {
      input: dockerfile,
      encoding: 'utf8',
      env: { ...this.env, DOCKER_BUILDKIT: '0' },
    });
    if (status !== 0) throw new Error(`docker build of ${tag} failed: ${stderr}`);
  }

  outpost(...args: readonly string[]): Said {
    const [command = '', ...rest] = args;
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [join(clone, 'support/cli/outpost.mjs'), command, '--lab', this.folder, ...rest],
      {
        encoding: 'utf8',
        env: this.env,
        cwd: this.folder,
      },
    );
    return { status, stdout, stderr };
  }

  /** The same, while it runs. */
  start(...[command = '', ...rest]: readonly string[]) {
    return spawn(process.execPath, [join(clone, 'support/cli/outpost.mjs'), command, '--lab', this.folder, ...rest], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: this.env,
      cwd: this.folder,
    });
  }

  /** How the tools that are no real ones were called since the last time. */
  calls(): string[] {
    const text = readFileSync(join(this.folder, 'calls'), 'utf8');
    writeFileSync(join(this.folder, 'calls'), '');
    return text
      .trim()
      .split('\n')
      .map((line) => line.replaceAll(this.folder, 'LAB'));
  }

  remove(): void {
    spawnSync('docker', ['rm', '--force', '--volumes', ...this.#containers()], { env: this.env });
    spawnSync('docker', ['network', 'rm', 'kind', 'clab'], { env: this.env });
    rmSync(this.folder, { recursive: true, force: true });
  }

  #containers(): string[] {
    const { stdout } = spawnSync('docker', ['ps', '--all', '--format', '{{.Names}}'], { encoding: 'utf8', env: this.env });
    return stdout.split('\n').filter((name) => /^(kind|clab)-/.test(name));
  }
}

const kindScript = `echo "kind $*" >>"$CALLS"
case "$1 $2" in
"create cluster")
  [ ! -e "$CALLS.kind-fails" ] || { echo "ERROR: failed to create cluster: no image" >&2; exit 1; }
  docker network inspect kind >/dev/null 2>&1 || docker network create --subnet 172.18.0.0/16 kind >/dev/null || exit 1
  for node in kind-control-plane kind-worker kind-worker2; do
    docker run --detach --init --name $node --hostname $node --privileged --network kind --label io.x-k8s.kind.cluster=kind \\
      --sysctl net.ipv6.conf.all.disable_ipv6=0 --sysctl net.ipv6.conf.default.accept_dad=0 --sysctl net.ipv4.ip_forward=1 \\
      --sysctl net.ipv6.conf.all.forwarding=1 ${nodeImage} sleep infinity >/dev/null || exit 1
  done
  echo kind-kind >"$KUBECONFIG" ;;
"delete cluster")
  ids=$(docker ps --all --quiet --filter label=io.x-k8s.kind.cluster=kind)
  [ -z "$ids" ] || docker rm --force --volumes $ids >/dev/null
  echo somebody-elses >"$KUBECONFIG" ;;
esac
`;
