import { describe, expect, it } from 'vitest';
import { SimulatedClock } from '../../clock/clock.ts';
import { Random } from '../../clock/random.ts';
import type { EndpointSlice, Pod, Service } from '../objects.ts';
import type { ApiClient, KubernetesObject } from '../types.ts';
import { SliceWriter } from './endpoint-slices.ts';
import { type ServicePod, ServiceView } from './service-view.ts';

const service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'default', uid: 'web', creationTimestamp: '', resourceVersion: '1' },
  spec: { ports: [{ port: 80, targetPort: 8080, protocol: 'TCP' }], selector: { app: 'web' }, ipFamilies: ['IPv4'] },
  status: {},
} as unknown as Service;

function pod(index: number): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `web-${index}`, namespace: 'default', uid: `uid-${index}`, creationTimestamp: '', resourceVersion: '1' },
    spec: { nodeName: 'worker', containers: [] },
    status: { phase: 'Running', podIPs: [{ ip: `192.0.2.${index}` }], podIP: `192.0.2.${index}` },
  } as unknown as Pod;
}

/** The slices of one service, and what was done to them. */
class Slices {
  slices: EndpointSlice[] = [];
  actions: string[] = [];
  readonly #writer: SliceWriter;
  readonly #view: ServiceView;

  constructor() {
    const client = {
      get: () => undefined,
      create: (slice: EndpointSlice) => {
        this.slices.push(slice);
        this.actions.push('create');
      },
      update: (slice: EndpointSlice) => {
        this.slices = this.slices.map((each) => (each.metadata.name === slice.metadata.name ? slice : each));
        this.actions.push('update');
      },
      delete: (_resource: string, name: string) => {
        this.slices = this.slices.filter(({ metadata }) => metadata.name !== name);
        this.actions.push('delete');
      },
    } as unknown as ApiClient;
    this.#writer = new SliceWriter(client, new SimulatedClock(0), new Random('slices'));
    this.#view = new ServiceView(client, service);
  }

  /** As if they had come to be with these pods, by number. */
  holding(...slices: readonly (readonly number[])[]): this {
    const { ports } = this.#see([0])[0] as ServicePod;
    this.slices = slices.map((numbers, index) => this.#slice(`web-${index}`, ports, numbers));
    return this;
  }

  sync(pods: readonly number[]): this {
    this.actions = [];
    this.#writer.sync(service, 'IPv4', this.#see(pods), [...this.slices]);
    return this;
  }

  get sizes(): readonly number[] {
    return this.slices.map(({ endpoints }) => endpoints.length);
  }

  #see(pods: readonly number[]): readonly ServicePod[] {
    return this.#view.see(pods.map(pod));
  }

  #slice(name: string, ports: EndpointSlice['ports'], numbers: readonly number[]): EndpointSlice {
    const labels = {
      'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
      'kubernetes.io/service-name': 'web',
    };
    const metadata: KubernetesObject['metadata'] = {
      name,
      namespace: 'default',
      uid: name,
      creationTimestamp: '',
      resourceVersion: '1',
      labels,
    };
    const endpoints = this.#see(numbers).flatMap((each) => each.endpoints.IPv4 ?? []);
    return { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata, addressType: 'IPv4', ports, endpoints } as EndpointSlice;
  }
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);

// Counts as in kubernetes, staging/src/k8s.io/endpointslice/reconciler_test.go (TestReconcileManyPods, …SomePreexisting,
// …SomePreexistingWorseAllocation, …Recycling) and reconciler.go (reconcileByPortMapping).
describe('endpoint slices', () => {
  it('hold a hundred endpoints each', () => {
    const made = new Slices().sync(range(0, 250));
    expect([made.sizes, made.actions]).toEqual([
      [100, 100, 50],
      ['create', 'create', 'create'],
    ]);
  });

  it.each<
    [title: string, before: readonly (readonly number[])[], pods: readonly number[], sizes: readonly number[], actions: readonly string[]]
  >([
    ['that change nothing are left alone', [range(0, 80), range(80, 150)], range(0, 150), [80, 70], []],
    ['the fullest with room for the rest takes it', [range(0, 62), range(62, 123)], range(0, 250), [89, 61, 100], ['update', 'create']],
    [
      'a new one comes where none has room for the rest',
      [range(0, 74), range(74, 148)],
      range(0, 300),
      [74, 74, 100, 52],
      ['create', 'create'],
    ],
    [
      'what comes goes to one that changes anyway',
      [range(0, 50), range(50, 149)],
      [...range(0, 50), ...range(51, 151)],
      [50, 100],
      ['update'],
    ],
    ['one without endpoints goes', [range(0, 50), range(50, 60)], range(0, 50), [50], ['delete']],
    ['the last one stays as a placeholder', [range(0, 5)], [], [0], ['update']],
  ])('%s', (_title, before, pods, sizes, actions) => {
    const slices = new Slices().holding(...before).sync(pods);
    expect([slices.sizes, [...slices.actions].sort()]).toEqual([sizes, [...actions].sort()]);
  });

  it('of other ports are used again for those of the present ones, and the rest goes', () => {
    const slices = new Slices().holding(...Array.from({ length: 10 }, (_, index) => range(30 * index, 30 * index + 30)));
    slices.slices = slices.slices.map((slice) => ({ ...slice, ports: [{ name: '', port: 1, protocol: 'TCP' }] }));
    slices.sync(range(0, 300));
    const count = (action: string) => slices.actions.filter((each) => each === action).length;
    expect([slices.sizes, count('create'), count('update'), count('delete')]).toEqual([[100, 100, 100], 0, 3, 7]);
  });

  it('have no ports where there are no endpoints, and come back to the same slice', () => {
    const slices = new Slices().sync([]);
    expect(slices.slices.map(({ ports, endpoints }) => ({ ports, endpoints }))).toEqual([{ ports: [], endpoints: [] }]);
    const [name] = slices.slices.map(({ metadata }) => metadata.name);
    slices.sync([1]);
    expect(slices.slices.map(({ metadata, endpoints }) => [metadata.name, endpoints.length])).toEqual([[name, 1]]);
  });
});
