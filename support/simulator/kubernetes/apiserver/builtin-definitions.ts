/**
 * The fields of the built-in types of Kubernetes 1.27, as the struct tags of `k8s.io/api` v0.27.3 and the list types of the
 * server's OpenAPI documents have them; builtin-types.ts explains the notation.
 */
export const definitions = `
AWSElasticBlockStoreVolumeSource volumeID:s! fsType:s partition:i readOnly:b
Affinity nodeAffinity:*NodeAffinity podAffinity:*PodAffinity podAntiAffinity:*PodAntiAffinity
AggregationRule clusterRoleSelectors:[LabelSelector]
AttachedVolume name:s=v1.UniqueVolumeName! devicePath:s!
AzureDiskVolumeSource diskName:s! diskURI:s! cachingMode:*s=v1.AzureDataDiskCachingMode fsType:*s readOnly:*b kind:*s=v1.AzureDataDiskKind
AzureFilePersistentVolumeSource secretName:s! shareName:s! readOnly:b secretNamespace:*s!
AzureFileVolumeSource secretName:s! shareName:s! readOnly:b
Binding metadata:ObjectMeta target:ObjectReference!
CSIDriver metadata:ObjectMeta spec:CSIDriverSpec!
CSIDriverSpec attachRequired:*b podInfoOnMount:*b volumeLifecycleModes:[s=v1.VolumeLifecycleMode] storageCapacity:*b fsGroupPolicy:*s=v1.FSGroupPolicy tokenRequests:[TokenRequest] requiresRepublish:*b seLinuxMount:*b
CSINode metadata:ObjectMeta spec:CSINodeSpec!
CSINodeDriver name:s! nodeID:s! topologyKeys:[s]! allocatable:*VolumeNodeResources
CSINodeSpec drivers:[CSINodeDriver@name]!
CSIPersistentVolumeSource driver:s! volumeHandle:s! readOnly:b fsType:s volumeAttributes:{s} controllerPublishSecretRef:*SecretReference nodeStageSecretRef:*SecretReference nodePublishSecretRef:*SecretReference controllerExpandSecretRef:*SecretReference nodeExpandSecretRef:*SecretReference
CSIStorageCapacity metadata:ObjectMeta nodeTopology:*LabelSelector storageClassName:s! capacity:*q maximumVolumeSize:*q
CSIVolumeSource driver:s! readOnly:*b fsType:*s volumeAttributes:{s} nodePublishSecretRef:*LocalObjectReference
Capabilities add:[s=v1.Capability] drop:[s=v1.Capability]
CephFSPersistentVolumeSource monitors:[s]! path:s user:s secretFile:s secretRef:*SecretReference readOnly:b
CephFSVolumeSource monitors:[s]! path:s user:s secretFile:s secretRef:*LocalObjectReference readOnly:b
CinderPersistentVolumeSource volumeID:s! fsType:s readOnly:b secretRef:*SecretReference
CinderVolumeSource volumeID:s! fsType:s readOnly:b secretRef:*LocalObjectReference
ClaimSource resourceClaimName:*s resourceClaimTemplateName:*s
ClientIPConfig timeoutSeconds:*i
ClusterRole metadata:ObjectMeta rules:[PolicyRule]! aggregationRule:*AggregationRule
ClusterRoleBinding metadata:ObjectMeta subjects:[Subject] roleRef:RoleRef!
Condition type:s! status:s=v1.ConditionStatus! observedGeneration:l lastTransitionTime:t! reason:s! message:s!
ConfigMap metadata:ObjectMeta immutable:*b data:{s} binaryData:{bytes}
ConfigMapEnvSource name:s optional:*b
ConfigMapKeySelector name:s key:s! optional:*b
ConfigMapNodeConfigSource namespace:s! name:s! uid:s=types.UID resourceVersion:s kubeletConfigKey:s!
ConfigMapProjection name:s items:[KeyToPath] optional:*b
ConfigMapVolumeSource name:s items:[KeyToPath] defaultMode:*i optional:*b
Container name:s! image:s command:[s] args:[s] workingDir:s ports:[ContainerPort@containerPort,protocol] envFrom:[EnvFromSource] env:[EnvVar@name] resources:ResourceRequirements resizePolicy:[ContainerResizePolicy] volumeMounts:[VolumeMount@mountPath] volumeDevices:[VolumeDevice@devicePath] livenessProbe:*Probe readinessProbe:*Probe startupProbe:*Probe lifecycle:*Lifecycle terminationMessagePath:s terminationMessagePolicy:s=v1.TerminationMessagePolicy imagePullPolicy:s=v1.PullPolicy securityContext:*SecurityContext stdin:b stdinOnce:b tty:b
ContainerImage names:[s]! sizeBytes:l
ContainerPort name:s hostPort:i containerPort:i! protocol:s=v1.Protocol hostIP:s
ContainerResizePolicy resourceName:s=v1.ResourceName! restartPolicy:s=v1.ResourceResizeRestartPolicy!
ContainerResourceMetricSource name:s=v1.ResourceName! target:MetricTarget! container:s!
ContainerResourceMetricStatus name:s=v1.ResourceName! current:MetricValueStatus! container:s!
ContainerState waiting:*ContainerStateWaiting running:*ContainerStateRunning terminated:*ContainerStateTerminated
ContainerStateRunning startedAt:t
ContainerStateTerminated exitCode:i! signal:i reason:s message:s startedAt:t finishedAt:t containerID:s
ContainerStateWaiting reason:s message:s
ContainerStatus name:s! state:ContainerState lastState:ContainerState ready:b! restartCount:i! image:s! imageID:s! containerID:s started:*b allocatedResources:{q} resources:*ResourceRequirements
ControllerRevision metadata:ObjectMeta data:any revision:l!
CoreEndpointPort name:s port:i! protocol:s=v1.Protocol appProtocol:*s
CronJob metadata:ObjectMeta spec:CronJobSpec status:CronJobStatus
CronJobSpec schedule:s! timeZone:*s startingDeadlineSeconds:*l concurrencyPolicy:s=v1.ConcurrencyPolicy suspend:*b jobTemplate:JobTemplateSpec! successfulJobsHistoryLimit:*i failedJobsHistoryLimit:*i
CronJobStatus active:[ObjectReference] lastScheduleTime:*t lastSuccessfulTime:*t
CrossVersionObjectReference kind:s! name:s! apiVersion:s
CustomResourceColumnDefinition name:s! type:s! format:s description:s priority:i jsonPath:s!
CustomResourceConversion strategy:s=v1.ConversionStrategyType! webhook:*WebhookConversion
CustomResourceDefinition metadata:ObjectMeta spec:CustomResourceDefinitionSpec! status:CustomResourceDefinitionStatus
CustomResourceDefinitionCondition type:s=v1.CustomResourceDefinitionConditionType! status:s=v1.ConditionStatus! lastTransitionTime:t reason:s message:s
CustomResourceDefinitionNames plural:s! singular:s shortNames:[s] kind:s! listKind:s categories:[s]
CustomResourceDefinitionSpec group:s! names:CustomResourceDefinitionNames! scope:s=v1.ResourceScope! versions:[CustomResourceDefinitionVersion]! conversion:*CustomResourceConversion preserveUnknownFields:b
CustomResourceDefinitionStatus conditions:[CustomResourceDefinitionCondition]! acceptedNames:CustomResourceDefinitionNames! storedVersions:[s]!
CustomResourceDefinitionVersion name:s! served:b! storage:b! deprecated:b deprecationWarning:*s schema:*CustomResourceValidation subresources:*CustomResourceSubresources additionalPrinterColumns:[CustomResourceColumnDefinition]
CustomResourceSubresourceScale specReplicasPath:s! statusReplicasPath:s! labelSelectorPath:*s
CustomResourceSubresourceStatus
CustomResourceSubresources status:*CustomResourceSubresourceStatus scale:*CustomResourceSubresourceScale
CustomResourceValidation openAPIV3Schema:any
DaemonEndpoint Port:i!
DaemonSet metadata:ObjectMeta spec:DaemonSetSpec status:DaemonSetStatus
DaemonSetCondition type:s=v1.DaemonSetConditionType! status:s=v1.ConditionStatus! lastTransitionTime:t reason:s message:s
DaemonSetSpec selector:*LabelSelector! template:PodTemplateSpec! updateStrategy:DaemonSetUpdateStrategy minReadySeconds:i revisionHistoryLimit:*i
DaemonSetStatus currentNumberScheduled:i! numberMisscheduled:i! desiredNumberScheduled:i! numberReady:i! observedGeneration:l updatedNumberScheduled:i numberAvailable:i numberUnavailable:i collisionCount:*i conditions:[DaemonSetCondition@type]
DaemonSetUpdateStrategy type:s=v1.DaemonSetUpdateStrategyType rollingUpdate:*RollingUpdateDaemonSet
DeleteOptions gracePeriodSeconds:*l preconditions:*Preconditions orphanDependents:*b propagationPolicy:*s=v1.DeletionPropagation dryRun:[s]
Deployment metadata:ObjectMeta spec:DeploymentSpec status:DeploymentStatus
DeploymentCondition type:s=v1.DeploymentConditionType! status:s=v1.ConditionStatus! lastUpdateTime:t lastTransitionTime:t reason:s message:s
DeploymentSpec replicas:*i selector:*LabelSelector! template:PodTemplateSpec! strategy:DeploymentStrategy minReadySeconds:i revisionHistoryLimit:*i paused:b progressDeadlineSeconds:*i
DeploymentStatus observedGeneration:l replicas:i updatedReplicas:i readyReplicas:i availableReplicas:i unavailableReplicas:i conditions:[DeploymentCondition@type] collisionCount:*i
DeploymentStrategy type:s=v1.DeploymentStrategyType rollingUpdate:*RollingUpdateDeployment
DownwardAPIProjection items:[DownwardAPIVolumeFile]
DownwardAPIVolumeFile path:s! fieldRef:*ObjectFieldSelector resourceFieldRef:*ResourceFieldSelector mode:*i
DownwardAPIVolumeSource items:[DownwardAPIVolumeFile] defaultMode:*i
EmptyDirVolumeSource medium:s=v1.StorageMedium sizeLimit:*q
Endpoint addresses:[s]! conditions:EndpointConditions hostname:*s targetRef:*ObjectReference deprecatedTopology:{s} nodeName:*s zone:*s hints:*EndpointHints
EndpointAddress ip:s! hostname:s nodeName:*s targetRef:*ObjectReference
EndpointConditions ready:*b serving:*b terminating:*b
EndpointHints forZones:[ForZone]
EndpointPort name:*s protocol:*s=v1.Protocol port:*i appProtocol:*s
EndpointSlice metadata:ObjectMeta addressType:s=v1.AddressType! endpoints:[Endpoint]! ports:[EndpointPort]!
EndpointSubset addresses:[EndpointAddress] notReadyAddresses:[EndpointAddress] ports:[CoreEndpointPort]
Endpoints metadata:ObjectMeta subsets:[EndpointSubset]
EnvFromSource prefix:s configMapRef:*ConfigMapEnvSource secretRef:*SecretEnvSource
EnvVar name:s! value:s valueFrom:*EnvVarSource
EnvVarSource fieldRef:*ObjectFieldSelector resourceFieldRef:*ResourceFieldSelector configMapKeyRef:*ConfigMapKeySelector secretKeyRef:*SecretKeySelector
EphemeralContainer name:s! image:s command:[s] args:[s] workingDir:s ports:[ContainerPort@containerPort,protocol] envFrom:[EnvFromSource] env:[EnvVar@name] resources:ResourceRequirements resizePolicy:[ContainerResizePolicy] volumeMounts:[VolumeMount@mountPath] volumeDevices:[VolumeDevice@devicePath] livenessProbe:*Probe readinessProbe:*Probe startupProbe:*Probe lifecycle:*Lifecycle terminationMessagePath:s terminationMessagePolicy:s=v1.TerminationMessagePolicy imagePullPolicy:s=v1.PullPolicy securityContext:*SecurityContext stdin:b stdinOnce:b tty:b targetContainerName:s
EphemeralVolumeSource volumeClaimTemplate:*PersistentVolumeClaimTemplate
Event metadata:ObjectMeta! involvedObject:ObjectReference! reason:s message:s source:EventSource firstTimestamp:t lastTimestamp:t count:i type:s eventTime:mt series:*EventSeries action:s related:*ObjectReference reportingComponent:s! reportingInstance:s!
EventSeries count:i lastObservedTime:mt
EventSource component:s host:s
Eviction metadata:ObjectMeta deleteOptions:*DeleteOptions
ExecAction command:[s]
ExternalMetricSource metric:MetricIdentifier! target:MetricTarget!
ExternalMetricStatus metric:MetricIdentifier! current:MetricValueStatus!
FCVolumeSource targetWWNs:[s] lun:*i fsType:s readOnly:b wwids:[s]
FlexPersistentVolumeSource driver:s! fsType:s secretRef:*SecretReference readOnly:b options:{s}
FlexVolumeSource driver:s! fsType:s secretRef:*LocalObjectReference readOnly:b options:{s}
FlockerVolumeSource datasetName:s datasetUUID:s
ForZone name:s!
GCEPersistentDiskVolumeSource pdName:s! fsType:s partition:i readOnly:b
GRPCAction port:i! service:*s!
GitRepoVolumeSource repository:s! revision:s directory:s
GlusterfsPersistentVolumeSource endpoints:s! path:s! readOnly:b endpointsNamespace:*s
GlusterfsVolumeSource endpoints:s! path:s! readOnly:b
HPAScalingPolicy type:s=v2.HPAScalingPolicyType! value:i! periodSeconds:i!
HPAScalingRules stabilizationWindowSeconds:*i selectPolicy:*s=v2.ScalingPolicySelect policies:[HPAScalingPolicy]
HTTPGetAction path:s port:ios! host:s scheme:s=v1.URIScheme httpHeaders:[HTTPHeader]
HTTPHeader name:s! value:s!
HTTPIngressPath path:s pathType:*s=v1.PathType! backend:IngressBackend!
HTTPIngressRuleValue paths:[HTTPIngressPath]!
HorizontalPodAutoscaler metadata:ObjectMeta spec:HorizontalPodAutoscalerSpec status:HorizontalPodAutoscalerStatus
HorizontalPodAutoscalerBehavior scaleUp:*HPAScalingRules scaleDown:*HPAScalingRules
HorizontalPodAutoscalerCondition type:s=v2.HorizontalPodAutoscalerConditionType! status:s=v1.ConditionStatus! lastTransitionTime:t reason:s message:s
HorizontalPodAutoscalerSpec scaleTargetRef:CrossVersionObjectReference! minReplicas:*i maxReplicas:i! metrics:[MetricSpec] behavior:*HorizontalPodAutoscalerBehavior
HorizontalPodAutoscalerStatus observedGeneration:*l lastScaleTime:*t currentReplicas:i desiredReplicas:i! currentMetrics:[MetricStatus]! conditions:[HorizontalPodAutoscalerCondition@type]
HostAlias ip:s hostnames:[s]
HostPathVolumeSource path:s! type:*s=v1.HostPathType
IPBlock cidr:s! except:[s]
ISCSIPersistentVolumeSource targetPortal:s! iqn:s! lun:i! iscsiInterface:s fsType:s readOnly:b portals:[s] chapAuthDiscovery:b chapAuthSession:b secretRef:*SecretReference initiatorName:*s
ISCSIVolumeSource targetPortal:s! iqn:s! lun:i! iscsiInterface:s fsType:s readOnly:b portals:[s] chapAuthDiscovery:b chapAuthSession:b secretRef:*LocalObjectReference initiatorName:*s
Ingress metadata:ObjectMeta spec:IngressSpec status:IngressStatus
IngressBackend service:*IngressServiceBackend resource:*TypedLocalObjectReference
IngressClass metadata:ObjectMeta spec:IngressClassSpec
IngressClassParametersReference apiGroup:*s kind:s! name:s! scope:*s! namespace:*s
IngressClassSpec controller:s parameters:*IngressClassParametersReference
IngressLoadBalancerIngress ip:s hostname:s ports:[IngressPortStatus]
IngressLoadBalancerStatus ingress:[IngressLoadBalancerIngress]
IngressPortStatus port:i! protocol:s=v1.Protocol! error:*s
IngressRule host:s http:*HTTPIngressRuleValue
IngressServiceBackend name:s! port:ServiceBackendPort
IngressSpec ingressClassName:*s defaultBackend:*IngressBackend tls:[IngressTLS] rules:[IngressRule]
IngressStatus loadBalancer:IngressLoadBalancerStatus
IngressTLS hosts:[s] secretName:s
Job metadata:ObjectMeta spec:JobSpec status:JobStatus
JobCondition type:s=v1.JobConditionType! status:s=v1.ConditionStatus! lastProbeTime:t lastTransitionTime:t reason:s message:s
JobSpec parallelism:*i completions:*i activeDeadlineSeconds:*l podFailurePolicy:*PodFailurePolicy backoffLimit:*i selector:*LabelSelector manualSelector:*b template:PodTemplateSpec! ttlSecondsAfterFinished:*i completionMode:*s=v1.CompletionMode suspend:*b
JobStatus conditions:[JobCondition@type] startTime:*t completionTime:*t active:i succeeded:i failed:i completedIndexes:s uncountedTerminatedPods:*UncountedTerminatedPods ready:*i
JobTemplateSpec metadata:ObjectMeta spec:JobSpec
KeyToPath key:s! path:s! mode:*i
LabelSelector matchLabels:{s} matchExpressions:[LabelSelectorRequirement]
LabelSelectorRequirement key:s! operator:s=v1.LabelSelectorOperator! values:[s]
Lease metadata:ObjectMeta spec:LeaseSpec
LeaseSpec holderIdentity:*s leaseDurationSeconds:*i acquireTime:*mt renewTime:*mt leaseTransitions:*i
Lifecycle postStart:*LifecycleHandler preStop:*LifecycleHandler
LifecycleHandler exec:*ExecAction httpGet:*HTTPGetAction tcpSocket:*TCPSocketAction
LimitRange metadata:ObjectMeta spec:LimitRangeSpec
LimitRangeItem type:s=v1.LimitType! max:{q} min:{q} default:{q} defaultRequest:{q} maxLimitRequestRatio:{q}
LimitRangeSpec limits:[LimitRangeItem]!
LoadBalancerIngress ip:s hostname:s ports:[PortStatus]
LoadBalancerStatus ingress:[LoadBalancerIngress]
LocalObjectReference name:s
LocalVolumeSource path:s! fsType:*s
MetricIdentifier name:s! selector:*LabelSelector
MetricSpec type:s=v2.MetricSourceType! object:*ObjectMetricSource pods:*PodsMetricSource resource:*ResourceMetricSource containerResource:*ContainerResourceMetricSource external:*ExternalMetricSource
MetricStatus type:s=v2.MetricSourceType! object:*ObjectMetricStatus pods:*PodsMetricStatus resource:*ResourceMetricStatus containerResource:*ContainerResourceMetricStatus external:*ExternalMetricStatus
MetricTarget type:s=v2.MetricTargetType! value:*q averageValue:*q averageUtilization:*i
MetricValueStatus value:*q averageValue:*q averageUtilization:*i
NFSVolumeSource server:s! path:s! readOnly:b
Namespace metadata:ObjectMeta spec:NamespaceSpec status:NamespaceStatus
NamespaceCondition type:s=v1.NamespaceConditionType! status:s=v1.ConditionStatus! lastTransitionTime:t reason:s message:s
NamespaceSpec finalizers:[s=v1.FinalizerName]
NamespaceStatus phase:s=v1.NamespacePhase conditions:[NamespaceCondition@type]
NetworkPolicy metadata:ObjectMeta spec:NetworkPolicySpec status:NetworkPolicyStatus
NetworkPolicyEgressRule ports:[NetworkPolicyPort] to:[NetworkPolicyPeer]
NetworkPolicyIngressRule ports:[NetworkPolicyPort] from:[NetworkPolicyPeer]
NetworkPolicyPeer podSelector:*LabelSelector namespaceSelector:*LabelSelector ipBlock:*IPBlock
NetworkPolicyPort protocol:*s=v1.Protocol port:*ios endPort:*i
NetworkPolicySpec podSelector:LabelSelector! ingress:[NetworkPolicyIngressRule] egress:[NetworkPolicyEgressRule] policyTypes:[s=v1.PolicyType]
NetworkPolicyStatus conditions:[Condition@type]
Node metadata:ObjectMeta spec:NodeSpec status:NodeStatus
NodeAddress type:s=v1.NodeAddressType! address:s!
NodeAffinity requiredDuringSchedulingIgnoredDuringExecution:*NodeSelector preferredDuringSchedulingIgnoredDuringExecution:[PreferredSchedulingTerm]
NodeCondition type:s=v1.NodeConditionType! status:s=v1.ConditionStatus! lastHeartbeatTime:t lastTransitionTime:t reason:s message:s
NodeConfigSource configMap:*ConfigMapNodeConfigSource
NodeConfigStatus assigned:*NodeConfigSource active:*NodeConfigSource lastKnownGood:*NodeConfigSource error:s
NodeDaemonEndpoints kubeletEndpoint:DaemonEndpoint
NodeSelector nodeSelectorTerms:[NodeSelectorTerm]!
NodeSelectorRequirement key:s! operator:s=v1.NodeSelectorOperator! values:[s]
NodeSelectorTerm matchExpressions:[NodeSelectorRequirement] matchFields:[NodeSelectorRequirement]
NodeSpec podCIDR:s podCIDRs:[s@] providerID:s unschedulable:b taints:[Taint] configSource:*NodeConfigSource externalID:s
NodeStatus capacity:{q} allocatable:{q} phase:s=v1.NodePhase conditions:[NodeCondition@type] addresses:[NodeAddress@type] daemonEndpoints:NodeDaemonEndpoints nodeInfo:NodeSystemInfo images:[ContainerImage] volumesInUse:[s=v1.UniqueVolumeName] volumesAttached:[AttachedVolume] config:*NodeConfigStatus
NodeSystemInfo machineID:s! systemUUID:s! bootID:s! kernelVersion:s! osImage:s! containerRuntimeVersion:s! kubeletVersion:s! kubeProxyVersion:s! operatingSystem:s! architecture:s!
ObjectFieldSelector apiVersion:s fieldPath:s!
ObjectMeta name:s generateName:s namespace:s selfLink:s uid:s=types.UID resourceVersion:s generation:l creationTimestamp:t deletionTimestamp:*t deletionGracePeriodSeconds:*l labels:{s} annotations:{s} ownerReferences:[OwnerReference@uid] finalizers:[s@] managedFields:[any]
ObjectMetricSource describedObject:CrossVersionObjectReference! target:MetricTarget! metric:MetricIdentifier!
ObjectMetricStatus metric:MetricIdentifier! current:MetricValueStatus! describedObject:CrossVersionObjectReference!
ObjectReference kind:s namespace:s name:s uid:s=types.UID apiVersion:s resourceVersion:s fieldPath:s
Overhead podFixed:{q}
OwnerReference apiVersion:s! kind:s! name:s! uid:s=types.UID! controller:*b blockOwnerDeletion:*b
PersistentVolume metadata:ObjectMeta spec:PersistentVolumeSpec status:PersistentVolumeStatus
PersistentVolumeClaim kind:s apiVersion:s metadata:ObjectMeta spec:PersistentVolumeClaimSpec status:PersistentVolumeClaimStatus
PersistentVolumeClaimCondition type:s=v1.PersistentVolumeClaimConditionType! status:s=v1.ConditionStatus! lastProbeTime:t lastTransitionTime:t reason:s message:s
PersistentVolumeClaimSpec accessModes:[s=v1.PersistentVolumeAccessMode] selector:*LabelSelector resources:ResourceRequirements volumeName:s storageClassName:*s volumeMode:*s=v1.PersistentVolumeMode dataSource:*TypedLocalObjectReference dataSourceRef:*TypedObjectReference
PersistentVolumeClaimStatus phase:s=v1.PersistentVolumeClaimPhase accessModes:[s=v1.PersistentVolumeAccessMode] capacity:{q} conditions:[PersistentVolumeClaimCondition@type] allocatedResources:{q} resizeStatus:*s=v1.PersistentVolumeClaimResizeStatus
PersistentVolumeClaimTemplate metadata:ObjectMeta spec:PersistentVolumeClaimSpec!
PersistentVolumeClaimVolumeSource claimName:s! readOnly:b
PersistentVolumeSpec capacity:{q} gcePersistentDisk:*GCEPersistentDiskVolumeSource awsElasticBlockStore:*AWSElasticBlockStoreVolumeSource hostPath:*HostPathVolumeSource glusterfs:*GlusterfsPersistentVolumeSource nfs:*NFSVolumeSource rbd:*RBDPersistentVolumeSource iscsi:*ISCSIPersistentVolumeSource cinder:*CinderPersistentVolumeSource cephfs:*CephFSPersistentVolumeSource fc:*FCVolumeSource flocker:*FlockerVolumeSource flexVolume:*FlexPersistentVolumeSource azureFile:*AzureFilePersistentVolumeSource vsphereVolume:*VsphereVirtualDiskVolumeSource quobyte:*QuobyteVolumeSource azureDisk:*AzureDiskVolumeSource photonPersistentDisk:*PhotonPersistentDiskVolumeSource portworxVolume:*PortworxVolumeSource scaleIO:*ScaleIOPersistentVolumeSource local:*LocalVolumeSource storageos:*StorageOSPersistentVolumeSource csi:*CSIPersistentVolumeSource accessModes:[s=v1.PersistentVolumeAccessMode] claimRef:*ObjectReference persistentVolumeReclaimPolicy:s=v1.PersistentVolumeReclaimPolicy storageClassName:s mountOptions:[s] volumeMode:*s=v1.PersistentVolumeMode nodeAffinity:*VolumeNodeAffinity
PersistentVolumeStatus phase:s=v1.PersistentVolumePhase message:s reason:s
PhotonPersistentDiskVolumeSource pdID:s! fsType:s
Pod metadata:ObjectMeta spec:PodSpec status:PodStatus
PodAffinity requiredDuringSchedulingIgnoredDuringExecution:[PodAffinityTerm] preferredDuringSchedulingIgnoredDuringExecution:[WeightedPodAffinityTerm]
PodAffinityTerm labelSelector:*LabelSelector namespaces:[s] topologyKey:s! namespaceSelector:*LabelSelector
PodAntiAffinity requiredDuringSchedulingIgnoredDuringExecution:[PodAffinityTerm] preferredDuringSchedulingIgnoredDuringExecution:[WeightedPodAffinityTerm]
PodCondition type:s=v1.PodConditionType! status:s=v1.ConditionStatus! lastProbeTime:t lastTransitionTime:t reason:s message:s
PodDNSConfig nameservers:[s] searches:[s] options:[PodDNSConfigOption]
PodDNSConfigOption name:s value:*s
PodDisruptionBudget metadata:ObjectMeta spec:PodDisruptionBudgetSpec status:PodDisruptionBudgetStatus
PodDisruptionBudgetSpec minAvailable:*ios selector:*LabelSelector maxUnavailable:*ios unhealthyPodEvictionPolicy:*s=v1.UnhealthyPodEvictionPolicyType
PodDisruptionBudgetStatus observedGeneration:l disruptedPods:{t} disruptionsAllowed:i! currentHealthy:i! desiredHealthy:i! expectedPods:i! conditions:[Condition@type]
PodFailurePolicy rules:[PodFailurePolicyRule]!
PodFailurePolicyOnExitCodesRequirement containerName:*s! operator:s=v1.PodFailurePolicyOnExitCodesOperator! values:[i]!
PodFailurePolicyOnPodConditionsPattern type:s=v1.PodConditionType! status:s=v1.ConditionStatus!
PodFailurePolicyRule action:s=v1.PodFailurePolicyAction! onExitCodes:*PodFailurePolicyOnExitCodesRequirement! onPodConditions:[PodFailurePolicyOnPodConditionsPattern]!
PodIP ip:s
PodOS name:s=v1.OSName!
PodReadinessGate conditionType:s=v1.PodConditionType!
PodResourceClaim name:s! source:ClaimSource
PodSchedulingGate name:s!
PodSecurityContext seLinuxOptions:*SELinuxOptions windowsOptions:*WindowsSecurityContextOptions runAsUser:*l runAsGroup:*l runAsNonRoot:*b supplementalGroups:[l] fsGroup:*l sysctls:[Sysctl] fsGroupChangePolicy:*s=v1.PodFSGroupChangePolicy seccompProfile:*SeccompProfile
PodSpec volumes:[Volume@name] initContainers:[Container@name] containers:[Container@name]! ephemeralContainers:[EphemeralContainer@name] restartPolicy:s=v1.RestartPolicy terminationGracePeriodSeconds:*l activeDeadlineSeconds:*l dnsPolicy:s=v1.DNSPolicy nodeSelector:{s} serviceAccountName:s serviceAccount:s automountServiceAccountToken:*b nodeName:s hostNetwork:b hostPID:b hostIPC:b shareProcessNamespace:*b securityContext:*PodSecurityContext imagePullSecrets:[LocalObjectReference@name] hostname:s subdomain:s affinity:*Affinity schedulerName:s tolerations:[Toleration] hostAliases:[HostAlias@ip] priorityClassName:s priority:*i dnsConfig:*PodDNSConfig readinessGates:[PodReadinessGate] runtimeClassName:*s enableServiceLinks:*b preemptionPolicy:*s=v1.PreemptionPolicy overhead:{q} topologySpreadConstraints:[TopologySpreadConstraint@topologyKey,whenUnsatisfiable] setHostnameAsFQDN:*b os:*PodOS hostUsers:*b schedulingGates:[PodSchedulingGate@name] resourceClaims:[PodResourceClaim@name]
PodStatus phase:s=v1.PodPhase conditions:[PodCondition@type] message:s reason:s nominatedNodeName:s hostIP:s podIP:s podIPs:[PodIP@ip] startTime:*t initContainerStatuses:[ContainerStatus] containerStatuses:[ContainerStatus] qosClass:s=v1.PodQOSClass ephemeralContainerStatuses:[ContainerStatus] resize:s=v1.PodResizeStatus
PodTemplate metadata:ObjectMeta template:PodTemplateSpec
PodTemplateSpec metadata:ObjectMeta spec:PodSpec
PodsMetricSource metric:MetricIdentifier! target:MetricTarget!
PodsMetricStatus metric:MetricIdentifier! current:MetricValueStatus!
PolicyRule verbs:[s]! apiGroups:[s] resources:[s] resourceNames:[s] nonResourceURLs:[s]
PortStatus port:i! protocol:s=v1.Protocol! error:*s
PortworxVolumeSource volumeID:s! fsType:s readOnly:b
Preconditions uid:*s=types.UID resourceVersion:*s
PreferredSchedulingTerm weight:i! preference:NodeSelectorTerm!
PriorityClass metadata:ObjectMeta value:i! globalDefault:b description:s preemptionPolicy:*s=v1.PreemptionPolicy
Probe exec:*ExecAction httpGet:*HTTPGetAction tcpSocket:*TCPSocketAction grpc:*GRPCAction initialDelaySeconds:i timeoutSeconds:i periodSeconds:i successThreshold:i failureThreshold:i terminationGracePeriodSeconds:*l
ProjectedVolumeSource sources:[VolumeProjection]! defaultMode:*i
QuobyteVolumeSource registry:s! volume:s! readOnly:b user:s group:s tenant:s
RBDPersistentVolumeSource monitors:[s]! image:s! fsType:s pool:s user:s keyring:s secretRef:*SecretReference readOnly:b
RBDVolumeSource monitors:[s]! image:s! fsType:s pool:s user:s keyring:s secretRef:*LocalObjectReference readOnly:b
ReplicaSet metadata:ObjectMeta spec:ReplicaSetSpec status:ReplicaSetStatus
ReplicaSetCondition type:s=v1.ReplicaSetConditionType! status:s=v1.ConditionStatus! lastTransitionTime:t reason:s message:s
ReplicaSetSpec replicas:*i minReadySeconds:i selector:*LabelSelector! template:PodTemplateSpec
ReplicaSetStatus replicas:i! fullyLabeledReplicas:i readyReplicas:i availableReplicas:i observedGeneration:l conditions:[ReplicaSetCondition@type]
ReplicationController metadata:ObjectMeta spec:ReplicationControllerSpec status:ReplicationControllerStatus
ReplicationControllerCondition type:s=v1.ReplicationControllerConditionType! status:s=v1.ConditionStatus! lastTransitionTime:t reason:s message:s
ReplicationControllerSpec replicas:*i minReadySeconds:i selector:{s} template:*PodTemplateSpec
ReplicationControllerStatus replicas:i! fullyLabeledReplicas:i readyReplicas:i availableReplicas:i observedGeneration:l conditions:[ReplicationControllerCondition@type]
ResourceClaim name:s!
ResourceFieldSelector containerName:s resource:s! divisor:q
ResourceMetricSource name:s=v1.ResourceName! target:MetricTarget!
ResourceMetricStatus name:s=v1.ResourceName! current:MetricValueStatus!
ResourceQuota metadata:ObjectMeta spec:ResourceQuotaSpec status:ResourceQuotaStatus
ResourceQuotaSpec hard:{q} scopes:[s=v1.ResourceQuotaScope] scopeSelector:*ScopeSelector
ResourceQuotaStatus hard:{q} used:{q}
ResourceRequirements limits:{q} requests:{q} claims:[ResourceClaim]
Role metadata:ObjectMeta rules:[PolicyRule]!
RoleBinding metadata:ObjectMeta subjects:[Subject] roleRef:RoleRef!
RoleRef apiGroup:s! kind:s! name:s!
RollingUpdateDaemonSet maxUnavailable:*ios maxSurge:*ios
RollingUpdateDeployment maxUnavailable:*ios maxSurge:*ios
RollingUpdateStatefulSetStrategy partition:*i maxUnavailable:*ios
RuntimeClass metadata:ObjectMeta handler:s! overhead:*Overhead scheduling:*Scheduling
SELinuxOptions user:s role:s type:s level:s
Scale metadata:ObjectMeta spec:ScaleSpec status:ScaleStatus
ScaleIOPersistentVolumeSource gateway:s! system:s! secretRef:*SecretReference! sslEnabled:b protectionDomain:s storagePool:s storageMode:s volumeName:s fsType:s readOnly:b
ScaleIOVolumeSource gateway:s! system:s! secretRef:*LocalObjectReference! sslEnabled:b protectionDomain:s storagePool:s storageMode:s volumeName:s fsType:s readOnly:b
ScaleSpec replicas:i
ScaleStatus replicas:i! selector:s
Scheduling nodeSelector:{s} tolerations:[Toleration]
ScopeSelector matchExpressions:[ScopedResourceSelectorRequirement]
ScopedResourceSelectorRequirement scopeName:s=v1.ResourceQuotaScope! operator:s=v1.ScopeSelectorOperator! values:[s]
SeccompProfile type:s=v1.SeccompProfileType! localhostProfile:*s
Secret metadata:ObjectMeta immutable:*b data:{bytes} stringData:{s} type:s=v1.SecretType
SecretEnvSource name:s optional:*b
SecretKeySelector name:s key:s! optional:*b
SecretProjection name:s items:[KeyToPath] optional:*b
SecretReference name:s namespace:s
SecretVolumeSource secretName:s items:[KeyToPath] defaultMode:*i optional:*b
SecurityContext capabilities:*Capabilities privileged:*b seLinuxOptions:*SELinuxOptions windowsOptions:*WindowsSecurityContextOptions runAsUser:*l runAsGroup:*l runAsNonRoot:*b readOnlyRootFilesystem:*b allowPrivilegeEscalation:*b procMount:*s=v1.ProcMountType seccompProfile:*SeccompProfile
Service metadata:ObjectMeta spec:ServiceSpec status:ServiceStatus
ServiceAccount metadata:ObjectMeta secrets:[ObjectReference@name] imagePullSecrets:[LocalObjectReference] automountServiceAccountToken:*b
ServiceAccountTokenProjection audience:s expirationSeconds:*l path:s!
ServiceBackendPort name:s number:i
ServicePort name:s protocol:s=v1.Protocol appProtocol:*s port:i! targetPort:ios nodePort:i
ServiceReference namespace:s! name:s! path:*s port:*i
ServiceSpec ports:[ServicePort@port,protocol] selector:{s} clusterIP:s clusterIPs:[s] type:s=v1.ServiceType externalIPs:[s] sessionAffinity:s=v1.ServiceAffinity loadBalancerIP:s loadBalancerSourceRanges:[s] externalName:s externalTrafficPolicy:s=v1.ServiceExternalTrafficPolicy healthCheckNodePort:i publishNotReadyAddresses:b sessionAffinityConfig:*SessionAffinityConfig ipFamilies:[s=v1.IPFamily] ipFamilyPolicy:*s=v1.IPFamilyPolicy allocateLoadBalancerNodePorts:*b loadBalancerClass:*s internalTrafficPolicy:*s=v1.ServiceInternalTrafficPolicy
ServiceStatus loadBalancer:LoadBalancerStatus conditions:[Condition@type]
SessionAffinityConfig clientIP:*ClientIPConfig
StatefulSet metadata:ObjectMeta spec:StatefulSetSpec status:StatefulSetStatus
StatefulSetCondition type:s=v1.StatefulSetConditionType! status:s=v1.ConditionStatus! lastTransitionTime:t reason:s message:s
StatefulSetOrdinals start:i!
StatefulSetPersistentVolumeClaimRetentionPolicy whenDeleted:s=v1.PersistentVolumeClaimRetentionPolicyType whenScaled:s=v1.PersistentVolumeClaimRetentionPolicyType
StatefulSetSpec replicas:*i selector:*LabelSelector! template:PodTemplateSpec! volumeClaimTemplates:[PersistentVolumeClaim] serviceName:s! podManagementPolicy:s=v1.PodManagementPolicyType updateStrategy:StatefulSetUpdateStrategy revisionHistoryLimit:*i minReadySeconds:i persistentVolumeClaimRetentionPolicy:*StatefulSetPersistentVolumeClaimRetentionPolicy ordinals:*StatefulSetOrdinals
StatefulSetStatus observedGeneration:l replicas:i! readyReplicas:i currentReplicas:i updatedReplicas:i currentRevision:s updateRevision:s collisionCount:*i conditions:[StatefulSetCondition@type] availableReplicas:i!
StatefulSetUpdateStrategy type:s=v1.StatefulSetUpdateStrategyType rollingUpdate:*RollingUpdateStatefulSetStrategy
StorageClass metadata:ObjectMeta provisioner:s! parameters:{s} reclaimPolicy:*s=v1.PersistentVolumeReclaimPolicy mountOptions:[s] allowVolumeExpansion:*b volumeBindingMode:*s=v1.VolumeBindingMode allowedTopologies:[TopologySelectorTerm]
StorageOSPersistentVolumeSource volumeName:s volumeNamespace:s fsType:s readOnly:b secretRef:*ObjectReference
StorageOSVolumeSource volumeName:s volumeNamespace:s fsType:s readOnly:b secretRef:*LocalObjectReference
Subject kind:s! apiGroup:s name:s! namespace:s
Sysctl name:s! value:s!
TCPSocketAction port:ios! host:s
Taint key:s! value:s effect:s=v1.TaintEffect! timeAdded:*t
TokenRequest audience:s! expirationSeconds:*l
Toleration key:s operator:s=v1.TolerationOperator value:s effect:s=v1.TaintEffect tolerationSeconds:*l
TopologySelectorLabelRequirement key:s! values:[s]!
TopologySelectorTerm matchLabelExpressions:[TopologySelectorLabelRequirement]
TopologySpreadConstraint maxSkew:i! topologyKey:s! whenUnsatisfiable:s=v1.UnsatisfiableConstraintAction! labelSelector:*LabelSelector minDomains:*i nodeAffinityPolicy:*s=v1.NodeInclusionPolicy nodeTaintsPolicy:*s=v1.NodeInclusionPolicy matchLabelKeys:[s]
TypedLocalObjectReference apiGroup:*s! kind:s! name:s!
TypedObjectReference apiGroup:*s! kind:s! name:s! namespace:*s
UncountedTerminatedPods succeeded:[s=types.UID] failed:[s=types.UID]
Volume name:s! hostPath:*HostPathVolumeSource emptyDir:*EmptyDirVolumeSource gcePersistentDisk:*GCEPersistentDiskVolumeSource awsElasticBlockStore:*AWSElasticBlockStoreVolumeSource gitRepo:*GitRepoVolumeSource secret:*SecretVolumeSource nfs:*NFSVolumeSource iscsi:*ISCSIVolumeSource glusterfs:*GlusterfsVolumeSource persistentVolumeClaim:*PersistentVolumeClaimVolumeSource rbd:*RBDVolumeSource flexVolume:*FlexVolumeSource cinder:*CinderVolumeSource cephfs:*CephFSVolumeSource flocker:*FlockerVolumeSource downwardAPI:*DownwardAPIVolumeSource fc:*FCVolumeSource azureFile:*AzureFileVolumeSource configMap:*ConfigMapVolumeSource vsphereVolume:*VsphereVirtualDiskVolumeSource quobyte:*QuobyteVolumeSource azureDisk:*AzureDiskVolumeSource photonPersistentDisk:*PhotonPersistentDiskVolumeSource projected:*ProjectedVolumeSource portworxVolume:*PortworxVolumeSource scaleIO:*ScaleIOVolumeSource storageos:*StorageOSVolumeSource csi:*CSIVolumeSource ephemeral:*EphemeralVolumeSource
VolumeAttachment metadata:ObjectMeta spec:VolumeAttachmentSpec! status:VolumeAttachmentStatus
VolumeAttachmentSource persistentVolumeName:*s inlineVolumeSpec:*PersistentVolumeSpec
VolumeAttachmentSpec attacher:s! source:VolumeAttachmentSource! nodeName:s!
VolumeAttachmentStatus attached:b! attachmentMetadata:{s} attachError:*VolumeError detachError:*VolumeError
VolumeDevice name:s! devicePath:s!
VolumeError time:t message:s
VolumeMount name:s! readOnly:b mountPath:s! subPath:s mountPropagation:*s=v1.MountPropagationMode subPathExpr:s
VolumeNodeAffinity required:*NodeSelector
VolumeNodeResources count:*i
VolumeProjection secret:*SecretProjection downwardAPI:*DownwardAPIProjection configMap:*ConfigMapProjection serviceAccountToken:*ServiceAccountTokenProjection
VsphereVirtualDiskVolumeSource volumePath:s! fsType:s storagePolicyName:s storagePolicyID:s
WebhookClientConfig url:*s service:*ServiceReference caBundle:bytes
WebhookConversion clientConfig:*WebhookClientConfig conversionReviewVersions:[s]!
WeightedPodAffinityTerm weight:i! podAffinityTerm:PodAffinityTerm!
WindowsSecurityContextOptions gmsaCredentialSpecName:*s gmsaCredentialSpec:*s runAsUserName:*s hostProcess:*b
`;
