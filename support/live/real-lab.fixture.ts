import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Docker from 'dockerode';
import { kindStandIn, kubectlConfigStandIn, nodeFiles, nodeImageName, somebodysConfig } from './kind-node.fixture.ts';
import { miniContainerlab } from './mini-containerlab.fixture.ts';

export const clone = fileURLToPath(new URL('../..', import.meta.url));

/** Images that the tests need in the engine: they are never pulled. */
export const clientImage = 'lab/client';
const routerImage = 'lab/frr';
const speakerImage = 'lab/gobgp';

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
  /** Undefined: scripts make containers, and write contexts, in their place. */
  readonly kind: string | undefined;
  readonly kubectl: string | undefined;
  readonly namespace: string;
}

/** What a real topology needs beside an engine: the network namespace in which the engine's bridges are, and, best of all, containerlab. */
export async function findTopologyMeans(): Promise<TopologyMeans | { reason: string }> {
  const engine = await findEngine([clientImage, routerImage, speakerImage]);
  if ('reason' in engine) return engine;
  const namespace = process.env['ISOLATED_DOCKER_NETNS'];
  if (namespace === undefined)
    return { reason: 'ISOLATED_DOCKER_NETNS names no network namespace: links are made in none but an engine of its own' };
  if (onPath('docker') === undefined) return { reason: 'docker, the client, is not on the PATH' };
  const taken = await engine.docker.listContainers({ all: true });
  if (taken.some(({ Names }) => Names.some((name) => /^\/(kind-|clab-)/.test(name)))) return { reason: 'the engine has a lab already' };
  return { ...engine, containerlab: onPath('containerlab'), kind: onPath('kind'), kubectl: onPath('kubectl'), namespace };
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
 * A machine on which `outpost up` runs, made of real parts where these can be had without a registry: the engine, kind, containerlab,
 * FRR, and of kubectl what reads and writes contexts. Nodes have a gobgpd in the place of Cilium's agent, and no Kubernetes: helm,
 * cilium and the rest of kubectl are scripts that write down how they were called.
 */
export class RealLab {
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly docker: Docker;

  constructor(means: TopologyMeans) {
    this.docker = means.docker;
    this.folder = mkdtempSync(join(tmpdir(), 'outpost-live-'));
    mkdirSync(join(this.folder, 'features'));
    for (const part of ['lab', 'containerlab']) cpSync(join(clone, part), join(this.folder, part), { recursive: true });
    const labFile = join(this.folder, 'lab', 'lab.yaml');
    writeFileSync(labFile, `${readFileSync(labFile, 'utf8').split('\nchallenges:')[0]}\n${wiringChallenge}`);
    writeFileSync(join(this.folder, 'features', 'wiring.feature'), wiringFeature);
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
    writeFileSync(join(this.folder, 'kubeconfig'), somebodysConfig);
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
    script('kind', `echo "kind $*" >>"$CALLS"\n${means.kind === undefined ? kindStandIn : `exec ${means.kind} "$@"\n`}`);
    script(
      'helm',
      'echo "helm $*" >>"$CALLS"\n[ ! -e "$CALLS.helm-hangs" ] || sleep 602\n[ ! -e "$CALLS.helm-fails" ] || [ "$1" = status ] || { echo "Error: no such chart" >&2; exit 1; }\n',
    );
    script('cilium', 'echo "cilium $*" >>"$CALLS"\n');
    script('hubble', 'echo "hubble $*" >>"$CALLS"\n');
    // The firewall of the engine's machine is that of its namespace.
    for (const program of ['iptables', 'ip6tables'])
      script(program, `exec nsenter --net=${means.namespace} ${onPath(program) ?? program} "$@"\n`);
    script(
      'kubectl',
      `if [ "$1" = config ]; then\n${means.kubectl === undefined ? kubectlConfigStandIn : `exec ${means.kubectl} "$@"`}\nexit\nfi\necho "kubectl $*" >>"$CALLS"\n`,
    );
  }

  /** Images of the public names that the lab uses, made of what is in the engine. Its own ones are built by `outpost up`. */
  buildImages(): void {
    this.#removeOwnImages();
    this.#build('frrouting/frr:v8.4.1', {
      Dockerfile: `FROM ${routerImage}\nRUN ln -s /usr/local/sbin/frr-run /usr/lib/frr/docker-start\n`,
    });
    // Some kernels have no dummy interfaces; an ifb is as mute, and has the same flags.
    this.#build('nicolaka/netshoot:v0.11', {
      Dockerfile: `FROM ${clientImage}\nRUN ip link add probe type dummy 2>/dev/null || { mv /usr/bin/ip /usr/bin/ip.real && printf '#!/bin/bash\\na=()\\nfor w in "$@"; do [ "$w" = dummy ] && w=ifb; a+=("$w"); done\\nexec /usr/bin/ip.real "\${a[@]}"\\n' >/usr/bin/ip && chmod 755 /usr/bin/ip; }\n`,
    });
    this.#build(nodeImageName, nodeFiles);
    for (const base of ['curlimages/curl:8.11.1', 'python:3.12-alpine']) spawnSync('docker', ['tag', clientImage, base], { env: this.env });
  }

  #build(tag: string, files: Readonly<Record<string, string>>): void {
    const folder = mkdtempSync(join(this.folder, 'image-'));
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text, { mode: 0o755 });
    }
    const { status, stderr } = spawnSync('docker', ['build', '--quiet', '--tag', tag, folder], {
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

  /** Another program of this machine, as the lab finds it on its PATH. */
  run(program: string, ...words: readonly string[]): Said {
    const { status, stdout, stderr } = spawnSync(program, words, { encoding: 'utf8', env: this.env });
    return { status, stdout, stderr };
  }

  context(): string {
    return this.run('kubectl', 'config', 'current-context').stdout.trim();
  }

  useContext(name: string): void {
    this.run('kubectl', 'config', 'use-context', name);
  }

  /** `outpost`, while it runs. */
  start(command: string, ...rest: readonly string[]) {
    return this.startWith({}, command, ...rest);
  }

  startWith(env: Readonly<Record<string, string>>, command: string, ...rest: readonly string[]) {
    return spawn(process.execPath, [join(clone, 'support/cli/outpost.mjs'), command, '--lab', this.folder, ...rest], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...this.env, ...env },
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
    this.#removeOwnImages();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #removeOwnImages(): void {
    spawnSync('docker', ['rmi', '--force', 'outpost-lab/starship:1.0', 'outpost-lab/remote-outpost:1.0'], { env: this.env });
  }

  #containers(): string[] {
    const { stdout } = spawnSync('docker', ['ps', '--all', '--format', '{{.Names}}'], { encoding: 'utf8', env: this.env });
    return stdout.split('\n').filter((name) => /^(kind|clab)-/.test(name));
  }
}

/** What of a lab can be graded where nodes have no Kubernetes: its routers, and the addresses of its nodes. */
const wiringChallenge = `challenges:
  - name: wiring
    feature: ../features/wiring.feature
    tasks:
      - { name: routes, points: 7 }
      - { name: gateway, points: 3 }
      - { name: patience, points: 0 }
`;

const router = 'clab-bgp-cplane-dev-dual-router0';
const wiringFeature = `Feature: Wiring

  @task-routes
  Scenario: Every node has a session, and announces its pods
    Then router "${router}" has these neighbors established within 5 seconds:
      | neighbor       | AS    |
      | fd00:10:0:1::2 | 65001 |
      | fd00:10:0:2::2 | 65002 |
      | fd00:10:0:3::2 | 65003 |
    And router "${router}" has exactly these paths within 1 second:
      | prefix           | next hop       | AS path |
      | fd00:10:1::/64   | fd00:10:0:1::2 | 65001   |
      | fd00:10:1:2::/64 | fd00:10:0:2::2 | 65002   |
      | fd00:10:1:1::/64 | fd00:10:0:3::2 | 65003   |

  @task-gateway
  Scenario: The gateway has the address that the outpost admits
    Then device "net1" of node "kind-worker2" has the address "10.0.3.42/24" within 2 seconds

  @task-patience @slow
  Scenario: Something that never comes
    Then router "${router}" has 1 path to "192.0.2.0/24" with AS path "65001" within 60 seconds
`;
