import { Random } from '../../clock/random.ts';
import { encodeRaw, hasRawBytes } from '../../docker/byte-text.ts';
import { nameAlphabet } from '../apiserver/admission.ts';
import { KubectlError, UsageError } from './errors.ts';
import { jobFrom } from './further-generators.ts';
import { argvAfterDash, metadataOf, nameArgument, parseLabels, required } from './generator-parts.ts';
import { isDirectory, listDirectory, readFile } from './manifests.ts';
import type { Session } from './session.ts';
import { byText, type Dict, type Mutable } from './values.ts';

/** The objects of `kubectl create NOUN`, `run` and `expose`, with their fields in the order of the Go types. */

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
  if (flags.list('from-env-file').length > 0 && flags.list('from-file').length + flags.list('from-literal').length > 0)
    throw new KubectlError('from-env-file cannot be combined with from-file or from-literal');
  for (const source of flags.list('from-file')) {
    const equals = source.indexOf('=');
    const path = source.slice(equals + 1);
    if (equals === -1 && isDirectory(session, path)) {
      for (const name of [...(listDirectory(session, path) ?? [])].sort())
        if (!isDirectory(session, `${path}/${name}`) && keyPattern.test(name)) add(name, content(`${path}/${name}`));
    } else if (isDirectory(session, path)) throw new KubectlError('cannot give a key name for a directory path');
    else add(equals === -1 ? (path.split('/').at(-1) as string) : source.slice(0, equals), content(path));
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
      const key = equals === -1 ? trimmed : trimmed.slice(0, equals);
      if (!/^[-._a-zA-Z][-._a-zA-Z0-9]*$/.test(key))
        throw new KubectlError(
          `${JSON.stringify(key)} is not a valid key name: a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1', regex used for validation is '[-._a-zA-Z][-._a-zA-Z0-9]*')`,
        );
      // A bare name takes the value that it has here.
      const here = session.context.env.get(key);
      if (equals !== -1) add(key, trimmed.slice(equals + 1));
      else if (here !== undefined) add(key, here);
    }
  }
  return data;
}

export function configmap(session: Session): Dict {
  const name = nameArgument(session, 'create configmap');
  const data = readSources(session);
  // What is no UTF-8 goes elsewhere (create_configmap.go, handleConfigMapFromFileSource).
  const texts = new Map([...data].filter(([, value]) => !hasRawBytes(value)));
  const binary = new Map([...data].filter(([, value]) => hasRawBytes(value)).map(([key, value]) => [key, base64(value)]));
  return {
    kind: 'ConfigMap',
    apiVersion: 'v1',
    metadata: metadataOf(session, name),
    ...whereAny('data', texts),
    ...whereAny('binaryData', binary),
  };
}

function whereAny(field: string, data: ReadonlyMap<string, string>): Dict {
  return data.size === 0 ? {} : { [field]: inOrder(data) };
}

/** Go writes maps in the order of their keys. */
function inOrder(data: ReadonlyMap<string, string>): Readonly<Record<string, string>> {
  return Object.fromEntries([...data].sort(([a], [b]) => byText(a, b)));
}

function base64(text: string): string {
  return Buffer.from(encodeRaw(text)).toString('base64');
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
  if (session.flags.text('cert') === '' || session.flags.text('key') === '') throw new KubectlError('key and cert must be specified');
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
  const port = flags.number('port');
  if (flags.isSet('port') && (port < 1 || port > 65_535)) throw new KubectlError('invalid port number');
  const labels = { app: name };
  const containers = images.map((image, index) => ({
    name: containerNameOf(session, image),
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
function containerNameOf(session: Session, image: string): string {
  const base = image.split('/').at(-1) as string;
  const name = base.replace(/[@:].*$/, '');
  if (!/[_.]/.test(name)) return name;
  // What had to be mended is made unique as well.
  const random = new Random(`container-name/${image}/${session.now}`);
  const suffix = Array.from({ length: 5 }, () => nameAlphabet[random.uint32() % nameAlphabet.length]).join('');
  return `${name.replace(/[^-a-zA-Z0-9]/g, '-')}-${suffix}`;
}

export function job(session: Session): Dict {
  const { flags } = session;
  const name = nameArgument(session, 'create job');
  const image = flags.text('image');
  if ((image === '') === (flags.text('from') === '')) throw new KubectlError('either --image or --from must be specified');
  const command = argvAfterDash(session);
  if (image === '') {
    if (command.length > 0) throw new KubectlError('cannot specify --from and command');
    return jobFrom(session, name, flags.text('from'));
  }
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
  required(session, 'image', 'schedule');
  const name = nameArgument(session, 'create cronjob');
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
        /^\d+$/.test(first)
          ? `strconv.ParseUint: parsing ${JSON.stringify(first)}: value out of range`
          : `strconv.ParseUint: parsing ${JSON.stringify(first)}: invalid syntax`,
      );
    if (second !== undefined && !/^[-a-z0-9]+$/i.test(second))
      throw new KubectlError('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
    const target = second === undefined ? port : /^\d+$/.test(second) ? Number(second) : second;
    return { name: text.replace(':', '-'), protocol: 'TCP', port, targetPort: target, ...(nodePort > 0 ? { nodePort } : {}) };
  });
}

export function service(type: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName'): (session: Session) => Dict {
  return (session) => {
    const { flags } = session;
    const name = nameArgument(session, `create service ${type.toLowerCase()}`);
    const clusterIp = flags.has('clusterip') ? flags.text('clusterip') : '';
    const external = type === 'ExternalName' ? flags.text('external-name') : '';
    if (type === 'ExternalName') required(session, 'external-name');
    if (external !== '' && !/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(external))
      throw new KubectlError(`invalid service external name ${external}`);
    const ports = parsePorts(session, flags.has('node-port') ? flags.number('node-port') : 0);
    if (ports.length === 0 && type !== 'ExternalName' && clusterIp !== 'None')
      throw new KubectlError('at least one tcp port specifier must be provided');
    return {
      kind: 'Service',
      apiVersion: 'v1',
      metadata: metadataOf(session, name, { labels: { app: name } }),
      spec: {
        ...(ports.length === 0 ? {} : { ports }),
        selector: { app: name },
        ...(clusterIp === '' ? {} : { clusterIP: clusterIp }),
        type,
        ...(type === 'ExternalName' ? { externalName: external } : {}),
      },
      status: { loadBalancer: {} },
    };
  };
}

// ── run ─────────────────────────────────────────────────────────────────────────────────────────────────────

/** The grammar of distribution/reference, as far as a name, a tag and a digest go. */
function isImageReference(text: string): boolean {
  return /^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:\d+)?\/)?[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*(:[\w][\w.-]{0,127})?(@[A-Za-z][A-Za-z0-9]*([-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?$/.test(
    text,
  );
}

export function podToRun(session: Session, name: string, argv: readonly string[]): Dict {
  const { flags } = session;
  const restartPolicy = flags.text('restart');
  if (!['Always', 'OnFailure', 'Never'].includes(restartPolicy))
    throw new UsageError(`invalid restart policy: ${restartPolicy}`, 'kubectl run');
  const image = flags.text('image');
  if (!isImageReference(image)) throw new KubectlError(`Invalid image name ${JSON.stringify(image)}: invalid reference format`);
  const env = flags.list('env').map((text) => {
    const equals = text.indexOf('=');
    if (equals <= 0) throw new KubectlError(`invalid env: ${text}`);
    return { name: text.slice(0, equals), ...(text.length > equals + 1 ? { value: text.slice(equals + 1) } : {}) };
  });
  const port = flags.text('port');
  const annotations = flags.list('annotations');
  if (port !== '' && !/^[+-]?\d+$/.test(port)) throw new KubectlError(`strconv.Atoi: parsing ${JSON.stringify(port)}: invalid syntax`);
  const policy = flags.text('image-pull-policy');
  if (!['', 'Always', 'IfNotPresent', 'Never'].includes(policy))
    throw new UsageError(`invalid image pull policy: ${policy}`, 'kubectl run');
  const container = {
    name,
    image,
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
