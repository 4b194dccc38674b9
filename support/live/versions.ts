/** Every version that the live driver knows of: what it asks of the tools of the lab host, and what it tells people to install. */

export interface ToolPin {
  readonly tool: string;
  /** Its words that print its version. */
  readonly versionArgv: readonly string[];
  /** Older ones lack what `outpost up` and the steps use. */
  readonly atLeast: string;
  /** The version that is installed by the hints, the workflow and the development container. */
  readonly pinned: string;
  /** What of a lab needs it. */
  readonly neededFor: 'every lab' | 'topology' | 'cilium';
}

export const toolPins: readonly ToolPin[] = [
  // The client, which kind calls; it comes with the engine.
  { tool: 'docker', versionArgv: ['--version'], atLeast: '20.10.0', pinned: '', neededFor: 'every lab' },
  { tool: 'kind', versionArgv: ['version'], atLeast: '0.20.0', pinned: '0.27.0', neededFor: 'every lab' },
  { tool: 'kubectl', versionArgv: ['version', '--client'], atLeast: '1.26.0', pinned: '1.32.3', neededFor: 'every lab' },
  { tool: 'containerlab', versionArgv: ['version'], atLeast: '0.48.0', pinned: '0.68.0', neededFor: 'topology' },
  { tool: 'helm', versionArgv: ['version', '--short'], atLeast: '3.10.0', pinned: '3.17.3', neededFor: 'cilium' },
  { tool: 'cilium', versionArgv: ['version', '--client'], atLeast: '0.15.0', pinned: '0.18.3', neededFor: 'cilium' },
  { tool: 'hubble', versionArgv: ['version'], atLeast: '0.12.0', pinned: '1.17.2', neededFor: 'cilium' },
];

/** The engine's API has what is used here since 20.10; kind asks for it, too. */
export const oldestEngine = '20.10.0';

/** For kind nodes whose file names no image. */
export const defaultNodeImage = 'kindest/node:v1.32.2';

export const ciliumChart = { repository: 'https://helm.cilium.io', chart: 'cilium', release: 'cilium', namespace: 'kube-system' } as const;

/** Linux before it lacks what Cilium needs (system requirements of Cilium 1.16). */
export const oldestKernel = '5.4.0';

/** The first `1.2.3` in what a program says of itself. */
export function versionIn(text: string): string | undefined {
  return /\bv?(\d+\.\d+(?:\.\d+)?)/.exec(text)?.[1];
}

/** Whether `version` is `least` or newer; parts that are not there count as 0. */
export function isAtLeast(version: string, least: string): boolean {
  const parts = (text: string) => text.split('.').map(Number);
  const [a, b] = [parts(version), parts(least)];
  for (let index = 0; index < 3; index++) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

export type Platform = 'linux' | 'darwin' | 'other';

/** A command that puts the pinned version of a tool on this machine's PATH. */
export function installCommand(tool: string, platform: Platform, arch: 'amd64' | 'arm64'): string {
  const pinned = toolPins.find((pin) => pin.tool === tool)?.pinned ?? '';
  const bin = '/usr/local/bin';
  const os = platform === 'darwin' ? 'darwin' : 'linux';
  switch (tool) {
    case 'docker':
      return platform === 'darwin' ? 'brew install --cask docker' : 'curl -fsSL https://get.docker.com | sudo sh';
    case 'containerlab':
      return platform === 'darwin'
        ? 'run the lab in a Linux machine: containerlab needs Linux (https://containerlab.dev/macos/)'
        : `bash -c "$(curl -sL https://get.containerlab.dev)" -- -v ${pinned}`;
    case 'kind':
      return `sudo curl -fLo ${bin}/kind https://kind.sigs.k8s.io/dl/v${pinned}/kind-${os}-${arch} && sudo chmod +x ${bin}/kind`;
    case 'kubectl':
      return `sudo curl -fLo ${bin}/kubectl https://dl.k8s.io/release/v${pinned}/bin/${os}/${arch}/kubectl && sudo chmod +x ${bin}/kubectl`;
    case 'helm':
      return `curl -fL https://get.helm.sh/helm-v${pinned}-${os}-${arch}.tar.gz | sudo tar xz -C ${bin} --strip-components 1 ${os}-${arch}/helm`;
    case 'cilium':
      return `curl -fL https://github.com/cilium/cilium-cli/releases/download/v${pinned}/cilium-${os}-${arch}.tar.gz | sudo tar xz -C ${bin}`;
    case 'hubble':
      return `curl -fL https://github.com/cilium/hubble/releases/download/v${pinned}/hubble-${os}-${arch}.tar.gz | sudo tar xz -C ${bin}`;
    default:
      return `install ${tool}, and put it on the PATH`;
  }
}
