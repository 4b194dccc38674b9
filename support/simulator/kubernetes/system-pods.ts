import type { ObjectInput } from './types.ts';

// What kubeadm and kind put into a new cluster.

export interface SystemOptions {
  readonly version: string;
  readonly dnsIps: readonly string[];
  readonly hasKubeProxy: boolean;
  readonly hasKindnet: boolean;
  readonly podSubnets: readonly string[];
  readonly serviceSubnets: readonly string[];
  readonly clusterName: string;
}

const coreDnsTag = 'v1.10.1';
const kindTag = 'v20230511-dc714da8';

export const kindnetImage = 'docker.io/kindest/kindnetd';
export const kubeProxyImage = 'registry.k8s.io/kube-proxy';

/** Images that kind's node image holds. */
export function preloadedImages(version: string): readonly string[] {
  return [
    `${kindnetImage}:${kindTag}`,
    `docker.io/kindest/local-path-provisioner:${kindTag}`,
    `registry.k8s.io/coredns/coredns:${coreDnsTag}`,
    'registry.k8s.io/etcd:3.5.7-0',
    ...['kube-apiserver', 'kube-controller-manager', 'kube-proxy', 'kube-scheduler'].map((name) => `registry.k8s.io/${name}:${version}`),
    'registry.k8s.io/pause:3.7',
  ];
}

/** The static pods of a control plane node; their kubelet adds the node's name. */
export function staticPods(version: string, nodeIp: string): readonly ObjectInput[] {
  const pod = (component: string, image: string, command: readonly string[], cpu: string): ObjectInput => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: component, namespace: 'kube-system', labels: { component, tier: 'control-plane' } },
    spec: {
      hostNetwork: true,
      priorityClassName: 'system-node-critical',
      containers: [{ name: component, image, imagePullPolicy: 'IfNotPresent', command, resources: { requests: { cpu } } }],
      securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
      tolerations: [{ effect: 'NoExecute', operator: 'Exists' }],
    },
  });
  return [
    pod(
      'etcd',
      'registry.k8s.io/etcd:3.5.7-0',
      ['etcd', `--advertise-client-urls=https://${bracketed(nodeIp)}:2379`, '--data-dir=/var/lib/etcd'],
      '100m',
    ),
    pod(
      'kube-apiserver',
      `registry.k8s.io/kube-apiserver:${version}`,
      ['kube-apiserver', `--advertise-address=${nodeIp}`, '--secure-port=6443'],
      '250m',
    ),
    pod(
      'kube-controller-manager',
      `registry.k8s.io/kube-controller-manager:${version}`,
      ['kube-controller-manager', '--allocate-node-cidrs=true'],
      '200m',
    ),
    pod(
      'kube-scheduler',
      `registry.k8s.io/kube-scheduler:${version}`,
      ['kube-scheduler', '--kubeconfig=/etc/kubernetes/scheduler.conf'],
      '100m',
    ),
  ];
}

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

export function systemObjects(options: SystemOptions): readonly ObjectInput[] {
  return [
    ...dns(options),
    ...(options.hasKubeProxy ? kubeProxy(options) : []),
    ...(options.hasKindnet ? kindnet() : []),
    ...localPath(),
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'kubeadm-config', namespace: 'kube-system' },
      data: {
        ClusterConfiguration: `apiVersion: kubeadm.k8s.io/v1beta3\nclusterName: ${options.clusterName}\ncontrolPlaneEndpoint: ${options.clusterName}-control-plane:6443\nkind: ClusterConfiguration\nkubernetesVersion: ${options.version}\nnetworking:\n  dnsDomain: cluster.local\n  podSubnet: ${options.podSubnets.join(',')}\n  serviceSubnet: ${options.serviceSubnets.join(',')}\n`,
      },
    },
  ];
}

function serviceAccount(name: string, namespace: string): ObjectInput {
  return { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } };
}

const corefile = `.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30
    loop
    reload
    loadbalance
}
`;

function dns(options: SystemOptions): readonly ObjectInput[] {
  const labels = { 'k8s-app': 'kube-dns' };
  return [
    serviceAccount('coredns', 'kube-system'),
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'coredns', namespace: 'kube-system' }, data: { Corefile: corefile } },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {
        name: 'kube-dns',
        namespace: 'kube-system',
        labels: { ...labels, 'kubernetes.io/cluster-service': 'true', 'kubernetes.io/name': 'CoreDNS' },
        annotations: { 'prometheus.io/port': '9153', 'prometheus.io/scrape': 'true' },
      },
      spec: {
        clusterIP: options.dnsIps[0],
        clusterIPs: options.dnsIps.slice(0, 1),
        ports: [
          { name: 'dns', port: 53, protocol: 'UDP', targetPort: 53 },
          { name: 'dns-tcp', port: 53, protocol: 'TCP', targetPort: 53 },
          { name: 'metrics', port: 9153, protocol: 'TCP', targetPort: 9153 },
        ],
        selector: labels,
      },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'coredns', namespace: 'kube-system', labels },
      spec: {
        replicas: 2,
        selector: { matchLabels: labels },
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: 1 } },
        template: {
          metadata: { labels },
          spec: {
            affinity: {
              podAntiAffinity: {
                preferredDuringSchedulingIgnoredDuringExecution: [
                  {
                    podAffinityTerm: {
                      labelSelector: { matchExpressions: [{ key: 'k8s-app', operator: 'In', values: ['kube-dns'] }] },
                      topologyKey: 'kubernetes.io/hostname',
                    },
                    weight: 100,
                  },
                ],
              },
            },
            containers: [
              {
                args: ['-conf', '/etc/coredns/Corefile'],
                image: `registry.k8s.io/coredns/coredns:${coreDnsTag}`,
                imagePullPolicy: 'IfNotPresent',
                name: 'coredns',
                livenessProbe: {
                  failureThreshold: 5,
                  httpGet: { path: '/health', port: 8080, scheme: 'HTTP' },
                  initialDelaySeconds: 60,
                  periodSeconds: 10,
                  successThreshold: 1,
                  timeoutSeconds: 5,
                },
                readinessProbe: {
                  failureThreshold: 3,
                  httpGet: { path: '/ready', port: 8181, scheme: 'HTTP' },
                  periodSeconds: 10,
                  successThreshold: 1,
                  timeoutSeconds: 1,
                },
                ports: [
                  { containerPort: 53, name: 'dns', protocol: 'UDP' },
                  { containerPort: 53, name: 'dns-tcp', protocol: 'TCP' },
                  { containerPort: 9153, name: 'metrics', protocol: 'TCP' },
                ],
                resources: { limits: { memory: '170Mi' }, requests: { cpu: '100m', memory: '70Mi' } },
                securityContext: {
                  allowPrivilegeEscalation: false,
                  capabilities: { add: ['NET_BIND_SERVICE'], drop: ['all'] },
                  readOnlyRootFilesystem: true,
                },
                volumeMounts: [{ mountPath: '/etc/coredns', name: 'config-volume', readOnly: true }],
              },
            ],
            dnsPolicy: 'Default',
            nodeSelector: { 'kubernetes.io/os': 'linux' },
            priorityClassName: 'system-cluster-critical',
            serviceAccountName: 'coredns',
            tolerations: [
              { key: 'CriticalAddonsOnly', operator: 'Exists' },
              { effect: 'NoSchedule', key: 'node-role.kubernetes.io/control-plane' },
            ],
            volumes: [{ configMap: { items: [{ key: 'Corefile', path: 'Corefile' }], name: 'coredns' }, name: 'config-volume' }],
          },
        },
      },
    },
  ];
}

function daemon(
  name: string,
  labels: Readonly<Record<string, string>>,
  selector: Readonly<Record<string, string>>,
  image: string,
  command: readonly string[],
  account: string,
): ObjectInput {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name, namespace: 'kube-system', labels },
    spec: {
      selector: { matchLabels: selector },
      template: {
        metadata: { labels },
        spec: {
          containers: [
            {
              name: name === 'kindnet' ? 'kindnet-cni' : name,
              image,
              imagePullPolicy: 'IfNotPresent',
              command,
              env: [{ name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }],
              securityContext: { privileged: true },
            },
          ],
          hostNetwork: true,
          nodeSelector: { 'kubernetes.io/os': 'linux' },
          priorityClassName: 'system-node-critical',
          serviceAccountName: account,
          tolerations: [{ operator: 'Exists' }],
        },
      },
    },
  };
}

function kubeProxy(options: SystemOptions): readonly ObjectInput[] {
  const labels = { 'k8s-app': 'kube-proxy' };
  return [
    serviceAccount('kube-proxy', 'kube-system'),
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'kube-proxy', namespace: 'kube-system', labels: { app: 'kube-proxy' } },
      data: {
        'config.conf': `apiVersion: kubeproxy.config.k8s.io/v1alpha1\nclusterCIDR: ${options.podSubnets.join(',')}\nkind: KubeProxyConfiguration\nmode: iptables\n`,
      },
    },
    daemon(
      'kube-proxy',
      labels,
      labels,
      `${kubeProxyImage}:${options.version}`,
      ['/usr/local/bin/kube-proxy', '--config=/var/lib/kube-proxy/config.conf', '--hostname-override=$(NODE_NAME)'],
      'kube-proxy',
    ),
  ];
}

function kindnet(): readonly ObjectInput[] {
  return [
    serviceAccount('kindnet', 'kube-system'),
    daemon(
      'kindnet',
      { app: 'kindnet', 'k8s-app': 'kindnet', tier: 'node' },
      { app: 'kindnet' },
      `${kindnetImage}:${kindTag}`,
      ['/bin/kindnetd'],
      'kindnet',
    ),
  ];
}

function localPath(): readonly ObjectInput[] {
  const namespace = 'local-path-storage';
  const labels = { app: 'local-path-provisioner' };
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    serviceAccount('local-path-provisioner-service-account', namespace),
    {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: { name: 'standard', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
      provisioner: 'rancher.io/local-path',
      reclaimPolicy: 'Delete',
      volumeBindingMode: 'WaitForFirstConsumer',
    },
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'local-path-config', namespace },
      data: {
        'config.json':
          '{\n        "nodePathMap":[\n        {\n                "node":"DEFAULT_PATH_FOR_NON_LISTED_NODES",\n                "paths":["/var/local-path-provisioner"]\n        }\n        ]\n}',
      },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'local-path-provisioner', namespace },
      spec: {
        replicas: 1,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            containers: [
              {
                command: [
                  'local-path-provisioner',
                  '--debug',
                  'start',
                  '--helper-image',
                  'docker.io/kindest/local-path-helper:v20230510-486859a6',
                  '--config',
                  '/etc/config/config.json',
                ],
                env: [{ name: 'POD_NAMESPACE', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } }],
                image: `docker.io/kindest/local-path-provisioner:${kindTag}`,
                imagePullPolicy: 'IfNotPresent',
                name: 'local-path-provisioner',
                volumeMounts: [{ mountPath: '/etc/config/', name: 'config-volume' }],
              },
            ],
            nodeSelector: { 'kubernetes.io/os': 'linux' },
            serviceAccountName: 'local-path-provisioner-service-account',
            tolerations: [
              { effect: 'NoSchedule', key: 'node-role.kubernetes.io/control-plane', operator: 'Equal' },
              { effect: 'NoSchedule', key: 'node-role.kubernetes.io/master', operator: 'Equal' },
            ],
            volumes: [{ configMap: { name: 'local-path-config' }, name: 'config-volume' }],
          },
        },
      },
    },
  ];
}
