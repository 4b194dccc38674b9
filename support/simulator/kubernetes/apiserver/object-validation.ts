import type { FieldCause } from '../types.ts';
import { isEqual, isObject } from './decode.ts';
import { fromBase64 } from './defaults.ts';
import { fieldDuplicate, fieldForbidden, fieldInvalid, fieldNotSupported, fieldRequired, GoLiteral, goQuote } from './errors.ts';
import { labelMessage, validateLabels } from './field-rules.ts';
import { validateAmount, validateResourceName } from './pod-validation.ts';
import { parseQuantity } from './quantity.ts';
import {
  atLeastZero,
  atMostAll,
  between,
  check,
  configKey,
  countOrPercent,
  isUnset,
  items,
  type Json,
  label,
  oneOf,
  portNumberOrName,
  qualifiedName,
  type Rule,
  record,
  required,
  subdomain,
  texts,
} from './rules.ts';
import { isCidr } from './schema.ts';
import { validateSelector } from './selector-validation.ts';

// Validation of the smaller built-in types, in the words and the order of Kubernetes 1.27 (`pkg/apis/*/validation`).

type Check = (object: Json, causes: FieldCause[], old: Json | undefined) => void;

const specOf = (object: Json | undefined): Json => record(object?.['spec']);

function keep(object: Json, old: Json | undefined, field: string, causes: FieldCause[], detail = 'field is immutable'): void {
  if (old !== undefined && !isEqual(object[field], old[field])) causes.push(fieldInvalid(field, object[field] ?? null, detail));
}

const isFrozen = (old: Json | undefined): boolean => old?.['immutable'] === true;
const frozen = 'field is immutable when `immutable` is set';

const configMap: Check = (object, causes, old) => {
  const binary = record(object['binaryData']);
  for (const key of Object.keys(record(object['data']))) {
    configKey(key, `data[${key}]`, causes);
    if (binary[key] !== undefined) causes.push(fieldInvalid(`data[${key}]`, key, 'duplicate of key present in binaryData'));
  }
  for (const key of Object.keys(binary)) configKey(key, `binaryData[${key}]`, causes);
  if (!isFrozen(old)) return;
  if (object['immutable'] !== true) causes.push(fieldForbidden('immutable', frozen));
  for (const field of ['data', 'binaryData'])
    if (!isEqual(object[field] ?? {}, old?.[field] ?? {})) causes.push(fieldForbidden(field, frozen));
};

const secretText = new GoLiteral('"<secret contents redacted>"');
const secretKeys: Readonly<Record<string, readonly string[]>> = {
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/dockercfg': ['.dockercfg'],
};

const secret: Check = (object, causes, old) => {
  const data = record(object['data']);
  if (old !== undefined) keep(object, old, 'type', causes);
  if (isFrozen(old)) {
    if (object['immutable'] !== true) causes.push(fieldForbidden('immutable', frozen));
    if (!isEqual(data, record(old?.['data']))) causes.push(fieldForbidden('data', frozen));
  }
  for (const key of Object.keys(data)) configKey(key, `data[${key}]`, causes);
  const type = String(object['type'] ?? '');
  if (type === 'kubernetes.io/service-account-token') {
    const name = record(record(object['metadata'])['annotations'])['kubernetes.io/service-account.name'];
    if (isUnset(name)) causes.push(fieldRequired('metadata.annotations[kubernetes.io/service-account.name]'));
  }
  if (type === 'kubernetes.io/basic-auth' && data['username'] === undefined && data['password'] === undefined)
    causes.push(fieldRequired('data[username]'), fieldRequired('data[password]'));
  for (const key of secretKeys[type] ?? []) {
    const value = data[key];
    if (value === undefined) causes.push(fieldRequired(`data[${key}]`));
    else if (key.startsWith('.docker')) {
      const text = fromBase64(String(value));
      try {
        JSON.parse(text);
      } catch {
        const first = text.trimStart()[0];
        const why = first === undefined ? 'unexpected end of JSON input' : `invalid character '${first}' looking for beginning of value`;
        causes.push(fieldInvalid(`data[${key}]`, secretText, why));
      }
    }
  }
};

// ── policies and routes ─────────────────────────────────────────────────────────────────────────────────────

function isWithin(inner: string, outer: string): boolean {
  const parse = (text: string): readonly [bits: string, length: number] => {
    const [address = '', length = '0'] = text.split('/');
    return [bitsOf(address), Number(length)];
  };
  const [innerBits, innerLength] = parse(inner);
  const [outerBits, outerLength] = parse(outer);
  return innerBits.length === outerBits.length && innerLength > outerLength && innerBits.startsWith(outerBits.slice(0, outerLength));
}

function bitsOf(address: string): string {
  if (!address.includes(':'))
    return address
      .split('.')
      .map((part) => Number(part).toString(2).padStart(8, '0'))
      .join('');
  const [head = '', tail] = address.split('::');
  const groups = (text: string | undefined): readonly string[] => (text === undefined || text === '' ? [] : text.split(':'));
  const left = groups(head);
  const right = groups(tail);
  const middle = tail === undefined ? [] : Array.from({ length: 8 - left.length - right.length }, () => '0');
  return [...left, ...middle, ...right].map((group) => Number.parseInt(group, 16).toString(2).padStart(16, '0')).join('');
}

function policyPort(port: Json, at: string, causes: FieldCause[]): void {
  oneOf('TCP', 'UDP', 'SCTP')(port['protocol'], `${at}.protocol`, causes);
  const { port: number, endPort } = port;
  if (number === undefined) {
    if (endPort !== undefined) causes.push(fieldInvalid(`${at}.endPort`, endPort, 'may not be specified when `port` is not specified'));
    return;
  }
  portNumberOrName(number, `${at}.port`, causes);
  if (endPort === undefined) return;
  if (typeof number === 'string') causes.push(fieldInvalid(`${at}.endPort`, endPort, 'may not be specified when `port` is non-numeric'));
  else {
    if (Number(endPort) < Number(number)) causes.push(fieldInvalid(`${at}.endPort`, number, 'must be greater than or equal to `port`'));
    between(1, 65535)(endPort, `${at}.endPort`, causes);
  }
}

function policyPeer(peer: Json, at: string, causes: FieldCause[]): void {
  const { ipBlock, podSelector, namespaceSelector } = peer;
  let count = 0;
  for (const [name, selector] of Object.entries({ podSelector, namespaceSelector })) {
    if (!isObject(selector)) continue;
    count++;
    validateSelector(selector, `${at}.${name}`, causes);
  }
  if (isObject(ipBlock)) {
    const cidr = String(ipBlock['cidr'] ?? '');
    if (cidr === '') causes.push(fieldRequired(`${at}.ipBlock.cidr`));
    else if (!isCidr(cidr)) causes.push(fieldInvalid(`${at}.ipBlock.cidr`, cidr, 'not a valid CIDR'));
    else
      for (const [index, except] of texts(ipBlock['except']).entries()) {
        const here = `${at}.ipBlock.except[${index}]`;
        if (!isCidr(except)) causes.push(fieldInvalid(here, except, 'not a valid CIDR'));
        else if (!isWithin(except, cidr)) causes.push(fieldInvalid(here, except, 'must be a strict subset of `cidr`'));
      }
    if (count > 0) causes.push(fieldForbidden(at, 'may not specify both ipBlock and another peer'));
    count++;
  }
  if (count === 0) causes.push(fieldRequired(at, 'must specify a peer'));
}

const networkPolicy: Check = (object, causes) => {
  const spec = specOf(object);
  validateSelector(spec['podSelector'], 'spec.podSelector', causes);
  for (const [direction, peers] of [
    ['ingress', 'from'],
    ['egress', 'to'],
  ] as const)
    for (const [index, rule] of items(spec[direction]).entries()) {
      const at = `spec.${direction}[${index}]`;
      for (const [place, port] of items(rule['ports']).entries()) policyPort(port, `${at}.ports[${place}]`, causes);
      for (const [place, peer] of items(rule[peers]).entries()) policyPeer(peer, `${at}.${peers}[${place}]`, causes);
    }
  const types = texts(spec['policyTypes']);
  if (types.length > 2)
    causes.push(
      fieldInvalid(
        'spec.policyTypes',
        new GoLiteral(`[]networking.PolicyType{${types.map(goQuote).join(', ')}}`),
        'may not specify more than two policyTypes',
      ),
    );
  else for (const [index, type] of types.entries()) oneOf('Ingress', 'Egress')(type, `spec.policyTypes[${index}]`, causes);
};

function ingressBackend(backend: Json, at: string, causes: FieldCause[]): void {
  const { service, resource } = backend;
  if (service !== undefined && resource !== undefined) causes.push(fieldInvalid(at, '', 'cannot set both resource and service backends'));
  else if (isObject(service)) {
    const { name, port } = service;
    if (isUnset(name)) causes.push(fieldRequired(`${at}.service.name`));
    const { name: portName, number } = record(port);
    const hasNumber = number !== undefined && number !== 0;
    if (!isUnset(portName) && hasNumber) causes.push(fieldInvalid(at, '', 'cannot set both port name & port number'));
    else if (!isUnset(portName)) portNumberOrName(portName, `${at}.service.port.name`, causes);
    else if (hasNumber) portNumberOrName(number, `${at}.service.port.number`, causes);
    else causes.push(fieldRequired(at, 'port name or number is required'));
  }
}

const isAddressLike = (text: string): boolean => /^\d+\.\d+\.\d+\.\d+$/.test(text) || text.includes(':');
const ingressHost = (host: string, at: string, causes: FieldCause[]): void => {
  if (host === '') return;
  if (isAddressLike(host)) causes.push(fieldInvalid(at, host, 'must be a DNS name, not an IP address'));
  else if (host.includes('*')) {
    if (!/^\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(host))
      causes.push(
        fieldInvalid(
          at,
          host,
          "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        ),
      );
  } else subdomain(host, at, causes);
};

const ingress: Check = (object, causes) => {
  const spec = specOf(object);
  const rules = items(spec['rules']);
  if (rules.length === 0 && spec['defaultBackend'] === undefined)
    causes.push(
      fieldInvalid('spec', new GoLiteral('[]networking.IngressRule(nil)'), 'either `defaultBackend` or `rules` must be specified'),
    );
  if (isObject(spec['defaultBackend'])) ingressBackend(spec['defaultBackend'], 'spec.defaultBackend', causes);
  for (const [index, rule] of rules.entries()) {
    const at = `spec.rules[${index}]`;
    ingressHost(String(rule['host'] ?? ''), `${at}.host`, causes);
    if (!isObject(rule['http'])) continue;
    const paths = items(rule['http']['paths']);
    if (paths.length === 0) causes.push(fieldRequired(`${at}.http.paths`));
    for (const [place, path] of paths.entries()) ingressPath(path, `${at}.http.paths[${place}]`, causes);
  }
  for (const [index, tls] of items(spec['tls']).entries()) {
    for (const [place, host] of texts(tls['hosts']).entries()) ingressHost(host, `spec.tls[${index}].hosts[${place}]`, causes);
    subdomain(tls['secretName'], `spec.tls[${index}].secretName`, causes);
  }
  subdomain(spec['ingressClassName'], 'spec.ingressClassName', causes);
};

const wrongParts = ['//', '/./', '/../', '%2f', '%2F'];
const wrongEnds = ['/..', '/.'];

function ingressPath(value: Json, at: string, causes: FieldCause[]): void {
  const { pathType, backend } = value;
  const path = String(value['path'] ?? '');
  if (isUnset(pathType)) causes.push(fieldRequired(`${at}.pathType`, 'pathType must be specified'));
  else if (pathType === 'Exact' || pathType === 'Prefix') {
    if (!path.startsWith('/')) causes.push(fieldInvalid(`${at}.path`, path, 'must be an absolute path'));
    for (const part of wrongParts) if (path.includes(part)) causes.push(fieldInvalid(`${at}.path`, path, `must not contain '${part}'`));
    for (const end of wrongEnds) if (path.endsWith(end)) causes.push(fieldInvalid(`${at}.path`, path, `cannot end with '${end}'`));
  } else if (pathType === 'ImplementationSpecific') {
    if (path !== '' && !path.startsWith('/')) causes.push(fieldInvalid(`${at}.path`, path, 'must be an absolute path'));
  } else causes.push(fieldNotSupported(`${at}.pathType`, pathType, ['Exact', 'ImplementationSpecific', 'Prefix']));
  ingressBackend(record(backend), `${at}.backend`, causes);
}

// ── roles ───────────────────────────────────────────────────────────────────────────────────────────────────

const roleRules =
  (isNamespaced: boolean): Check =>
  (object, causes) => {
    for (const [index, rule] of items(object['rules']).entries()) {
      const at = `rules[${index}]`;
      const list = (field: string): readonly string[] => texts(rule[field]);
      if (list('verbs').length === 0) causes.push(fieldRequired(`${at}.verbs`, 'verbs must contain at least one value'));
      if (list('nonResourceURLs').length > 0) {
        if (isNamespaced)
          causes.push(fieldInvalid(`${at}.nonResourceURLs`, list('nonResourceURLs'), 'namespaced rules cannot apply to non-resource URLs'));
        if (list('apiGroups').length + list('resources').length + list('resourceNames').length > 0)
          causes.push(
            fieldInvalid(
              `${at}.nonResourceURLs`,
              list('nonResourceURLs'),
              'rules cannot apply to both regular resources and non-resource URLs',
            ),
          );
        continue;
      }
      if (list('apiGroups').length === 0)
        causes.push(fieldRequired(`${at}.apiGroups`, 'resource rules must supply at least one api group'));
      if (list('resources').length === 0) causes.push(fieldRequired(`${at}.resources`, 'resource rules must supply at least one resource'));
    }
  };

const roleBinding =
  (isNamespaced: boolean): Check =>
  (object, causes, old) => {
    const roleRef = record(object['roleRef']);
    const group = 'rbac.authorization.k8s.io';
    if (roleRef['apiGroup'] !== group) causes.push(fieldNotSupported('roleRef.apiGroup', roleRef['apiGroup'] ?? '', [group]));
    const kinds = isNamespaced ? ['Role', 'ClusterRole'] : ['ClusterRole'];
    if (!kinds.includes(String(roleRef['kind']))) causes.push(fieldNotSupported('roleRef.kind', roleRef['kind'] ?? '', kinds));
    if (isUnset(roleRef['name'])) causes.push(fieldRequired('roleRef.name'));
    for (const [index, subject] of items(object['subjects']).entries()) roleSubject(subject, isNamespaced, `subjects[${index}]`, causes);
    if (old !== undefined && !isEqual(roleRef, old['roleRef'])) {
      const { apiGroup, kind, name } = roleRef;
      const shown = `rbac.RoleRef{APIGroup:${goQuote(String(apiGroup))}, Kind:${goQuote(String(kind))}, Name:${goQuote(String(name))}}`;
      causes.push(fieldInvalid('roleRef', new GoLiteral(shown), 'cannot change roleRef'));
    }
  };

function roleSubject(subject: Json, isNamespaced: boolean, at: string, causes: FieldCause[]): void {
  const { kind, name, namespace, apiGroup } = subject;
  if (isUnset(name)) causes.push(fieldRequired(`${at}.name`));
  if (kind === 'ServiceAccount') {
    subdomain(name, `${at}.name`, causes);
    if (!isUnset(apiGroup)) causes.push(fieldNotSupported(`${at}.apiGroup`, apiGroup, ['']));
    if (!isNamespaced && isUnset(namespace)) causes.push(fieldRequired(`${at}.namespace`));
  } else if (kind === 'User' || kind === 'Group') {
    if (apiGroup !== 'rbac.authorization.k8s.io')
      causes.push(fieldNotSupported(`${at}.apiGroup`, apiGroup ?? '', ['rbac.authorization.k8s.io']));
  } else causes.push(fieldNotSupported(`${at}.kind`, kind, ['ServiceAccount', 'User', 'Group']));
}

// ── nodes, quotas, claims ───────────────────────────────────────────────────────────────────────────────────

const labelValue: Rule = (value, at, causes) => {
  const own: FieldCause[] = [];
  validateLabels({ x: value ?? '' }, at, own);
  causes.push(...own);
};

const node: Check = (object, causes, old) => {
  const spec = specOf(object);
  const before = specOf(old);
  const seen = new Set<string>();
  for (const [index, taint] of items(spec['taints']).entries()) {
    const at = `metadata.taints[${index}]`;
    const { key, value, effect } = taint;
    qualifiedName(key, `${at}.key`, causes);
    labelValue(value, `${at}.value`, causes);
    if (isUnset(effect)) causes.push(fieldRequired(`${at}.effect`));
    else oneOf('NoSchedule', 'PreferNoSchedule', 'NoExecute')(effect, `${at}.effect`, causes);
    const identity = `${String(key)} ${String(effect)}`;
    if (seen.has(identity)) {
      const shown = `core.Taint{Key:${goQuote(String(key))}, Value:${goQuote(String(value ?? ''))}, Effect:${goQuote(String(effect))}, TimeAdded:<nil>}`;
      causes.push({
        ...fieldDuplicate(at, new GoLiteral(shown)),
        message: `${fieldDuplicate(at, new GoLiteral(shown)).message}: taints must be unique by key and effect pair`,
      });
    }
    seen.add(identity);
  }
  const cidrs = texts(spec['podCIDRs']);
  for (const [index, cidr] of cidrs.entries())
    if (!isCidr(cidr)) causes.push(fieldInvalid(`spec.podCIDRs[${index}]`, cidrs, 'must be valid CIDR'));
  if (old === undefined) return;
  if (texts(before['podCIDRs']).length > 0 && !isEqual(cidrs, before['podCIDRs']))
    causes.push(fieldForbidden('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid'));
  if (!isUnset(before['providerID']) && spec['providerID'] !== before['providerID'])
    causes.push(fieldForbidden('spec.providerID', 'node updates may not change providerID except from "" to valid'));
};

const quotaResources = new Set([
  ...['cpu', 'memory', 'ephemeral-storage', 'requests.cpu', 'requests.memory', 'requests.storage', 'requests.ephemeral-storage'],
  ...['limits.cpu', 'limits.memory', 'limits.ephemeral-storage', 'pods', 'resourcequotas', 'services', 'replicationcontrollers', 'secrets'],
  ...['configmaps', 'persistentvolumeclaims', 'services.nodeports', 'services.loadbalancers'],
]);

const resourceQuota: Check = (object, causes) => {
  for (const [name, amount] of Object.entries(record(specOf(object)['hard']))) {
    validateResourceName(name, `spec.hard[${name}]`, causes, quotaResources, 'quota');
    validateAmount(name, amount, `spec.hard[${name}]`, causes);
  }
};

const claimModes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];

const claim: Check = (object, causes, old) => {
  const spec = specOf(object);
  const modes = texts(spec['accessModes']);
  if (modes.length === 0) causes.push(fieldRequired('spec.accessModes', 'at least 1 access mode is required'));
  if (isObject(spec['selector'])) validateSelector(spec['selector'], 'spec.selector', causes);
  for (const mode of modes) oneOf(...claimModes)(mode, 'spec.accessModes', causes);
  const storage = record(record(spec['resources'])['requests'])['storage'];
  if (storage === undefined) causes.push(fieldRequired('spec.resources[storage]'));
  else if ((parseQuantity(String(storage))?.nanos ?? 0n) <= 0n)
    causes.push(fieldInvalid('spec.resources[storage]', storage, 'must be greater than zero'));
  check(spec, 'spec', causes, [
    ['storageClassName', subdomain],
    ['volumeMode', oneOf('Block', 'Filesystem')],
  ]);
  if (old !== undefined && !isEqual(spec, specOf(old)))
    causes.push(fieldForbidden('spec', 'spec is immutable after creation except resources.requests for bound claims'));
};

const volumeAddress: Check = (object, causes) => {
  const spec = specOf(object);
  const modes = texts(spec['accessModes']);
  if (modes.length === 0) causes.push(fieldRequired('spec.accessModes'));
  for (const mode of modes) oneOf(...claimModes)(mode, 'spec.accessModes', causes);
  const capacity = spec['capacity'];
  if (!isObject(capacity) || Object.keys(capacity).length === 0) causes.push(fieldRequired('spec.capacity'));
  if (!isObject(capacity) || capacity['storage'] === undefined || Object.keys(capacity).length > 1)
    causes.push({
      reason: 'FieldValueNotSupported',
      field: 'spec.capacity',
      message: `Unsupported value: ${isObject(capacity) ? goQuote(Object.keys(capacity).join(',')) : 'core.ResourceList(nil)'}: supported values: "storage"`,
    });
  oneOf('Delete', 'Recycle', 'Retain')(spec['persistentVolumeReclaimPolicy'], 'spec.persistentVolumeReclaimPolicy', causes);
  const known = [
    'hostPath',
    'nfs',
    'csi',
    'local',
    'iscsi',
    'fc',
    'rbd',
    'cephfs',
    'glusterfs',
    'azureDisk',
    'azureFile',
    'awsElasticBlockStore',
    'gcePersistentDisk',
  ];
  if (!known.some((source) => spec[source] !== undefined)) causes.push(fieldRequired('spec', 'must specify a volume type'));
};

const disruptionBudget: Check = (object, causes) => {
  const { minAvailable, maxUnavailable, selector, unhealthyPodEvictionPolicy } = specOf(object);
  if (minAvailable !== undefined && maxUnavailable !== undefined) {
    const shown = `policy.PodDisruptionBudgetSpec{MinAvailable:(*intstr.IntOrString)(0xc000a1b2c0), Selector:(*v1.LabelSelector)(${selector === undefined ? 'nil' : '0xc000a1b2c0'}), MaxUnavailable:(*intstr.IntOrString)(0xc000a1b2c0), UnhealthyPodEvictionPolicy:(*policy.UnhealthyPodEvictionPolicyType)(${unhealthyPodEvictionPolicy === undefined ? 'nil' : '0xc000a1b2c0'})}`;
    causes.push(fieldInvalid('spec', new GoLiteral(shown), 'minAvailable and maxUnavailable cannot be both set'));
  }
  for (const [field, value] of Object.entries({ minAvailable, maxUnavailable })) {
    if (value === undefined) continue;
    countOrPercent(value, `spec.${field}`, causes);
    atMostAll(value, `spec.${field}`, causes);
  }
  if (isObject(selector)) validateSelector(selector, 'spec.selector', causes);
  oneOf('AlwaysAllow', 'IfHealthyBudget')(unhealthyPodEvictionPolicy, 'spec.unhealthyPodEvictionPolicy', causes);
};

// ── classes ─────────────────────────────────────────────────────────────────────────────────────────────────

const storageClass: Check = (object, causes, old) => {
  if (old !== undefined) {
    if (!isEqual(object['parameters'], old['parameters']))
      causes.push(fieldForbidden('parameters', 'updates to parameters are forbidden.'));
    for (const field of ['provisioner', 'reclaimPolicy', 'volumeBindingMode'])
      if (object[field] !== old[field]) causes.push(fieldForbidden(field, `updates to ${field} are forbidden.`));
    return;
  }
  if (isUnset(object['provisioner'])) causes.push(fieldRequired('provisioner'));
  oneOf('Delete', 'Retain')(object['reclaimPolicy'], 'reclaimPolicy', causes);
  oneOf('Immediate', 'WaitForFirstConsumer')(object['volumeBindingMode'], 'volumeBindingMode', causes);
};

const highestUserPriority = 1_000_000_000;

const priorityClass: Check = (object, causes, old) => {
  const name = String(record(object['metadata'])['name'] ?? '');
  const value = Number(object['value'] ?? 0);
  if (old !== undefined) {
    if (value !== Number(old['value'] ?? 0)) causes.push(fieldForbidden('value', 'may not be changed in an update.'));
    keep(object, old, 'preemptionPolicy', causes);
    return;
  }
  if (name.startsWith('system-')) {
    const known = { 'system-cluster-critical': 2_000_000_000, 'system-node-critical': 2_000_001_000 } as Readonly<Record<string, number>>;
    if (known[name] !== value)
      causes.push(
        fieldForbidden(
          'metadata.name',
          `priority class names with 'system-' prefix are reserved for system use only. error: ${known[name] === undefined ? `${name} is not a known system priority class` : `value of ${name} PriorityClass must be ${known[name]}`}`,
        ),
      );
  } else if (value > highestUserPriority)
    causes.push(fieldForbidden('value', `maximum allowed value of a user defined priority is ${highestUserPriority}`));
  oneOf('Never', 'PreemptLowerPriority')(object['preemptionPolicy'], 'preemptionPolicy', causes);
};

const lease: Check = (object, causes) => {
  const { leaseDurationSeconds, leaseTransitions } = specOf(object);
  if (typeof leaseDurationSeconds === 'number' && leaseDurationSeconds <= 0)
    causes.push(fieldInvalid('spec.leaseDurationSeconds', leaseDurationSeconds, 'must be greater than 0'));
  atLeastZero(leaseTransitions, 'spec.leaseTransitions', causes);
};

const checks: Readonly<Record<string, Check>> = {
  ConfigMap: configMap,
  Secret: secret,
  NetworkPolicy: networkPolicy,
  Ingress: ingress,
  IngressClass: (object, causes) => check(specOf(object), 'spec', causes, [['controller', required()]]),
  Role: roleRules(true),
  ClusterRole: roleRules(false),
  RoleBinding: roleBinding(true),
  ClusterRoleBinding: roleBinding(false),
  Node: node,
  ResourceQuota: resourceQuota,
  PersistentVolumeClaim: claim,
  PersistentVolume: volumeAddress,
  PodDisruptionBudget: disruptionBudget,
  StorageClass: storageClass,
  PriorityClass: priorityClass,
  Lease: lease,
  RuntimeClass: (object, causes) => {
    const handler = String(object['handler'] ?? '');
    if (handler === '') causes.push(fieldInvalid('handler', handler, labelMessage));
    else label(handler, 'handler', causes);
  },
  Event: (object, causes) => {
    const about = record(object['involvedObject'])['namespace'];
    if (!isUnset(about) && about !== record(object['metadata'])['namespace'])
      causes.push(fieldInvalid('involvedObject.namespace', about, 'does not match event.namespace'));
  },
  ControllerRevision: (object, causes, old) => {
    if (object['data'] === undefined || object['data'] === null) causes.push(fieldRequired('data', 'data is mandatory'));
    if (old !== undefined && !isEqual(object['data'], old['data']))
      causes.push(fieldInvalid('data', new GoLiteral(goQuote('')), 'field is immutable'));
    atLeastZero(object['revision'], 'revision', causes);
  },
};

export function validateObject(kind: string, object: Json, old: Json | undefined, causes: FieldCause[]): void {
  checks[kind]?.(object, causes, old);
}
