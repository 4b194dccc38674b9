import { groupVersionOf, qualifiedPlural, type ResourceType } from '../discovery.ts';
import { KubectlError, PlainError, UsageError } from '../errors.ts';
import { toYaml } from '../go-yaml.ts';
import { goJsonIndented } from '../json.ts';
import { objectPrinter } from '../printers.ts';
import { accepts, type Session } from '../session.ts';
import { formatTable } from '../table.ts';
import { byText, dictAt, isDict, listAt, stringsAt, textAt } from '../values.ts';
import type { Kubeconfig } from '../verbs.ts';

const address = 'https://127.0.0.1:6443';

// ── what the server offers ──────────────────────────────────────────────────────────────────────────────────

function noArguments(session: Session, command: string): void {
  const { args } = session.flags;
  if (args.length > 0) throw new UsageError(`unexpected arguments: [${args.join(' ')}]`, command);
}

export function apiResources(session: Session): void {
  const { flags } = session;
  noArguments(session, 'kubectl api-resources');
  const output = flags.text('output');
  if (!['', 'wide', 'name'].includes(output)) throw new KubectlError(`--output ${output} is not available`);
  const sortBy = flags.text('sort-by');
  if (!['', 'name', 'kind'].includes(sortBy)) throw new KubectlError('--sort-by accepts only name or kind');
  const verbs = flags.list('verbs');
  const categories = flags.list('categories');
  const types = session.discovery
    .refresh()
    .filter((type) => type.isPreferred || !hasPreferred(session, type))
    .filter((type) => type.verbs.length > 0)
    .filter((type) => !flags.isSet('api-group') || type.group === flags.text('api-group'))
    .filter((type) => !flags.isSet('namespaced') || type.isNamespaced === flags.is('namespaced'))
    .filter(
      (type) => verbs.every((verb) => type.verbs.includes(verb)) && categories.every((category) => type.categories.includes(category)),
    );
  const order: (a: ResourceType, b: ResourceType) => number =
    sortBy === 'name'
      ? (a, b) => byText(a.plural, b.plural)
      : sortBy === 'kind'
        ? (a, b) => byText(a.kind, b.kind)
        : (a, b) => byText(a.group, b.group) || byText(a.plural, b.plural);
  const sorted = [...types].sort(order);
  if (output === 'name') {
    for (const type of sorted) session.out(qualifiedPlural(type));
    return;
  }
  const header = ['NAME', 'SHORTNAMES', 'APIVERSION', 'NAMESPACED', 'KIND', ...(output === 'wide' ? ['VERBS', 'CATEGORIES'] : [])];
  const rows = sorted.map((type) => [
    type.plural,
    type.shortNames.join(','),
    groupVersionOf(type),
    String(type.isNamespaced),
    type.kind,
    ...(output === 'wide' ? [[...type.verbs].sort(byText).join(','), type.categories.join(',')] : []),
  ]);
  session.stdout += formatTable(flags.is('no-headers') ? rows : [header, ...rows]);
}

/** A kind that only an older version of its group has is listed in that version. */
function hasPreferred(session: Session, type: ResourceType): boolean {
  return session.discovery.types.some((other) => other.isPreferred && other.group === type.group && other.plural === type.plural);
}

export function apiVersions(session: Session): void {
  noArguments(session, 'kubectl api-versions');
  const versions = new Set(session.discovery.refresh().map(groupVersionOf));
  for (const version of [...versions].sort(byText)) session.out(version);
}

export function clusterInfo(session: Session): void {
  session.out(`Kubernetes control plane is running at ${address}`);
  const page = session.request('GET', '/api/v1/namespaces/kube-system/services', {
    query: { labelSelector: 'kubernetes.io/cluster-service=true' },
    accept: accepts.any,
  });
  for (const service of listAt(page, 'items')) {
    const labels = stringsAt(service, 'metadata', 'labels');
    const name = labels['kubernetes.io/name'] ?? textAt(service, 'metadata', 'name');
    const ports = listAt(service, 'spec', 'ports');
    const port = ports.length === 0 ? '' : `:${textAt(ports[0], 'name')}`;
    session.out(
      `${name} is running at ${address}/api/v1/namespaces/kube-system/services/${textAt(service, 'metadata', 'name')}${port}/proxy`,
    );
  }
  session.out("\nTo further debug and diagnose cluster problems, use 'kubectl cluster-info dump'.");
}

export function version(session: Session): void {
  const { flags } = session;
  const output = flags.text('output');
  if (flags.args.length > 0) throw new KubectlError(`extra arguments: [${flags.args.join(' ')}]`);
  if (output !== '' && output !== 'yaml' && output !== 'json') throw new KubectlError(`--output must be 'yaml' or 'json'`);
  const client = {
    major: '1',
    minor: '32',
    gitVersion: 'v1.32.5',
    gitCommit: '9894294ef13a5b32803e3ca2c0d620a088cc84d1',
    gitTreeState: 'clean',
    buildDate: '2025-05-15T09:12:10Z',
    goVersion: 'go1.23.8',
    compiler: 'gc',
    platform: 'linux/amd64',
  };
  let server: Readonly<Record<string, unknown>> | undefined;
  if (!flags.is('client')) {
    const answer = session.request('GET', '/version', { query: { timeout: '32s' }, accept: accepts.any });
    if (isDict(answer)) server = answer;
  }
  const minor = Number.parseInt(textAt(server, 'minor'), 10);
  if (server !== undefined && Math.abs(minor - 32) > 1)
    session.err(
      `WARNING: version difference between client (1.32) and server (${textAt(server, 'major')}.${minor}) exceeds the supported minor version skew of +/-1`,
    );
  if (output !== '') {
    const whole = { clientVersion: client, kustomizeVersion: 'v5.5.0', ...(server === undefined ? {} : { serverVersion: server }) };
    session.stdout += output === 'yaml' ? `${toYaml(whole)}\n` : `${JSON.stringify(whole, null, 2)}\n`;
    return;
  }
  session.out(`Client Version: ${client.gitVersion}\nKustomize Version: v5.5.0`);
  if (server === undefined) return;
  session.out(`Server Version: ${textAt(server, 'gitVersion')}`);
}

// ── config ──────────────────────────────────────────────────────────────────────────────────────────────────

function configOf(kubeconfig: Kubeconfig): Readonly<Record<string, unknown>> {
  const name = kubeconfig.contextName;
  return {
    apiVersion: 'v1',
    clusters: [{ cluster: { 'certificate-authority-data': 'DATA+OMITTED', server: address }, name }],
    contexts: [
      { context: { cluster: name, ...(kubeconfig.namespace === 'default' ? {} : { namespace: kubeconfig.namespace }), user: name }, name },
    ],
    'current-context': name,
    kind: 'Config',
    preferences: {},
    users: [{ name, user: { 'client-certificate-data': 'DATA+OMITTED', 'client-key-data': 'DATA+OMITTED' } }],
  };
}

export async function configView(session: Session, kubeconfig: Kubeconfig): Promise<void> {
  noArguments(session, 'kubectl config view');
  const output = session.flags.text('output');
  const config = configOf(kubeconfig);
  if (output === 'yaml' || output === '') session.stdout += toYaml(config);
  else if (output === 'json') session.stdout += `${goJsonIndented(config)}\n`;
  else session.stdout += (await objectPrinter(session, output))(config);
}

export function configGetContexts(session: Session, kubeconfig: Kubeconfig): void {
  const { flags } = session;
  const name = kubeconfig.contextName;
  const wanted = flags.args;
  for (const arg of wanted) if (arg !== name) session.err(`error: context ${arg} not found`);
  const output = flags.text('output');
  if (output !== '' && output !== 'name')
    throw new KubectlError(`--output ${output} is not available in kubectl config get-contexts; resetting to default output format`);
  const isShown = wanted.length === 0 || wanted.includes(name);
  if (output === 'name') {
    if (isShown) session.out(name);
  } else {
    const row = ['*', name, name, name, kubeconfig.namespace === 'default' ? '' : kubeconfig.namespace];
    session.stdout += formatTable([
      ...(flags.is('no-headers') ? [] : [['CURRENT', 'NAME', 'CLUSTER', 'AUTHINFO', 'NAMESPACE']]),
      ...(isShown ? [row] : []),
    ]);
  }
  if (wanted.some((arg) => arg !== name)) session.exitCode = 1;
}

export function configCurrentContext(session: Session, kubeconfig: Kubeconfig): void {
  session.out(kubeconfig.contextName);
}

export function configGetClusters(session: Session, kubeconfig: Kubeconfig): void {
  session.out('NAME');
  session.out(kubeconfig.contextName);
}

export function configUseContext(session: Session, kubeconfig: Kubeconfig): void {
  const [name] = session.flags.args;
  if (session.flags.args.length !== 1 || name === undefined) throw new KubectlError(`Unexpected args: [${session.flags.args.join(' ')}]`);
  if (name !== kubeconfig.contextName) throw new KubectlError(`no context exists with the name: ${JSON.stringify(name)}`);
  session.out(`Switched to context ${JSON.stringify(name)}.`);
}

/** Only the namespace of the one context can be changed. */
export function configSetContext(session: Session, kubeconfig: Kubeconfig): void {
  const { flags } = session;
  const name = flags.is('current') ? kubeconfig.contextName : flags.args[0];
  if (name === undefined) throw new KubectlError('you must specify a non-empty context name or --current');
  if (name !== kubeconfig.contextName)
    throw new PlainError(`error: not simulated: kubectl config set-context for a second context (${name})`);
  if (flags.text('cluster') !== '' || flags.text('user') !== '')
    throw new PlainError('error: not simulated: kubectl config set-context --cluster or --user');
  if (flags.isSet('namespace')) kubeconfig.namespace = flags.text('namespace') || 'default';
  session.out(`Context ${JSON.stringify(name)} modified.`);
}

// ── auth and top ────────────────────────────────────────────────────────────────────────────────────────────

export async function whoami(session: Session): Promise<void> {
  const output = session.flags.text('output');
  const type = session.discovery.optional('selfsubjectreviews.authentication.k8s.io');
  const user = session.flags.text('as') || 'kubernetes-admin';
  const review =
    type === undefined
      ? {
          kind: 'SelfSubjectReview',
          apiVersion: 'authentication.k8s.io/v1',
          status: { userInfo: { username: user, groups: ['kubeadm:cluster-admins', 'system:authenticated'] } },
        }
      : session.request('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', {
          accept: accepts.typed,
          body: { kind: 'SelfSubjectReview', apiVersion: 'authentication.k8s.io/v1', metadata: {} },
        });
  if (output !== '') {
    session.stdout += (await objectPrinter(session, output))({
      kind: 'SelfSubjectReview',
      apiVersion: 'authentication.k8s.io/v1',
      ...(isDict(review) ? review : {}),
    });
    return;
  }
  const info = dictAt(review, 'status', 'userInfo');
  const rows = [
    ['ATTRIBUTE', 'VALUE'],
    ['Username', textAt(info, 'username')],
  ];
  if (textAt(info, 'uid') !== '') rows.push(['UID', textAt(info, 'uid')]);
  const groups = listAt(info, 'groups').map(String);
  if (groups.length > 0) rows.push(['Groups', `[${groups.join(' ')}]`]);
  session.stdout += formatTable(rows);
}

/** The verbs that `kubectl auth can-i` knows. */
const resourceVerbs = new Set(
  'get list watch create update patch delete deletecollection use bind impersonate * approve sign escalate attest'.split(' '),
);
const nonResourceVerbs = new Set('get put post head options delete patch *'.split(' '));

/** There is one user, the administrator: everything that exists is allowed. */
export function canI(session: Session): void {
  const { flags } = session;
  if (flags.is('list')) {
    session.stdout += formatTable([
      ['Resources', 'Non-Resource URLs', 'Resource Names', 'Verbs'],
      ['*.*', '[]', '[]', '[*]'],
      ['', '[*]', '[]', '[*]'],
    ]);
    return;
  }
  const [verb, resource] = flags.args;
  if (verb === undefined || resource === undefined)
    throw new KubectlError(
      "you must specify two arguments: verb resource or verb resource/resourceName.\nSee 'kubectl auth can-i -h' for help and examples.",
    );
  if (flags.args.length > 2)
    throw new KubectlError(
      "you must specify two arguments: verb resource or verb resource/resourceName.\nSee 'kubectl auth can-i -h' for help and examples.",
    );
  const isPath = resource.startsWith('/');
  if (isPath ? !nonResourceVerbs.has(verb) : !resourceVerbs.has(verb)) session.err(`Warning: verb '${verb}' is not a known verb\n`);
  if (flags.text('as') !== '') throw new PlainError('error: not simulated: permissions of other users (kubectl auth can-i --as)');
  if (!resource.startsWith('/') && resource !== '*' && session.discovery.optional(resource.split('/')[0] as string) === undefined) {
    const [name, group] = (resource.split('/')[0] as string).split(/\.(.*)/s) as [string, string | undefined];
    session.err(`Warning: the server doesn't have a resource type '${name}'${group === undefined ? '' : ` in group '${group}'`}\n`);
  } else if (!isPath && resource !== '*' && !flags.is('all-namespaces')) {
    const type = session.discovery.optional(resource.split('/')[0] as string);
    if (type !== undefined && !type.isNamespaced)
      session.err(`Warning: resource '${type.plural}' is not namespace scoped${type.group === '' ? '' : ` in group '${type.group}'`}\n`);
  }
  if (!flags.is('quiet')) session.out('yes');
}

export function top(): void {
  throw new KubectlError('Metrics API not available');
}
