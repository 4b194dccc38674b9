import type Docker from 'dockerode';
import { EnvironmentError } from '../verdict/errors.ts';
import { overlap } from './doctor/prefixes.ts';
import type { HostRunner } from './live-context.ts';

interface Container {
  id: string;
  name: string;
  labels: Record<string, string>;
  state: string;
}

const notFound = (what: string) => Object.assign(new Error(`no such ${what}`), { statusCode: 404 });

/** An engine of a few containers and images, and tools that make and unmake them: what each was called with is kept. */
export class FakeMachine {
  readonly containers: Container[] = [];
  readonly networks = new Map([['bridge', '172.17.0.0/16']]);
  /** Labels of each image. */
  readonly images = new Map<string, Record<string, string>>();
  readonly contexts = new Set(['mine']);
  context = 'mine';
  release = '';
  readonly calls: string[] = [];
  readonly kubeconfigs: (string | undefined)[] = [];
  readonly failures = new Map<string, string>();
  #made = 0;

  readonly docker = {
    listContainers: async ({ filters, all = false }: { filters?: { label: string[] }; all?: boolean } = {}) =>
      this.containers
        .filter(({ state }) => all || state === 'running')
        .filter(({ labels }) => (filters?.label ?? []).every((label) => labels[label.split('=')[0] ?? ''] === label.split('=')[1]))
        .map(({ id, name, labels, state }) => ({
          Id: id,
          Names: [`/${name}`],
          Labels: labels,
          State: state,
          NetworkSettings: { Networks: { kind: { IPAddress: '192.0.2.7', GlobalIPv6Address: '' } } },
        })),
    listNetworks: async () => [...this.networks].map(([Name, Subnet]) => ({ Id: Name, Name, IPAM: { Config: [{ Subnet }] } })),
    createNetwork: async ({ Name, IPAM }: { Name: string; IPAM: { Config: { Subnet: string }[] } }) => {
      const prefix = IPAM.Config[0]?.Subnet ?? '';
      if ([...this.networks.values()].some((other) => overlap(other, prefix)))
        throw new Error('Pool overlaps with other one on this address space');
      this.networks.set(Name, prefix);
    },
    getNetwork: (name: string) => ({ inspect: async () => ({ Containers: {} }), remove: async () => void this.networks.delete(name) }),
    getContainer: (id: string) => ({
      // None that could be asked.
      exec: () => Promise.reject(notFound('container')),
      start: async () => {
        for (const container of this.containers) if (container.id === id) container.state = 'running';
      },
      remove: async () =>
        void this.containers.splice(
          this.containers.findIndex((container) => container.id === id),
          1,
        ),
    }),
    getImage: (name: string) => ({
      inspect: async () => {
        const Labels = this.images.get(name);
        if (Labels === undefined) throw notFound('image');
        return { Config: { Labels } };
      },
      remove: async () => void this.images.delete(name),
    }),
    buildImage: async (_context: unknown, { t, labels }: { t: string; labels: Record<string, string> }) => {
      this.calls.push(`build ${t}`);
      this.images.set(t, labels);
      return {};
    },
    modem: { followProgress: (_stream: unknown, end: (error: null) => void) => end(null) },
  } as unknown as Docker;

  add(name: string, labels: Record<string, string> = { 'io.x-k8s.kind.cluster': 'demo' }): void {
    this.containers.push({ id: `${name}#${++this.#made}`, name, labels, state: 'running' });
  }

  removeCluster(): void {
    for (const container of [...this.containers])
      if (container.labels['io.x-k8s.kind.cluster'] === 'demo') this.containers.splice(this.containers.indexOf(container), 1);
  }

  readonly run: HostRunner = async (argv, options) => {
    const line = argv.join(' ');
    const answer = (stdout: string, exitCode = 0) => ({ stdout, stderr: '', exitCode });
    if (line === 'kubectl config current-context') return answer(`${this.context}\n`, this.context === '' ? 1 : 0);
    if (line.startsWith('kubectl config get-contexts')) return answer('', this.contexts.has(argv[3] ?? '') ? 0 : 1);
    this.calls.push(line);
    const failure = [...this.failures].find(([start]) => line.startsWith(start))?.[1];
    if (failure !== undefined) {
      if (failure === 'missing') throw new EnvironmentError('exec/not-run', `${argv[0]} could not be run: ENOENT`);
      return { stdout: '', stderr: failure, exitCode: 1 };
    }
    if (line.startsWith('helm status')) return this.release === '' ? answer('', 1) : answer(`{"info":{"status":"${this.release}"}}`);
    if (line.startsWith('kubectl config use-context')) this.context = argv[3] ?? '';
    if (line.startsWith('kind ')) this.kubeconfigs.push(options?.env?.['KUBECONFIG']);
    if (line.startsWith('kind create cluster')) {
      for (const name of ['demo-control-plane', 'demo-worker']) this.add(name);
    }
    if (/^kind (create cluster|export kubeconfig)/.test(line)) {
      this.contexts.add('kind-demo');
      this.context = 'kind-demo';
    }
    if (line.startsWith('kind delete cluster')) {
      this.removeCluster();
      this.contexts.delete('kind-demo');
      if (this.context === 'kind-demo') this.context = '';
    }
    return answer('');
  };
}
