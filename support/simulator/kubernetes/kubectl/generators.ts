import { KubectlError, UsageError } from './errors.ts';
import { isDirectory, listDirectory, readFile } from './manifests.ts';
import type { Session } from './session.ts';
import { byText, type Dict, type Mutable } from './values.ts';

/** The objects of `kubectl create NOUN`, `run` and `expose`, with their fields in the order of the Go types. */

/** The NAME argument that every generator wants. */
function nameArgument(session: Session, noun: string): string {
  const { args, argsBeforeDash } = session.flags;
  const given = argsBeforeDash === -1 ? args : args.slice(0, argsBeforeDash);
  if (given.length !== 1) throw new UsageError(`exactly one NAME is required, got ${given.length}`, `kubectl ${noun}`);
  return given[0] as string;
}

function metadataOf(session: Session, name: string, extra: Dict = {}): Dict {
  return { name, ...(session.isNamespaceExplicit ? { namespace: session.namespace } : {}), creationTimestamp: null, ...extra };
}

function required(session: Session, ...names: string[]): void {
  const missing = names.filter((name) => !session.flags.isSet(name));
  if (missing.length > 0) throw new KubectlError(`required flag(s) ${missing.map((name) => JSON.stringify(name)).join(', ')} not set`);
}

function argvAfterDash(session: Session): readonly string[] {
  const { args, argsBeforeDash } = session.flags;
  return argsBeforeDash === -1 ? [] : args.slice(argsBeforeDash);
}

export function namespace(session: Session): Dict {
  return {
    kind: 'Namespace',
    apiVersion: 'v1',
    metadata: { name: nameArgument(session, 'create namespace'), creationTimestamp: null },
    spec: {},
    status: {},
  };
}

// ── configmaps and secrets ──────────────────────────────────────────────────────────────────────────────────

const keyPattern = /^[-._a-zA-Z0-9]+$/;

function readSources(session: Session): Map<string, string> {
  const { flags } = session;
  const data = new Map<string, string>();
  const add = (key: string, value: string): void => {
    if (!keyPattern.test(key)) {
      throw new KubectlError(
        `${JSON.stringify(key)} is not a valid key name for a ConfigMap: a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')`,
      );
    }
    if (data.has(key))
      throw new KubectlError(
        `cannot add key ${JSON.stringify(key)}, another key by that name already exists in Data for ConfigMap ${JSON.stringify(flags.args[0] ?? '')}`,
      );
    data.set(key, value);
  };
  const content = (path: string): string => {
    const text = readFile(session, path);
    if (text === undefined) throw new KubectlError(`error reading ${path}: no such file or directory`);
    return text;
  };
  for (const source of flags.list('from-file')) {
    const equals = source.indexOf('=');
    const path = source.slice(equals + 1);
    if (equals === -1 && isDirectory(session, path)) {
      for (const name of [...(listDirectory(session, path) ?? [])].sort())
        if (!isDirectory(session, `${path}/${name}`) && keyPattern.test(name)) add(name, content(`${path}/${name}`));
    } else add(equals === -1 ? (path.split('/').at(-1) as string) : source.slice(0, equals), content(path));
  }
  for (const source of flags.list('from-literal')) {
    const equals = source.indexOf('=');
    if (equals <= 0) throw new KubectlError(`invalid literal source ${source}, expected key=value`);
    add(source.slice(0, equals), source.slice(equals + 1).replace(/^(['"])(.*)\1$/s, '$2'));
  }
  for (const path of flags.list('from-env-file')) {
    for (const line of content(path).split('\n')) {
      const trimmed = line.trimStart();
      if (trimmed === '' || trimmed.startsWith('#')) continue;
      const equals = trimmed.indexOf('=');
      if (equals > 0) add(trimmed.slice(0, equals), trimmed.slice(equals + 1));
    }
  }
  return data;
}

export function configmap(session: Session): Dict {
  const name = nameArgument(session, 'create configmap');
  const data = readSources(session);
  return {
    kind: 'ConfigMap',
    apiVersion: 'v1',
    metadata: metadataOf(session, name),
    ...(data.size === 0 ? {} : { data: inOrder(data) }),
  };
}

/** Go writes maps in the order of their keys. */
function inOrder(data: ReadonlyMap<string, string>): Readonly<Record<string, string>> {
  return Object.fromEntries([...data].sort(([a], [b]) => byText(a, b)));
}

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

function secretOf(session: Session, name: string, type: string, data: ReadonlyMap<string, string>): Dict {
  const encoded: Mutable = {};
  for (const [key, value] of Object.entries(inOrder(data))) encoded[key] = base64(value);
  return {
    kind: 'Secret',
    apiVersion: 'v1',
    metadata: metadataOf(session, name),
    ...(data.size === 0 ? {} : { data: encoded }),
    ...(type === '' ? {} : { type }),
  };
}

export function secretGeneric(session: Session): Dict {
  return secretOf(session, nameArgument(session, 'create secret generic'), session.flags.text('type'), readSources(session));
}

export function secretTls(session: Session): Dict {
  const name = nameArgument(session, 'create secret tls');
  required(session, 'cert', 'key');
  const data = new Map<string, string>();
  for (const [key, flag] of [
    ['tls.crt', 'cert'],
    ['tls.key', 'key'],
  ] as const) {
    const path = session.flags.text(flag);
    const text = readFile(session, path);
    if (text === undefined) throw new KubectlError(`Cannot read file ${path}, open ${path}: no such file or directory`);
    data.set(key, text);
  }
  return secretOf(session, name, 'kubernetes.io/tls', data);
}

export function secretRegistry(session: Session): Dict {
  const name = nameArgument(session, 'create secret docker-registry');
  const { flags } = session;
  const username = flags.text('docker-username');
  const password = flags.text('docker-password');
  const email = flags.text('docker-email');
  if (username === '' || password === '')
    throw new KubectlError('either --from-file or the combination of --docker-username, --docker-password and --docker-server is required');
  const entry = { username, password, ...(email === '' ? {} : { email }), auth: base64(`${username}:${password}`) };
  return secretOf(
    session,
    name,
    'kubernetes.io/dockerconfigjson',
    new Map([['.dockerconfigjson', JSON.stringify({ auths: { [flags.text('docker-server')]: entry } })]]),
  );
}

// ── workloads ───────────────────────────────────────────────────────────────────────────────────────────────

export function deployment(session: Session): Dict {
  required(session, 'image');
  const { flags } = session;
  const name = nameArgument(session, 'create deployment');
  const images = flags.list('image');
  const command = argvAfterDash(session);
  if (images.length > 1 && command.length > 0) throw new KubectlError('cannot specify multiple --image options and command');
  if (flags.number('replicas') < 0) throw new KubectlError('--replicas must be non-negative');
  const port = flags.number('port');
  if (flags.isSet('port') && (port < 1 || port > 65_535)) throw new KubectlError('invalid port number');
  const labels = { app: name };
  const containers = images.map((image, index) => ({
    name: containerNameOf(image),
    image,
    ...(command.length > 0 ? { command: [...command] } : {}),
    ...(index === 0 && port >= 0 ? { ports: [{ containerPort: port }] } : {}),
    resources: {},
  }));
  return {
    kind: 'Deployment',
    apiVersion: 'apps/v1',
    metadata: metadataOf(session, name, { labels }),
    spec: {
      replicas: flags.number('replicas'),
      selector: { matchLabels: labels },
      template: { metadata: { creationTimestamp: null, labels }, spec: { containers } },
      strategy: {},
    },
    status: {},
  };
}

/** `quay.io/team/app:v1` → `app`. */
function containerNameOf(image: string): string {
  const base = image.split('/').at(-1) as string;
  return base
    .replace(/[@:].*$/, '')
    .toLowerCase()
    .replace(/[^-a-z0-9]/g, '-');
}

export function job(session: Session): Dict {
  const { flags } = session;
  const name = nameArgument(session, 'create job');
  const image = flags.text('image');
  if ((image === '') === (flags.text('from') === '')) throw new KubectlError('either --image or --from must be specified');
  if (image === '') throw new KubectlError('not simulated: kubectl create job --from');
  const command = argvAfterDash(session);
  const containers = [{ name, image, ...(command.length > 0 ? { command: [...command] } : {}), resources: {} }];
  return {
    kind: 'Job',
    apiVersion: 'batch/v1',
    metadata: metadataOf(session, name),
    spec: { template: { metadata: { creationTimestamp: null }, spec: { containers, restartPolicy: 'Never' } } },
    status: {},
  };
}

export function cronjob(session: Session): Dict {
  const { flags } = session;
  const name = nameArgument(session, 'create cronjob');
  required(session, 'image', 'schedule');
  const command = argvAfterDash(session);
  const containers = [{ name, image: flags.text('image'), ...(command.length > 0 ? { command: [...command] } : {}), resources: {} }];
  return {
    kind: 'CronJob',
    apiVersion: 'batch/v1',
    metadata: metadataOf(session, name),
    spec: {
      schedule: flags.text('schedule'),
      jobTemplate: {
        metadata: { name, creationTimestamp: null },
        spec: {
          template: { metadata: { creationTimestamp: null }, spec: { containers, restartPolicy: flags.text('restart') || 'OnFailure' } },
        },
      },
    },
    status: {},
  };
}

export function serviceaccount(session: Session): Dict {
  return { kind: 'ServiceAccount', apiVersion: 'v1', metadata: metadataOf(session, nameArgument(session, 'create serviceaccount')) };
}

// ── services ────────────────────────────────────────────────────────────────────────────────────────────────

function parsePorts(session: Session, nodePort: number): Dict[] {
  return session.flags.list('tcp').map((text) => {
    const [first, second] = text.split(':') as [string, string | undefined];
    const port = Number(first);
    if (!/^\d+$/.test(first) || port < 1 || port > 65_535)
      throw new KubectlError(
        /^\d+$/.test(first) ? `invalid port number: ${first}` : `strconv.ParseUint: parsing ${JSON.stringify(first)}: invalid syntax`,
      );
    const target = second === undefined ? port : /^\d+$/.test(second) ? Number(second) : second;
    return { name: text.replace(':', '-'), protocol: 'TCP', port, targetPort: target, ...(nodePort > 0 ? { nodePort } : {}) };
  });
}

export function service(type: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName'): (session: Session) => Dict {
  return (session) => {
    const { flags } = session;
    const name = nameArgument(session, `create service ${type.toLowerCase()}`);
    const clusterIp = flags.has('clusterip') ? flags.text('clusterip') : '';
    if (type === 'ExternalName') required(session, 'external-name');
    const ports = parsePorts(session, flags.has('node-port') ? flags.number('node-port') : 0);
    if (ports.length === 0 && type !== 'ExternalName' && clusterIp !== 'None')
      throw new KubectlError('at least one tcp port specifier must be provided');
    if (ports.length > 0 && clusterIp === 'None') throw new KubectlError('can not map ports with clusterip=None');
    return {
      kind: 'Service',
      apiVersion: 'v1',
      metadata: metadataOf(session, name, { labels: { app: name } }),
      spec: {
        ...(ports.length === 0 ? {} : { ports }),
        selector: { app: name },
        ...(clusterIp === '' ? {} : { clusterIP: clusterIp }),
        type,
        ...(type === 'ExternalName' ? { externalName: flags.text('external-name') } : {}),
      },
      status: { loadBalancer: {} },
    };
  };
}

// ── access and policy ───────────────────────────────────────────────────────────────────────────────────────

export function role(isCluster: boolean): (session: Session) => Dict {
  return (session) => {
    const { flags } = session;
    const name = nameArgument(session, isCluster ? 'create clusterrole' : 'create role');
    const verbs = [...new Set(flags.list('verb'))];
    if (verbs.length === 0) throw new KubectlError('at least one verb must be specified');
    const groups = new Map<string, string[]>();
    for (const text of flags.list('resource')) {
      const [resource, subresource] = text.split('/') as [string, string | undefined];
      const type = session.discovery.resource(resource);
      const names = groups.get(type.group) ?? [];
      names.push(subresource === undefined ? type.plural : `${type.plural}/${subresource}`);
      groups.set(type.group, names);
    }
    if (groups.size === 0 && (!isCluster || flags.list('non-resource-url').length === 0))
      throw new KubectlError('at least one resource must be specified');
    const resourceNames = flags.list('resource-name');
    const rules = [...groups].map(([group, resources]) => ({
      verbs,
      apiGroups: [group],
      resources,
      ...(resourceNames.length === 0 ? {} : { resourceNames }),
    }));
    if (!isCluster) return { kind: 'Role', apiVersion: 'rbac.authorization.k8s.io/v1', metadata: metadataOf(session, name), rules };
    const urls = flags.list('non-resource-url');
    return {
      kind: 'ClusterRole',
      apiVersion: 'rbac.authorization.k8s.io/v1',
      metadata: { name, creationTimestamp: null },
      rules: [...rules, ...(urls.length === 0 ? [] : [{ verbs, nonResourceURLs: urls }])],
    };
  };
}

export function binding(isCluster: boolean): (session: Session) => Dict {
  return (session) => {
    const { flags } = session;
    const apiGroup = 'rbac.authorization.k8s.io';
    const name = nameArgument(session, isCluster ? 'create clusterrolebinding' : 'create rolebinding');
    const clusterRole = flags.text('clusterrole');
    const ownRole = isCluster ? '' : flags.text('role');
    if (isCluster) required(session, 'clusterrole');
    if ((clusterRole === '') === (ownRole === '')) throw new KubectlError('exactly one of clusterrole or role must be specified');
    const subjects = [
      ...flags.list('user').map((user) => ({ kind: 'User', apiGroup, name: user })),
      ...flags.list('group').map((group) => ({ kind: 'Group', apiGroup, name: group })),
      ...flags.list('serviceaccount').map((text) => {
        const [space, account] = text.split(':');
        if (space === '' || account === undefined || account === '') throw new KubectlError('serviceaccount must be <namespace>:<name>');
        return { kind: 'ServiceAccount', name: account, namespace: space };
      }),
    ];
    return {
      kind: isCluster ? 'ClusterRoleBinding' : 'RoleBinding',
      apiVersion: `${apiGroup}/v1`,
      metadata: isCluster ? { name, creationTimestamp: null } : metadataOf(session, name),
      ...(subjects.length === 0 ? {} : { subjects }),
      roleRef: { apiGroup, kind: clusterRole === '' ? 'Role' : 'ClusterRole', name: clusterRole === '' ? ownRole : clusterRole },
    };
  };
}

export function priorityclass(session: Session): Dict {
  const { flags } = session;
  const name = nameArgument(session, 'create priorityclass');
  return {
    kind: 'PriorityClass',
    apiVersion: 'scheduling.k8s.io/v1',
    metadata: { name, creationTimestamp: null },
    value: flags.number('value'),
    ...(flags.is('global-default') ? { globalDefault: true } : {}),
    ...(flags.text('description') === '' ? {} : { description: flags.text('description') }),
    preemptionPolicy: flags.text('preemption-policy'),
  };
}

export function quota(session: Session): Dict {
  const name = nameArgument(session, 'create quota');
  const hard: Mutable = {};
  for (const part of session.flags
    .text('hard')
    .split(',')
    .filter((text) => text !== '')) {
    if (!part.includes('=')) throw new KubectlError(`Invalid argument syntax ${part}, expected <resource>=<value>`);
    hard[part.slice(0, part.indexOf('='))] = part.slice(part.indexOf('=') + 1);
  }
  return {
    kind: 'ResourceQuota',
    apiVersion: 'v1',
    metadata: metadataOf(session, name),
    spec: Object.keys(hard).length === 0 ? {} : { hard },
    status: {},
  };
}

// ── run ─────────────────────────────────────────────────────────────────────────────────────────────────────

/** `a=b,c=d`. */
export function parseLabels(text: string): Readonly<Record<string, string>> {
  const labels: Record<string, string> = {};
  for (const part of text.split(',')) {
    const equals = part.indexOf('=');
    if (equals <= 0) throw new KubectlError(`unexpected label spec: ${part}`);
    labels[part.slice(0, equals)] = part.slice(equals + 1);
  }
  return labels;
}

export function podToRun(session: Session, name: string, argv: readonly string[]): Dict {
  const { flags } = session;
  const restartPolicy = flags.text('restart');
  if (!['Always', 'OnFailure', 'Never'].includes(restartPolicy))
    throw new UsageError(`invalid restart policy: ${restartPolicy}`, 'kubectl run');
  const env = flags.list('env').map((text) => {
    const equals = text.indexOf('=');
    if (equals <= 0) throw new KubectlError(`invalid env: ${text}`);
    return { name: text.slice(0, equals), ...(text.length > equals + 1 ? { value: text.slice(equals + 1) } : {}) };
  });
  const port = flags.text('port');
  const annotations = flags.list('annotations');
  const policy = flags.text('image-pull-policy');
  const container = {
    name,
    image: flags.text('image'),
    ...(argv.length === 0 ? {} : flags.is('command') ? { command: [...argv] } : { args: [...argv] }),
    ...(port === '' ? {} : { ports: [{ containerPort: Number(port) }] }),
    ...(env.length === 0 ? {} : { env }),
    resources: {},
    ...(policy === '' ? {} : { imagePullPolicy: policy }),
    ...(flags.is('privileged') ? { securityContext: { privileged: true } } : {}),
    ...(flags.is('stdin') ? { stdin: true, stdinOnce: !flags.is('leave-stdin-open') } : {}),
    ...(flags.is('tty') ? { tty: true } : {}),
  };
  return {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: {
      name,
      ...(session.isNamespaceExplicit ? { namespace: session.namespace } : {}),
      creationTimestamp: null,
      labels: flags.text('labels') === '' ? { run: name } : parseLabels(flags.text('labels')),
      ...(annotations.length === 0 ? {} : { annotations: parseLabels(annotations.join(',')) }),
    },
    spec: { containers: [container], restartPolicy, dnsPolicy: 'ClusterFirst' },
    status: {},
  };
}
