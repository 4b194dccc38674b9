/**
 * The fields of the built-in types (Kubernetes 1.27 `k8s.io/api`), for strict decoding, `omitempty` and patch merge keys.
 *
 * Notation: `name:type`. `s` string, `i` int32, `l` int64, `f` float64, `b` bool, `ios` IntOrString, `q` quantity, `t` time,
 * `bytes`, `any`, `[T]` list, `{T}` map with string keys, a capital letter begins another struct. `*` is a pointer (zero values are
 * kept), `!` has no `omitempty`. `[T@key,…]` is a list merged by key (the first is the strategic merge key, all of them identify an
 * item for server-side apply), `[s@]` a set of values.
 */
const definitions = `
ObjectMeta name:s generateName:s namespace:s selfLink:s uid:s resourceVersion:s generation:l creationTimestamp:*t deletionTimestamp:*t deletionGracePeriodSeconds:*l labels:{s} annotations:{s} ownerReferences:[OwnerReference@uid] finalizers:[s@] managedFields:[any]
OwnerReference apiVersion:s! kind:s! name:s! uid:s! controller:*b blockOwnerDeletion:*b
LabelSelector matchLabels:{s} matchExpressions:[LabelSelectorRequirement]
LabelSelectorRequirement key:s! operator:s! values:[s]
Condition type:s! status:s! observedGeneration:l lastProbeTime:*t lastHeartbeatTime:*t lastUpdateTime:*t lastTransitionTime:*t reason:s message:s
ObjectReference kind:s namespace:s name:s uid:s apiVersion:s resourceVersion:s fieldPath:s
LocalObjectReference name:s
Namespace metadata:ObjectMeta spec:NamespaceSpec status:NamespaceStatus
NamespaceSpec finalizers:[s]
NamespaceStatus phase:s conditions:[Condition@type]
Node metadata:ObjectMeta spec:NodeSpec status:NodeStatus
NodeSpec podCIDR:s podCIDRs:[s@] providerID:s unschedulable:b taints:[Taint] configSource:any externalID:s
Taint key:s! value:s effect:s! timeAdded:*t
NodeStatus capacity:{q} allocatable:{q} phase:s conditions:[Condition@type] addresses:[NodeAddress@type] daemonEndpoints:any nodeInfo:any images:[any] volumesInUse:[s] volumesAttached:[any] config:any
NodeAddress type:s! address:s!
Pod metadata:ObjectMeta spec:PodSpec status:PodStatus
PodTemplateSpec metadata:ObjectMeta spec:PodSpec
PodSpec volumes:[Volume@name] initContainers:[Container@name] containers:[Container@name]! ephemeralContainers:[any] restartPolicy:s terminationGracePeriodSeconds:*l activeDeadlineSeconds:*l dnsPolicy:s nodeSelector:{s} serviceAccountName:s serviceAccount:s automountServiceAccountToken:*b nodeName:s hostNetwork:b hostPID:b hostIPC:b shareProcessNamespace:*b securityContext:*PodSecurityContext imagePullSecrets:[LocalObjectReference@name] hostname:s subdomain:s affinity:*Affinity schedulerName:s tolerations:[Toleration] hostAliases:[HostAlias@ip] priorityClassName:s priority:*i dnsConfig:*PodDNSConfig readinessGates:[PodReadinessGate] runtimeClassName:*s enableServiceLinks:*b preemptionPolicy:*s overhead:{q} topologySpreadConstraints:[TopologySpreadConstraint@topologyKey,whenUnsatisfiable] setHostnameAsFQDN:*b os:*PodOS hostUsers:*b schedulingGates:[PodSchedulingGate@name] resourceClaims:[any]
PodOS name:s!
PodSchedulingGate name:s!
PodReadinessGate conditionType:s!
PodDNSConfig nameservers:[s] searches:[s] options:[PodDNSConfigOption]
PodDNSConfigOption name:s value:*s
HostAlias ip:s hostnames:[s]
Toleration key:s operator:s value:s effect:s tolerationSeconds:*l
TopologySpreadConstraint maxSkew:i! topologyKey:s! whenUnsatisfiable:s! labelSelector:*LabelSelector minDomains:*i nodeAffinityPolicy:*s nodeTaintsPolicy:*s matchLabelKeys:[s]
Affinity nodeAffinity:*NodeAffinity podAffinity:*PodAffinity podAntiAffinity:*PodAffinity
NodeAffinity requiredDuringSchedulingIgnoredDuringExecution:*NodeSelector preferredDuringSchedulingIgnoredDuringExecution:[PreferredSchedulingTerm]
NodeSelector nodeSelectorTerms:[NodeSelectorTerm]!
NodeSelectorTerm matchExpressions:[LabelSelectorRequirement] matchFields:[LabelSelectorRequirement]
PreferredSchedulingTerm weight:i! preference:NodeSelectorTerm
PodAffinity requiredDuringSchedulingIgnoredDuringExecution:[PodAffinityTerm] preferredDuringSchedulingIgnoredDuringExecution:[WeightedPodAffinityTerm]
PodAffinityTerm labelSelector:*LabelSelector namespaces:[s] topologyKey:s! namespaceSelector:*LabelSelector
WeightedPodAffinityTerm weight:i! podAffinityTerm:PodAffinityTerm
PodSecurityContext seLinuxOptions:any windowsOptions:any runAsUser:*l runAsGroup:*l runAsNonRoot:*b supplementalGroups:[l] fsGroup:*l sysctls:[Sysctl] fsGroupChangePolicy:*s seccompProfile:any
Sysctl name:s! value:s!
Container name:s! image:s command:[s] args:[s] workingDir:s ports:[ContainerPort@containerPort,protocol] envFrom:[EnvFromSource] env:[EnvVar@name] resources:ResourceRequirements resizePolicy:[any] volumeMounts:[VolumeMount@mountPath] volumeDevices:[any] livenessProbe:*Probe readinessProbe:*Probe startupProbe:*Probe lifecycle:*Lifecycle terminationMessagePath:s terminationMessagePolicy:s imagePullPolicy:s securityContext:*SecurityContext stdin:b stdinOnce:b tty:b
ContainerPort name:s hostPort:i containerPort:i! protocol:s hostIP:s
EnvVar name:s! value:s valueFrom:*EnvVarSource
EnvVarSource fieldRef:*ObjectFieldSelector resourceFieldRef:*ResourceFieldSelector configMapKeyRef:*KeySelector secretKeyRef:*KeySelector
ObjectFieldSelector apiVersion:s fieldPath:s!
ResourceFieldSelector containerName:s resource:s! divisor:any
KeySelector name:s key:s! optional:*b
EnvFromSource prefix:s configMapRef:*OptionalReference secretRef:*OptionalReference
OptionalReference name:s optional:*b
ResourceRequirements limits:{q} requests:{q} claims:[any]
VolumeMount name:s! readOnly:b mountPath:s! subPath:s mountPropagation:*s subPathExpr:s
Probe exec:*ExecAction httpGet:*HTTPGetAction tcpSocket:*TCPSocketAction grpc:*GRPCAction initialDelaySeconds:i timeoutSeconds:i periodSeconds:i successThreshold:i failureThreshold:i terminationGracePeriodSeconds:*l
ExecAction command:[s]
HTTPGetAction path:s port:ios! host:s scheme:s httpHeaders:[HTTPHeader]
HTTPHeader name:s! value:s!
TCPSocketAction port:ios! host:s
GRPCAction port:i! service:*s
Lifecycle postStart:*LifecycleHandler preStop:*LifecycleHandler
LifecycleHandler exec:*ExecAction httpGet:*HTTPGetAction tcpSocket:*TCPSocketAction
SecurityContext capabilities:*Capabilities privileged:*b seLinuxOptions:any windowsOptions:any runAsUser:*l runAsGroup:*l runAsNonRoot:*b readOnlyRootFilesystem:*b allowPrivilegeEscalation:*b procMount:*s seccompProfile:any
Capabilities add:[s] drop:[s]
Volume name:s! hostPath:*HostPathVolumeSource emptyDir:*EmptyDirVolumeSource secret:*SecretVolumeSource configMap:*ConfigMapVolumeSource projected:*ProjectedVolumeSource downwardAPI:*DownwardAPIVolumeSource persistentVolumeClaim:*PersistentVolumeClaimVolumeSource csi:any nfs:any ephemeral:any iscsi:any glusterfs:any cephfs:any rbd:any gitRepo:any fc:any azureFile:any azureDisk:any awsElasticBlockStore:any gcePersistentDisk:any flexVolume:any flocker:any quobyte:any vsphereVolume:any photonPersistentDisk:any portworxVolume:any scaleIO:any storageos:any cinder:any
HostPathVolumeSource path:s! type:*s
EmptyDirVolumeSource medium:s sizeLimit:any
SecretVolumeSource secretName:s items:[KeyToPath] defaultMode:*i optional:*b
ConfigMapVolumeSource name:s items:[KeyToPath] defaultMode:*i optional:*b
KeyToPath key:s! path:s! mode:*i
ProjectedVolumeSource sources:[VolumeProjection]! defaultMode:*i
VolumeProjection secret:*ConfigMapVolumeSource configMap:*ConfigMapVolumeSource downwardAPI:*DownwardAPIVolumeSource serviceAccountToken:*ServiceAccountTokenProjection
ServiceAccountTokenProjection audience:s expirationSeconds:*l path:s!
DownwardAPIVolumeSource items:[DownwardAPIVolumeFile] defaultMode:*i
DownwardAPIVolumeFile path:s! fieldRef:*ObjectFieldSelector resourceFieldRef:*ResourceFieldSelector mode:*i
PersistentVolumeClaimVolumeSource claimName:s! readOnly:b
PodStatus phase:s conditions:[Condition@type] message:s reason:s nominatedNodeName:s hostIP:s podIP:s podIPs:[PodIP@ip] startTime:*t initContainerStatuses:[any] containerStatuses:[any] qosClass:s ephemeralContainerStatuses:[any] resize:s
PodIP ip:s
Service metadata:ObjectMeta spec:ServiceSpec status:ServiceStatus
ServiceSpec ports:[ServicePort@port,protocol] selector:{s} clusterIP:s clusterIPs:[s] type:s externalIPs:[s] sessionAffinity:s loadBalancerIP:s loadBalancerSourceRanges:[s] externalName:s externalTrafficPolicy:s healthCheckNodePort:i publishNotReadyAddresses:b sessionAffinityConfig:*SessionAffinityConfig ipFamilies:[s] ipFamilyPolicy:*s allocateLoadBalancerNodePorts:*b loadBalancerClass:*s internalTrafficPolicy:*s
ServicePort name:s protocol:s appProtocol:*s port:i! targetPort:ios nodePort:i
SessionAffinityConfig clientIP:*ClientIPConfig
ClientIPConfig timeoutSeconds:*i
ServiceStatus loadBalancer:LoadBalancerStatus conditions:[Condition@type]
LoadBalancerStatus ingress:[LoadBalancerIngress]
LoadBalancerIngress ip:s hostname:s ports:[any]
Endpoints metadata:ObjectMeta subsets:[EndpointSubset]
EndpointSubset addresses:[EndpointAddress] notReadyAddresses:[EndpointAddress] ports:[EndpointPort]
EndpointAddress ip:s! hostname:s nodeName:*s targetRef:*ObjectReference
EndpointPort name:s port:i! protocol:s appProtocol:*s
EndpointSlice metadata:ObjectMeta addressType:s! endpoints:[Endpoint]! ports:[DiscoveryEndpointPort]!
Endpoint addresses:[s]! conditions:EndpointConditions hostname:*s targetRef:*ObjectReference deprecatedTopology:{s} nodeName:*s zone:*s hints:any
EndpointConditions ready:*b serving:*b terminating:*b
DiscoveryEndpointPort name:*s protocol:*s port:*i appProtocol:*s
Deployment metadata:ObjectMeta spec:DeploymentSpec status:any
DeploymentSpec replicas:*i selector:*LabelSelector! template:PodTemplateSpec strategy:DeploymentStrategy minReadySeconds:i revisionHistoryLimit:*i paused:b progressDeadlineSeconds:*i
DeploymentStrategy type:s rollingUpdate:*RollingUpdate
RollingUpdate maxUnavailable:ios maxSurge:ios partition:*i
ReplicaSet metadata:ObjectMeta spec:ReplicaSetSpec status:any
ReplicaSetSpec replicas:*i minReadySeconds:i selector:*LabelSelector! template:PodTemplateSpec
DaemonSet metadata:ObjectMeta spec:DaemonSetSpec status:any
DaemonSetSpec selector:*LabelSelector! template:PodTemplateSpec updateStrategy:UpdateStrategy minReadySeconds:i revisionHistoryLimit:*i
UpdateStrategy type:s rollingUpdate:*RollingUpdate
StatefulSet metadata:ObjectMeta spec:StatefulSetSpec status:any
StatefulSetSpec replicas:*i selector:*LabelSelector! template:PodTemplateSpec volumeClaimTemplates:[any] serviceName:s! podManagementPolicy:s updateStrategy:UpdateStrategy revisionHistoryLimit:*i minReadySeconds:i persistentVolumeClaimRetentionPolicy:any ordinals:any
ControllerRevision metadata:ObjectMeta data:any revision:l!
Job metadata:ObjectMeta spec:JobSpec status:any
JobSpec parallelism:*i completions:*i activeDeadlineSeconds:*l podFailurePolicy:any backoffLimit:*i selector:*LabelSelector manualSelector:*b template:PodTemplateSpec ttlSecondsAfterFinished:*i completionMode:*s suspend:*b
CronJob metadata:ObjectMeta spec:CronJobSpec status:any
CronJobSpec schedule:s! timeZone:*s startingDeadlineSeconds:*l concurrencyPolicy:s suspend:*b jobTemplate:JobTemplateSpec successfulJobsHistoryLimit:*i failedJobsHistoryLimit:*i
JobTemplateSpec metadata:ObjectMeta spec:JobSpec
ConfigMap metadata:ObjectMeta immutable:*b data:{s} binaryData:{bytes}
Secret metadata:ObjectMeta immutable:*b data:{bytes} stringData:{s} type:s
ServiceAccount metadata:ObjectMeta secrets:[ObjectReference@name] imagePullSecrets:[LocalObjectReference@name] automountServiceAccountToken:*b
Event metadata:ObjectMeta involvedObject:ObjectReference reason:s message:s source:EventSource firstTimestamp:*t lastTimestamp:*t count:i type:s eventTime:*t series:any action:s related:*ObjectReference reportingComponent:s! reportingInstance:s!
EventSource component:s host:s
Lease metadata:ObjectMeta spec:LeaseSpec
LeaseSpec holderIdentity:*s leaseDurationSeconds:*i acquireTime:*t renewTime:*t leaseTransitions:*i
CustomResourceDefinition metadata:ObjectMeta spec:CustomResourceDefinitionSpec status:any
CustomResourceDefinitionSpec group:s! names:CustomResourceDefinitionNames scope:s! versions:[CustomResourceDefinitionVersion]! conversion:any preserveUnknownFields:b
CustomResourceDefinitionNames plural:s! singular:s shortNames:[s] kind:s! listKind:s categories:[s]
CustomResourceDefinitionVersion name:s! served:b! storage:b! deprecated:b deprecationWarning:*s schema:any subresources:any additionalPrinterColumns:[CustomResourceColumnDefinition]
CustomResourceColumnDefinition name:s! type:s! format:s description:s priority:i jsonPath:s!
NetworkPolicy metadata:ObjectMeta spec:NetworkPolicySpec status:any
NetworkPolicySpec podSelector:LabelSelector ingress:[NetworkPolicyIngressRule] egress:[NetworkPolicyEgressRule] policyTypes:[s]
NetworkPolicyIngressRule ports:[NetworkPolicyPort] from:[NetworkPolicyPeer]
NetworkPolicyEgressRule ports:[NetworkPolicyPort] to:[NetworkPolicyPeer]
NetworkPolicyPort protocol:*s port:ios endPort:*i
NetworkPolicyPeer podSelector:*LabelSelector namespaceSelector:*LabelSelector ipBlock:*IPBlock
IPBlock cidr:s! except:[s]
Ingress metadata:ObjectMeta spec:IngressSpec status:any
IngressSpec ingressClassName:*s defaultBackend:any tls:[any] rules:[any]
IngressClass metadata:ObjectMeta spec:any
Role metadata:ObjectMeta rules:[PolicyRule]!
ClusterRole metadata:ObjectMeta rules:[PolicyRule]! aggregationRule:any
PolicyRule verbs:[s]! apiGroups:[s] resources:[s] resourceNames:[s] nonResourceURLs:[s]
RoleBinding metadata:ObjectMeta subjects:[Subject] roleRef:RoleRef
ClusterRoleBinding metadata:ObjectMeta subjects:[Subject] roleRef:RoleRef
Subject kind:s! apiGroup:s name:s! namespace:s
RoleRef apiGroup:s! kind:s! name:s!
StorageClass metadata:ObjectMeta provisioner:s! parameters:{s} reclaimPolicy:*s mountOptions:[s] allowVolumeExpansion:*b volumeBindingMode:*s allowedTopologies:[any]
PriorityClass metadata:ObjectMeta value:i! globalDefault:b description:s preemptionPolicy:*s
PodDisruptionBudget metadata:ObjectMeta spec:PodDisruptionBudgetSpec status:any
PodDisruptionBudgetSpec minAvailable:ios selector:*LabelSelector maxUnavailable:ios unhealthyPodEvictionPolicy:*s
LimitRange metadata:ObjectMeta spec:any
ResourceQuota metadata:ObjectMeta spec:any status:any
PersistentVolumeClaim metadata:ObjectMeta spec:any status:any
PersistentVolume metadata:ObjectMeta spec:any status:any
HorizontalPodAutoscaler metadata:ObjectMeta spec:any status:any
ReplicationController metadata:ObjectMeta spec:any status:any
RuntimeClass metadata:ObjectMeta handler:s! overhead:any scheduling:any
`;

export type Type =
  | { readonly kind: 'string' | 'int32' | 'int64' | 'float64' | 'bool' | 'intstr' | 'quantity' | 'time' | 'bytes' | 'any' }
  | { readonly kind: 'struct'; readonly name: string }
  | { readonly kind: 'list'; readonly item: Type; readonly keys: readonly string[] | undefined; readonly isSet: boolean }
  | { readonly kind: 'map'; readonly value: Type };

export interface Field {
  readonly type: Type;
  readonly isPointer: boolean;
  readonly keepsEmpty: boolean;
}

export type Struct = ReadonlyMap<string, Field>;

const scalars: Readonly<Record<string, Type>> = {
  s: { kind: 'string' },
  i: { kind: 'int32' },
  l: { kind: 'int64' },
  f: { kind: 'float64' },
  b: { kind: 'bool' },
  ios: { kind: 'intstr' },
  q: { kind: 'quantity' },
  t: { kind: 'time' },
  bytes: { kind: 'bytes' },
  any: { kind: 'any' },
};

let lines: ReadonlyMap<string, string> | undefined;
const structs = new Map<string, Struct>();

/** A struct by its Go name; parsed at its first use. */
export function structOf(name: string): Struct | undefined {
  const known = structs.get(name);
  if (known !== undefined) return known;
  lines ??= new Map(
    definitions
      .trim()
      .split('\n')
      .map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]),
  );
  const line = lines.get(name);
  if (line === undefined) return undefined;
  const struct = new Map(
    line.split(' ').map((part) => {
      const colon = part.indexOf(':');
      return [part.slice(0, colon), fieldOf(part.slice(colon + 1))];
    }),
  );
  structs.set(name, struct);
  return struct;
}

function fieldOf(text: string): Field {
  const keepsEmpty = text.endsWith('!');
  const isPointer = text.startsWith('*');
  return { type: typeOf(text.slice(isPointer ? 1 : 0, keepsEmpty ? -1 : undefined)), isPointer, keepsEmpty };
}

function typeOf(text: string): Type {
  if (text.startsWith('{')) return { kind: 'map', value: typeOf(text.slice(1, -1)) };
  if (text.startsWith('[')) {
    const [item = '', keys] = text.slice(1, -1).split('@');
    return { kind: 'list', item: typeOf(item), keys: keys === undefined || keys === '' ? undefined : keys.split(','), isSet: keys === '' };
  }
  return scalars[text] ?? { kind: 'struct', name: text };
}

/** The Go spelling of a type, for decoding errors. */
export function goType(type: Type): string {
  switch (type.kind) {
    case 'struct':
      return `v1.${type.name}`;
    case 'list':
      return `[]${goType(type.item)}`;
    case 'map':
      return type.value.kind === 'quantity' ? 'v1.ResourceList' : `map[string]${goType(type.value)}`;
    case 'intstr':
      return 'intstr.IntOrString';
    case 'quantity':
      return 'resource.Quantity';
    case 'time':
      return 'v1.Time';
    case 'bytes':
      return '[]uint8';
    case 'any':
      return 'interface {}';
    default:
      return type.kind;
  }
}
