import { canonicalQuantity } from '../apiserver/quantity.ts';
import { KubectlError, PlainError } from './errors.ts';
import { metadataOf, nameArgument, parseLabels, required } from './generator-parts.ts';
import { readInfo } from './resources.ts';
import { accepts, type Session } from './session.ts';
import { at, type Dict, dictAt, type Mutable, stringsAt, textAt } from './values.ts';

/** More objects of `kubectl create NOUN`: ingresses, disruption budgets, jobs from cron jobs, roles and quotas. */

const ruleForm = /^([\w*.-]*)(\/.*)=([\w-]+):([\w-]+)(,(tls)=?([\w-]+)?)?/;

export function ingress(session: Session): Dict {
  const { flags } = session;
  const name = nameArgument(session, 'create ingress');
  const rules = flags.list('rule');
  const byDefault = flags.text('default-backend');
  if (byDefault === '' && rules.length === 0)
    throw new KubectlError(
      'not enough information provided: every ingress has to either specify a default-backend (which catches all traffic) or a list of rules (which catch specific paths)',
    );
  for (const rule of rules)
    if (!ruleForm.test(rule))
      throw new KubectlError(`rule ${rule} is invalid and should be in format host/path=svcname:svcport[,tls[=secret]]`);
  const annotations: Mutable = {};
  for (const annotation of flags.list('annotation')) {
    if (!annotation.includes('=')) throw new KubectlError(`annotation ${annotation} is invalid and should be in format key=[value]`);
    annotations[annotation.slice(0, annotation.indexOf('='))] = annotation.slice(annotation.indexOf('=') + 1);
  }
  if (byDefault !== '' && byDefault.split(':').length !== 2)
    throw new KubectlError('default-backend should be in format servicename:serviceport');
  const tls = tlsOf(rules);
  const className = flags.text('class');
  return {
    kind: 'Ingress',
    apiVersion: 'networking.k8s.io/v1',
    metadata: metadataOf(session, name, Object.keys(annotations).length === 0 ? {} : { annotations }),
    spec: {
      ...(className === '' ? {} : { ingressClassName: className }),
      ...(byDefault === '' ? {} : { defaultBackend: backendOf(byDefault) }),
      ...(tls.length === 0 ? {} : { tls }),
      ...(rules.length === 0 ? {} : { rules: rulesOf(rules) }),
    },
    status: { loadBalancer: {} },
  };
}

/** Rules of one host share an entry. */
function rulesOf(rules: readonly string[]): readonly Dict[] {
  const byHost = new Map<string, Dict[]>();
  for (const rule of rules) {
    const [host, rest] = splitOnce(rule.split(',')[0] as string, '/');
    const [path, service] = rest.split('=') as [string, string];
    const isPrefix = `/${path}`.endsWith('*');
    const entry = {
      path: isPrefix ? `/${path}`.slice(0, -1) : `/${path}`,
      pathType: isPrefix ? 'Prefix' : 'Exact',
      backend: backendOf(service),
    };
    byHost.set(host, [...(byHost.get(host) ?? []), entry]);
  }
  return [...byHost].map(([host, paths]) => ({ ...(host === '' ? {} : { host }), http: { paths } }));
}

/** A host counts once; hosts with one secret share an entry. */
function tlsOf(rules: readonly string[]): readonly Dict[] {
  const entries: { hosts: string[]; secretName: string }[] = [];
  const seen = new Set<string>();
  for (const rule of rules) {
    const [, tls, ...more] = rule.split(',');
    const [host] = splitOnce(rule, '/');
    if (tls === undefined || more.length > 0 || seen.has(host)) continue;
    seen.add(host);
    const secretName = tls.split('=')[1] ?? '';
    const shared = entries.find((entry) => entry.secretName === secretName);
    if (shared !== undefined) shared.hosts.push(host);
    else if (secretName !== '' || host !== '') entries.push({ hosts: host === '' ? [] : [host], secretName });
  }
  return entries.map(({ hosts, secretName }) => ({
    ...(hosts.length === 0 ? {} : { hosts }),
    ...(secretName === '' ? {} : { secretName }),
  }));
}

function splitOnce(text: string, separator: string): [string, string] {
  const index = text.indexOf(separator);
  return index === -1 ? [text, ''] : [text.slice(0, index), text.slice(index + 1)];
}

function backendOf(text: string): Dict {
  const [name, port] = text.split(':') as [string, string];
  return { service: { name, port: /^-?\d+$/.test(port) ? { number: Number(port) } : { name: port } } };
}

export function disruptionBudget(session: Session): Dict {
  const { flags } = session;
  const name = nameArgument(session, 'create poddisruptionbudget');
  const selector = flags.text('selector');
  const [least, most] = [flags.text('min-available'), flags.text('max-unavailable')];
  if (selector === '') throw new KubectlError('a selector must be specified');
  if (least === '' && most === '') throw new KubectlError('one of min-available or max-unavailable must be specified');
  if (least !== '' && most !== '') throw new KubectlError('min-available and max-unavailable cannot be both specified');
  const amount = /^[0-9]+%?$/;
  if (least !== '' && !amount.test(least)) throw new KubectlError('invalid format specified for min-available');
  if (most !== '' && !amount.test(most)) throw new KubectlError('invalid format specified for max-unavailable');
  const value = (text: string): number | string => (text.endsWith('%') ? text : Number(text));
  const labels: Record<string, string> = {};
  for (const part of selector.split(',')) {
    const [key, text] = splitOnce(part, '=');
    labels[key] = text.replace(/^=/, '');
  }
  return {
    kind: 'PodDisruptionBudget',
    apiVersion: 'policy/v1',
    metadata: metadataOf(session, name),
    spec: {
      ...(least === '' ? {} : { minAvailable: value(least) }),
      selector: { matchLabels: labels },
      ...(most === '' ? {} : { maxUnavailable: value(most) }),
    },
    status: { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 },
  };
}

/** `kubectl create job --from=cronjob/NAME`. */
export function jobFrom(session: Session, name: string, source: string): Dict {
  const slash = source.indexOf('/');
  if (slash === -1) throw new KubectlError('from must be an existing cronjob');
  const type = session.discovery.resource(source.slice(0, slash));
  const info = {
    type,
    name: source.slice(slash + 1),
    namespace: type.isNamespaced ? session.namespace : '',
    source: '',
    object: undefined,
  };
  const cronJob = readInfo(session, info, { accept: accepts.any }).object as Dict;
  if (type.kind !== 'CronJob') throw new KubectlError(`unknown object type *${type.version}.${type.kind}`);
  const template = dictAt(cronJob, 'spec', 'jobTemplate');
  const labels = stringsAt(template, 'metadata', 'labels');
  return {
    kind: 'Job',
    apiVersion: 'batch/v1',
    metadata: metadataOf(session, name, {
      ...(Object.keys(labels).length === 0 ? {} : { labels }),
      annotations: { 'cronjob.kubernetes.io/instantiate': 'manual', ...stringsAt(template, 'metadata', 'annotations') },
      ownerReferences: [
        {
          apiVersion: 'batch/v1',
          kind: 'CronJob',
          name: textAt(cronJob, 'metadata', 'name'),
          uid: textAt(cronJob, 'metadata', 'uid'),
          controller: true,
        },
      ],
    }),
    spec: at(template, 'spec'),
    status: {},
  };
}

// ── access and policy ───────────────────────────────────────────────────────────────────────────────────────

export function role(isCluster: boolean): (session: Session) => Dict {
  return (session) => {
    const { flags } = session;
    const name = nameArgument(session, isCluster ? 'create clusterrole' : 'create role');
    const verbs = [...new Set(flags.list('verb'))];
    if (isCluster && flags.text('aggregation-rule') !== '') return aggregated(name, flags.text('aggregation-rule'));
    if (verbs.length === 0) throw new KubectlError('at least one verb must be specified');
    const groups = new Map<string, string[]>();
    for (const text of flags.list('resource')) {
      const [resource, subresource] = text.split('/') as [string, string | undefined];
      if (resource === '*') {
        groups.set('', [...(groups.get('') ?? []), '*']);
        continue;
      }
      const type = session.discovery.optional(resource);
      if (type === undefined) throw new PlainError(`the server doesn't have a resource type ${JSON.stringify(resource)}`);
      const names = groups.get(type.group) ?? [];
      names.push(subresource === undefined ? type.plural : `${type.plural}/${subresource}`);
      groups.set(type.group, names);
    }
    if (groups.size === 0 && (!isCluster || flags.list('non-resource-url').length === 0))
      throw new KubectlError(isCluster ? 'one of resource or nonResourceURL must be specified' : 'at least one resource must be specified');
    for (const verb of verbs) if (!isCluster && !standardVerbs.has(verb)) session.err(`Warning: '${verb}' is not a standard resource verb`);
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

const standardVerbs = new Set(
  'get delete list create update patch watch proxy deletecollection use bind escalate impersonate *'.split(' '),
);

function aggregated(name: string, rule: string): Dict {
  return {
    kind: 'ClusterRole',
    apiVersion: 'rbac.authorization.k8s.io/v1',
    metadata: { name, creationTimestamp: null },
    rules: null,
    aggregationRule: { clusterRoleSelectors: [{ matchLabels: parseLabels(rule) }] },
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
    const amount = canonicalQuantity(part.slice(part.indexOf('=') + 1));
    if (amount === undefined)
      throw new KubectlError("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
    hard[part.slice(0, part.indexOf('='))] = amount;
  }
  const scopes = session.flags
    .text('scopes')
    .split(',')
    .filter((scope) => scope !== '');
  return {
    kind: 'ResourceQuota',
    apiVersion: 'v1',
    metadata: metadataOf(session, name),
    spec: { ...(Object.keys(hard).length === 0 ? {} : { hard }), ...(scopes.length === 0 ? {} : { scopes }) },
    status: {},
  };
}
