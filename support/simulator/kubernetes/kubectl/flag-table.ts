/**
 * The flags of every kubectl command, as `kubectl COMMAND --help` of 1.32 lists them: `short:name=default`.
 * The default tells the type: true/false, a number, a duration, `[]` for lists, quotes for text.
 */
const groups: Readonly<Record<string, string>> = {
  '@printer': "allow-missing-template-keys=true o:output='' show-managed-fields=false template=''",
  '@files': "f:filename=[] k:kustomize='' R:recursive=false",
};

export const globalFlags =
  "as='' as-group=[] as-uid='' cache-dir='' certificate-authority='' client-certificate='' client-key='' cluster='' context='' disable-compression=false insecure-skip-tls-verify=false kubeconfig='' log-flush-frequency=5s match-server-version=false n:namespace='' password='' profile='none' profile-output='profile.pprof' request-timeout='0' s:server='' tls-server-name='' token='' user='' username='' v:v=0 vmodule='' warnings-as-errors=false";

export const commandFlags: Readonly<Record<string, string>> = {
  get: "@printer @files A:all-namespaces=false chunk-size=500 field-selector='' ignore-not-found=false L:label-columns=[] no-headers=false output-watch-events=false raw='' l:selector='' server-print=true show-kind=false show-labels=false sort-by='' subresource='' w:watch=false watch-only=false",
  describe: "@files A:all-namespaces=false chunk-size=500 l:selector='' show-events=true",
  apply:
    "@printer @files all=false cascade='background' dry-run='none' field-manager='kubectl-client-side-apply' force=false force-conflicts=false grace-period=-1 openapi-patch=true overwrite=true prune=false prune-allowlist=[] l:selector='' server-side=false subresource='' timeout=0s validate='strict' wait=false",
  'apply view-last-applied': "@files all=false o:output='yaml' l:selector=''",
  'apply set-last-applied': "@printer create-annotation=false dry-run='none' f:filename=[]",
  'apply edit-last-applied': "@printer @files field-manager='kubectl-client-side-apply' validate='strict' windows-line-endings=false",
  create:
    "@printer @files dry-run='none' edit=false field-manager='kubectl-create' raw='' save-config=false l:selector='' validate='strict' windows-line-endings=false",
  'create namespace': "@printer dry-run='none' field-manager='kubectl-create' save-config=false validate='strict'",
  'create configmap':
    "@printer append-hash=false dry-run='none' field-manager='kubectl-create' from-env-file=[] from-file=[] from-literal=[] save-config=false validate='strict'",
  'create secret generic':
    "@printer append-hash=false dry-run='none' field-manager='kubectl-create' from-env-file=[] from-file=[] from-literal=[] save-config=false type='' validate='strict'",
  'create secret docker-registry':
    "@printer append-hash=false docker-email='' docker-password='' docker-server='https://index.docker.io/v1/' docker-username='' dry-run='none' field-manager='kubectl-create' from-file=[] save-config=false validate='strict'",
  'create secret tls':
    "@printer append-hash=false cert='' dry-run='none' field-manager='kubectl-create' key='' save-config=false validate='strict'",
  'create deployment':
    "@printer dry-run='none' field-manager='kubectl-create' image=[] port=-1 r:replicas=1 save-config=false validate='strict'",
  'create service clusterip':
    "@printer clusterip='' dry-run='none' field-manager='kubectl-create' save-config=false tcp=[] validate='strict'",
  'create service nodeport':
    "@printer dry-run='none' field-manager='kubectl-create' node-port=0 save-config=false tcp=[] validate='strict'",
  'create service loadbalancer': "@printer dry-run='none' field-manager='kubectl-create' save-config=false tcp=[] validate='strict'",
  'create service externalname':
    "@printer dry-run='none' external-name='' field-manager='kubectl-create' save-config=false tcp=[] validate='strict'",
  'create serviceaccount': "@printer dry-run='none' field-manager='kubectl-create' save-config=false validate='strict'",
  'create job': "@printer dry-run='none' field-manager='kubectl-create' from='' image='' save-config=false validate='strict'",
  'create cronjob':
    "@printer dry-run='none' field-manager='kubectl-create' image='' restart='' save-config=false schedule='' validate='strict'",
  'create role':
    "@printer dry-run='none' field-manager='kubectl-create' resource=[] resource-name=[] save-config=false validate='strict' verb=[]",
  'create clusterrole':
    "@printer aggregation-rule='' dry-run='none' field-manager='kubectl-create' non-resource-url=[] resource=[] resource-name=[] save-config=false validate='strict' verb=[]",
  'create rolebinding':
    "@printer clusterrole='' dry-run='none' field-manager='kubectl-create' group=[] role='' save-config=false serviceaccount=[] user=[] validate='strict'",
  'create clusterrolebinding':
    "@printer clusterrole='' dry-run='none' field-manager='kubectl-create' group=[] save-config=false serviceaccount=[] user=[] validate='strict'",
  'create ingress':
    "@printer annotation=[] class='' default-backend='' dry-run='none' field-manager='kubectl-create' rule=[] save-config=false validate='strict'",
  'create poddisruptionbudget':
    "@printer dry-run='none' field-manager='kubectl-create' max-unavailable='' min-available='' save-config=false selector='' validate='strict'",
  'create priorityclass':
    "@printer description='' dry-run='none' field-manager='kubectl-create' global-default=false preemption-policy='PreemptLowerPriority' save-config=false validate='strict' value=0",
  'create quota': "@printer dry-run='none' field-manager='kubectl-create' hard='' save-config=false scopes='' validate='strict'",
  'create token': "@printer audience=[] bound-object-kind='' bound-object-name='' bound-object-uid='' duration=0s",
  replace:
    "@printer @files cascade='background' dry-run='none' field-manager='kubectl-replace' force=false grace-period=-1 raw='' save-config=false subresource='' timeout=0s validate='strict' wait=false",
  edit: "@printer @files field-manager='kubectl-edit' output-patch=false save-config=false subresource='' validate='strict' windows-line-endings=false",
  label:
    "@printer @files all=false A:all-namespaces=false dry-run='none' field-manager='kubectl-label' field-selector='' list=false local=false overwrite=false resource-version='' l:selector=''",
  annotate:
    "@printer @files all=false A:all-namespaces=false dry-run='none' field-manager='kubectl-annotate' field-selector='' list=false local=false overwrite=false resource-version='' l:selector=''",
  patch:
    "@printer @files dry-run='none' field-manager='kubectl-patch' local=false p:patch='' patch-file='' subresource='' type='strategic'",
  scale: "@printer @files all=false current-replicas=-1 dry-run='none' replicas=0 resource-version='' l:selector='' timeout=0s",
  delete:
    "@files all=false A:all-namespaces=false cascade='background' dry-run='none' field-selector='' force=false grace-period=-1 ignore-not-found=false i:interactive=false now=false o:output='' raw='' l:selector='' timeout=0s wait=true",
  'rollout status': "@files revision=0 l:selector='' timeout=0s w:watch=true",
  'rollout restart': "@printer @files field-manager='kubectl-rollout' l:selector=''",
  'rollout undo': "@printer @files dry-run='none' l:selector='' to-revision=0",
  'rollout history': "@printer @files revision=0 l:selector=''",
  'rollout pause': "@printer @files field-manager='kubectl-rollout' l:selector=''",
  'rollout resume': "@printer @files field-manager='kubectl-rollout' l:selector=''",
  wait: "@printer all=false A:all-namespaces=false field-selector='' f:filename=[] for='' local=false R:recursive=true l:selector='' timeout=30s",
  exec: "c:container='' f:filename=[] pod-running-timeout=1m0s q:quiet=false i:stdin=false t:tty=false",
  logs: "all-containers=false all-pods=false c:container='' f:follow=false ignore-errors=false insecure-skip-tls-verify-backend=false limit-bytes=0 max-log-requests=5 pod-running-timeout=20s prefix=false p:previous=false l:selector='' since=0s since-time='' tail=-1 timestamps=false",
  events: "@printer A:all-namespaces=false chunk-size=500 for='' no-headers=false types=[] w:watch=false",
  explain: "api-version='' o:output='plaintext' recursive=false",
  'api-resources': "api-group='' cached=false categories=[] namespaced=true no-headers=false o:output='' sort-by='' verbs=[]",
  'api-versions': '',
  'cluster-info': '',
  'cluster-info dump':
    "A:all-namespaces=false allow-missing-template-keys=true namespaces=[] o:output='json' output-directory='' pod-running-timeout=20s show-managed-fields=false template=''",
  version: "client=false o:output=''",
  'config view':
    "allow-missing-template-keys=true flatten=false merge=true minify=false o:output='yaml' raw=false show-managed-fields=false template=''",
  'config get-contexts': "no-headers=false o:output=''",
  'config current-context': '',
  'config use-context': '',
  'config set-context': "cluster='' current=false namespace='' user=''",
  'config get-clusters': '',
  'config get-users': '',
  'config set-cluster':
    "certificate-authority='' embed-certs=false insecure-skip-tls-verify=false proxy-url='' server='' tls-server-name=''",
  'config set-credentials':
    "auth-provider='' auth-provider-arg=[] client-certificate='' client-key='' embed-certs=false exec-api-version='' exec-arg=[] exec-command='' exec-env=[] exec-interactive-mode='' exec-provide-cluster-info=false password='' token='' username=''",
  'config delete-context': '',
  'config rename-context': '',
  'config unset': '',
  'config set': 'set-raw-bytes=false',
  'auth can-i': "A:all-namespaces=false list=false no-headers=false q:quiet=false subresource=''",
  'auth whoami': '@printer',
  'top pod':
    "A:all-namespaces=false containers=false field-selector='' no-headers=false l:selector='' sort-by='' sum=false use-protocol-buffers=true",
  'top node': "no-headers=false l:selector='' show-capacity=false sort-by='' use-protocol-buffers=true",
  diff: "@files concurrency=1 field-manager='kubectl-client-side-apply' force-conflicts=false prune=false prune-allowlist=[] l:selector='' server-side=false show-managed-fields=false",
  run: "@printer @files annotations=[] attach=false cascade='background' command=false dry-run='none' env=[] expose=false field-manager='kubectl-run' force=false grace-period=-1 image='' image-pull-policy='' l:labels='' leave-stdin-open=false override-type='merge' overrides='' pod-running-timeout=1m0s port='' privileged=false q:quiet=false restart='Always' rm=false save-config=false i:stdin=false timeout=0s t:tty=false wait=false",
  expose:
    "@printer @files cluster-ip='' dry-run='none' external-ip='' field-manager='kubectl-expose' l:labels='' load-balancer-ip='' name='' override-type='merge' overrides='' port='' protocol='' save-config=false selector='' session-affinity='' target-port='' type=''",
  'set image': "@printer @files all=false dry-run='none' field-manager='kubectl-set' local=false l:selector=''",
  'set env':
    "@printer @files all=false c:containers='*' dry-run='none' e:env=[] field-manager='kubectl-set' from='' keys=[] list=false local=false overwrite=true prefix='' resolve=false l:selector=''",
  'set selector':
    "@printer all=false dry-run='none' field-manager='kubectl-set' f:filename=[] local=false R:recursive=true resource-version=''",
  'set resources':
    "@printer @files all=false c:containers='*' dry-run='none' field-manager='kubectl-set' limits='' local=false requests='' l:selector=''",
  'set serviceaccount': "@printer @files all=false dry-run='none' field-manager='kubectl-set' local=false",
  'set subject':
    "@printer @files all=false dry-run='none' field-manager='kubectl-set' group=[] local=false l:selector='' serviceaccount=[] user=[]",
  cordon: "dry-run='none' l:selector=''",
  uncordon: "dry-run='none' l:selector=''",
  drain:
    "chunk-size=500 delete-emptydir-data=false disable-eviction=false dry-run='none' force=false grace-period=-1 ignore-daemonsets=false pod-selector='' l:selector='' skip-wait-for-delete-timeout=0 timeout=0s",
  taint: "@printer all=false dry-run='none' field-manager='kubectl-taint' overwrite=false l:selector='' validate='strict'",
  autoscale: "@printer @files cpu-percent=-1 dry-run='none' field-manager='kubectl-autoscale' max=-1 min=-1 name='' save-config=false",
  debug:
    "arguments-only=false attach=false c:container='' copy-to='' custom='' env=[] f:filename=[] image='' image-pull-policy='' keep-annotations=false keep-init-containers=true keep-labels=false keep-liveness=false keep-readiness=false keep-startup=false profile='legacy' q:quiet=false replace=false same-node=false set-image=[] share-processes=true i:stdin=false target='' t:tty=false",
  'port-forward': 'address=[] pod-running-timeout=1m0s',
  proxy:
    "accept-hosts='^localhost$,^127\\.0\\.0\\.1$,^\\[::1\\]$' accept-paths='^.*' address='127.0.0.1' api-prefix='/' append-server-path=false disable-filter=false keepalive=0s p:port=8001 reject-methods='^$' reject-paths='^/api/.*/pods/.*/exec,^/api/.*/pods/.*/attach' u:unix-socket='' w:www='' P:www-prefix='/static/'",
  attach: "c:container='' pod-running-timeout=1m0s q:quiet=false i:stdin=false t:tty=false",
  cp: "c:container='' no-preserve=false retries=0",
  kustomize:
    "as-current-user=false enable-alpha-plugins=false enable-helm=false e:env=[] helm-api-versions=[] helm-command='helm' helm-debug=false helm-kube-version='' load-restrictor='LoadRestrictionsRootOnly' mount=[] network=false network-name='bridge' o:output=''",
  'certificate approve': '@printer @files force=false',
  completion: '',
  'plugin list': 'name-only=false',
};

export type FlagType = 'bool' | 'int' | 'duration' | 'text' | 'list' | 'array';

export interface FlagSpec {
  readonly name: string;
  readonly short: string | undefined;
  readonly type: FlagType;
  readonly fallback: string;
  /** The value of `--flag` without `=`. */
  readonly bare: string | undefined;
}

/** Lists whose values are not split at commas (pflag's StringArray). */
const arrays = new Set(['from-literal', 'env', 'annotations', 'annotation', 'rule', 'tcp-array']);
const bareValues: Readonly<Record<string, string>> = { 'dry-run': 'unchanged', validate: 'strict', cascade: 'background' };
const texts = new Set(['request-timeout']);

export function flagSpecs(line: string): FlagSpec[] {
  return line
    .split(' ')
    .flatMap((word) => groups[word]?.split(' ') ?? (word === '' ? [] : [word]))
    .map((word) => {
      const [, short, name, fallback] = /^(?:(.):)?([^=]+)=(.*)$/.exec(word) as unknown as [string, string | undefined, string, string];
      const type: FlagType = texts.has(name)
        ? 'text'
        : fallback === 'true' || fallback === 'false'
          ? 'bool'
          : fallback === '[]'
            ? arrays.has(name)
              ? 'array'
              : 'list'
            : /^-?\d+$/.test(fallback)
              ? 'int'
              : /^\d/.test(fallback)
                ? 'duration'
                : 'text';
      return { name, short, type, fallback: fallback.replace(/^'|'$|^\[\]$/g, ''), bare: type === 'bool' ? 'true' : bareValues[name] };
    });
}
