import type { ContainerSpec, PodSpec } from '../../kubernetes/objects.ts';
import type { ObjectInput } from '../../kubernetes/types.ts';
import { ciliumNamespace } from '../objects.ts';
import type { CiliumVersion } from '../types.ts';
import { imagesOf } from '../version.ts';
import { isEnvoyDaemonSet } from './config-features.ts';
import type { HelmValues } from './values.ts';

type Labels = Readonly<Record<string, string>>;

const namespace = ciliumNamespace;
const everywhere = [{ operator: 'Exists' as const }];
const onLinux = { 'kubernetes.io/os': 'linux' };

/** Pods with these labels repel each other from a node. */
const apart = (labels: Labels) => ({
  podAntiAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: [{ labelSelector: { matchLabels: labels }, topologyKey: 'kubernetes.io/hostname' }],
  },
});

interface Workload {
  readonly name: string;
  readonly labels: Labels;
  readonly selector: Labels;
  readonly annotations?: Labels;
  readonly pod: PodSpec;
}

const daemonSet = ({ name, labels, selector, annotations, pod }: Workload, maxUnavailable: number): ObjectInput => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name, namespace, labels },
  spec: {
    selector: { matchLabels: selector },
    template: { metadata: { labels, ...(annotations === undefined ? {} : { annotations }) }, spec: pod },
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable } },
  },
});

const deployment = (
  { name, labels, selector, annotations, pod }: Workload,
  replicas: number,
  rollingUpdate: Readonly<Record<string, number | string>>,
): ObjectInput => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace, labels },
  spec: {
    replicas,
    selector: { matchLabels: selector },
    strategy: { type: 'RollingUpdate', rollingUpdate },
    template: { metadata: { labels, ...(annotations === undefined ? {} : { annotations }) }, spec: pod },
  },
});

const service = (name: string, labels: Labels, spec: Readonly<Record<string, unknown>>): ObjectInput => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace, labels },
  spec,
});

const apiServerEnv = (values: HelmValues) => [
  ...(values.k8sServiceHost === '' ? [] : [{ name: 'KUBERNETES_SERVICE_HOST', value: values.k8sServiceHost }]),
  ...(values.k8sServicePort === '' ? [] : [{ name: 'KUBERNETES_SERVICE_PORT', value: String(values.k8sServicePort) }]),
];

const partOf = { 'app.kubernetes.io/part-of': 'cilium' };

function agentPod(values: HelmValues, image: string): PodSpec {
  const env = [
    { name: 'K8S_NODE_NAME', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'spec.nodeName' } } },
    { name: 'CILIUM_K8S_NAMESPACE', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } } },
    { name: 'CILIUM_CLUSTERMESH_CONFIG', value: '/var/lib/cilium/clustermesh/' },
    ...apiServerEnv(values),
  ];
  const agent: ContainerSpec = {
    name: 'cilium-agent',
    image,
    imagePullPolicy: 'IfNotPresent',
    command: ['cilium-agent'],
    args: ['--config-dir=/tmp/cilium/config-map'],
    env,
    ports: [
      ...(values.hubble.enabled ? [{ name: 'peer-service', containerPort: 4244, hostPort: 4244, protocol: 'TCP' as const }] : []),
      ...(values.prometheus.enabled
        ? [{ name: 'prometheus', containerPort: values.prometheus.port, hostPort: values.prometheus.port, protocol: 'TCP' as const }]
        : []),
    ],
    securityContext: {
      capabilities: {
        add: [
          'CHOWN',
          'KILL',
          'NET_ADMIN',
          'NET_RAW',
          'IPC_LOCK',
          'SYS_MODULE',
          'SYS_ADMIN',
          'SYS_RESOURCE',
          'DAC_OVERRIDE',
          'FOWNER',
          'SETGID',
          'SETUID',
        ],
      },
    },
  };
  return {
    affinity: apart({ 'k8s-app': 'cilium' }),
    containers: [agent],
    hostNetwork: true,
    nodeSelector: onLinux,
    priorityClassName: 'system-node-critical',
    restartPolicy: 'Always',
    serviceAccountName: 'cilium',
    terminationGracePeriodSeconds: 1,
    tolerations: everywhere,
    volumes: [{ name: 'cilium-run', hostPath: { path: '/var/run/cilium', type: 'DirectoryOrCreate' } }],
  };
}

function workloads(values: HelmValues, version: CiliumVersion): readonly ObjectInput[] {
  const images = imagesOf(version);
  const agentImage = values.image.tag === null ? images.agent : `${values.image.repository}:${values.image.tag}`;
  const agentLabels = { 'app.kubernetes.io/name': 'cilium-agent', ...partOf, 'k8s-app': 'cilium' };
  const result: ObjectInput[] = [
    daemonSet({ name: 'cilium', labels: agentLabels, selector: { 'k8s-app': 'cilium' }, pod: agentPod(values, agentImage) }, 2),
  ];
  if (isEnvoyDaemonSet(values)) {
    result.push(
      daemonSet(
        {
          name: 'cilium-envoy',
          labels: { 'app.kubernetes.io/name': 'cilium-envoy', ...partOf, 'k8s-app': 'cilium-envoy', name: 'cilium-envoy' },
          selector: { 'k8s-app': 'cilium-envoy' },
          pod: {
            affinity: {
              ...apart({ 'k8s-app': 'cilium-envoy' }),
              podAffinity: {
                requiredDuringSchedulingIgnoredDuringExecution: [
                  { labelSelector: { matchLabels: { 'k8s-app': 'cilium' } }, topologyKey: 'kubernetes.io/hostname' },
                ],
              },
            },
            containers: [
              {
                name: 'cilium-envoy',
                image: images.envoy,
                imagePullPolicy: 'IfNotPresent',
                command: ['/usr/bin/cilium-envoy-starter'],
                ports: [{ name: 'envoy-metrics', containerPort: 9964, hostPort: 9964, protocol: 'TCP' }],
              },
            ],
            hostNetwork: true,
            nodeSelector: onLinux,
            priorityClassName: 'system-node-critical',
            restartPolicy: 'Always',
            serviceAccountName: 'cilium-envoy',
            terminationGracePeriodSeconds: 1,
            tolerations: everywhere,
          },
        },
        2,
      ),
    );
  }
  if (values.operator.enabled) {
    const operatorLabels = { 'app.kubernetes.io/name': 'cilium-operator', ...partOf, 'io.cilium/app': 'operator', name: 'cilium-operator' };
    result.push(
      deployment(
        {
          name: 'cilium-operator',
          labels: operatorLabels,
          selector: { 'io.cilium/app': 'operator', name: 'cilium-operator' },
          ...(values.operator.prometheus.enabled
            ? { annotations: { 'prometheus.io/port': String(values.operator.prometheus.port), 'prometheus.io/scrape': 'true' } }
            : {}),
          pod: {
            affinity: apart({ 'io.cilium/app': 'operator' }),
            containers: [
              {
                name: 'cilium-operator',
                image: images.operator,
                imagePullPolicy: 'IfNotPresent',
                command: ['cilium-operator-generic'],
                args: ['--config-dir=/tmp/cilium/config-map', '--debug=$(CILIUM_DEBUG)'],
                env: [
                  { name: 'K8S_NODE_NAME', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'spec.nodeName' } } },
                  { name: 'CILIUM_K8S_NAMESPACE', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } } },
                  ...apiServerEnv(values),
                ],
                ...(values.operator.prometheus.enabled
                  ? {
                      ports: [
                        {
                          name: 'prometheus',
                          containerPort: values.operator.prometheus.port,
                          hostPort: values.operator.prometheus.port,
                          protocol: 'TCP',
                        },
                      ],
                    }
                  : {}),
              },
            ],
            hostNetwork: true,
            nodeSelector: onLinux,
            priorityClassName: 'system-cluster-critical',
            restartPolicy: 'Always',
            serviceAccountName: 'cilium-operator',
            tolerations: everywhere,
          },
        },
        values.operator.replicas,
        // One replica may be recreated in place, several are replaced half by half.
        values.operator.replicas === 1 ? { maxSurge: '25%', maxUnavailable: '100%' } : { maxSurge: '25%', maxUnavailable: '50%' },
      ),
    );
  }
  if (hasRelay(values)) {
    result.push(
      deployment(
        {
          name: 'hubble-relay',
          labels: { 'app.kubernetes.io/name': 'hubble-relay', ...partOf, 'k8s-app': 'hubble-relay' },
          selector: { 'k8s-app': 'hubble-relay' },
          pod: {
            affinity: {
              podAffinity: {
                requiredDuringSchedulingIgnoredDuringExecution: [
                  { labelSelector: { matchLabels: { 'k8s-app': 'cilium' } }, topologyKey: 'kubernetes.io/hostname' },
                ],
              },
            },
            containers: [
              {
                name: 'hubble-relay',
                image: images.relay,
                imagePullPolicy: 'IfNotPresent',
                command: ['hubble-relay'],
                args: ['serve'],
                ports: [{ name: 'grpc', containerPort: 4245, protocol: 'TCP' }],
              },
            ],
            nodeSelector: onLinux,
            restartPolicy: 'Always',
            serviceAccountName: 'hubble-relay',
            terminationGracePeriodSeconds: 1,
          },
        },
        values.hubble.relay.replicas,
        { maxUnavailable: 1 },
      ),
    );
  }
  if (hasUi(values)) {
    result.push(
      deployment(
        {
          name: 'hubble-ui',
          labels: { 'app.kubernetes.io/name': 'hubble-ui', ...partOf, 'k8s-app': 'hubble-ui' },
          selector: { 'k8s-app': 'hubble-ui' },
          pod: {
            containers: [
              {
                name: 'frontend',
                image: images.ui,
                imagePullPolicy: 'IfNotPresent',
                ports: [{ name: 'http', containerPort: 8081, protocol: 'TCP' }],
              },
              {
                name: 'backend',
                image: images.uiBackend,
                imagePullPolicy: 'IfNotPresent',
                env: [
                  { name: 'EVENTS_SERVER_PORT', value: '8090' },
                  { name: 'FLOWS_API_ADDR', value: 'hubble-relay:80' },
                ],
                ports: [{ name: 'grpc', containerPort: 8090, protocol: 'TCP' }],
              },
            ],
            nodeSelector: onLinux,
            restartPolicy: 'Always',
            serviceAccountName: 'hubble-ui',
          },
        },
        values.hubble.ui.replicas,
        { maxUnavailable: 1 },
      ),
    );
  }
  return result;
}

/** The chart installs relay and UI only with Hubble itself. */
export const hasRelay = (values: HelmValues): boolean => values.hubble.enabled && values.hubble.relay.enabled;
export const hasUi = (values: HelmValues): boolean => values.hubble.enabled && values.hubble.ui.enabled;

/**
 * Everything but the ConfigMap that `helm install cilium` creates, in Helm's order of kinds. RBAC objects are left
 * out: the simulated API server authorises everybody. Pods carry no init containers: what these do to a host
 * (mounts, sysctls, files of the CNI plugin) the agent's program does itself.
 */
export function renderObjects(values: HelmValues, version: CiliumVersion): readonly ObjectInput[] {
  const account = (name: string): ObjectInput => ({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } });
  const accounts = ['cilium'];
  if (isEnvoyDaemonSet(values)) accounts.push('cilium-envoy');
  if (values.operator.enabled) accounts.push('cilium-operator');
  if (hasRelay(values)) accounts.push('hubble-relay');
  if (hasUi(values)) accounts.push('hubble-ui');
  const services: ObjectInput[] = [];
  if (isEnvoyDaemonSet(values)) {
    services.push(
      service(
        'cilium-envoy',
        { 'app.kubernetes.io/name': 'cilium-envoy', ...partOf, 'io.cilium/app': 'proxy', 'k8s-app': 'cilium-envoy' },
        {
          clusterIP: 'None',
          ports: [{ name: 'envoy-metrics', port: 9964, protocol: 'TCP', targetPort: 'envoy-metrics' }],
          selector: { 'k8s-app': 'cilium-envoy' },
          type: 'ClusterIP',
        },
      ),
    );
  }
  if (values.hubble.enabled) {
    services.push(
      service(
        'hubble-peer',
        { 'app.kubernetes.io/name': 'hubble-peer', ...partOf, 'k8s-app': 'cilium' },
        {
          internalTrafficPolicy: 'Local',
          ports: [{ name: 'peer-service', port: values.hubble.tls.enabled ? 443 : 80, protocol: 'TCP', targetPort: 4244 }],
          selector: { 'k8s-app': 'cilium' },
        },
      ),
    );
  }
  if (hasRelay(values)) {
    services.push(
      service(
        'hubble-relay',
        { 'app.kubernetes.io/name': 'hubble-relay', ...partOf, 'k8s-app': 'hubble-relay' },
        { ports: [{ port: 80, protocol: 'TCP', targetPort: 'grpc' }], selector: { 'k8s-app': 'hubble-relay' }, type: 'ClusterIP' },
      ),
    );
  }
  if (hasUi(values)) {
    const { type, nodePort } = values.hubble.ui.service;
    services.push(
      service(
        'hubble-ui',
        { 'app.kubernetes.io/name': 'hubble-ui', ...partOf, 'k8s-app': 'hubble-ui' },
        {
          ports: [{ name: 'http', port: 80, targetPort: 8081, ...(type === 'NodePort' ? { nodePort } : {}) }],
          selector: { 'k8s-app': 'hubble-ui' },
          type,
        },
      ),
    );
  }
  return [...accounts.map(account), ...services, ...workloads(values, version)];
}
