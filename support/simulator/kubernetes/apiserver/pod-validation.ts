import type { FieldCause } from '../types.ts';
import { isEqual, isObject } from './decode.ts';
import { fieldDuplicate, fieldForbidden, fieldInvalid, fieldNotSupported, fieldRequired, GoLiteral, goQuote } from './errors.ts';
import { isSubdomain, subdomainMessage, validateLabels, validatePort, validatePortName, validateProtocol } from './field-rules.ts';
import { validatePodScheduling } from './pod-scheduling-validation.ts';
import { canonicalQuantity, parseQuantity } from './quantity.ts';
import {
  all,
  atLeastZero,
  between,
  check,
  checkOneOf,
  configKey,
  each,
  isUnset,
  items,
  type Json,
  label,
  labels,
  oneOf,
  portNumberOrName,
  qualifiedName,
  type Rule,
  record,
  relativePath,
  required,
  subdomain,
  texts,
} from './rules.ts';
import { isAddress } from './schema.ts';
import { podSecurityContext, securityContext } from './security-validation.ts';
import { validateVolumes } from './volume-validation.ts';

// Validation of pods in the words and the order of Kubernetes 1.27 (`pkg/apis/core/validation`).

const environmentMessage =
  "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1', regex used for validation is '[-._a-zA-Z][-._a-zA-Z0-9]*')";
const updatable =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';

const environmentName: Rule = (value, at, causes) => {
  if (!/^[-._a-zA-Z][-._a-zA-Z0-9]*$/.test(String(value))) causes.push(fieldInvalid(at, value, environmentMessage));
  else if (value === '.' || value === '..') causes.push(fieldInvalid(at, value, `must not be '${String(value)}'`));
  else if (String(value).startsWith('..')) causes.push(fieldInvalid(at, value, "must not start with '..'"));
};

// ── sources of values ───────────────────────────────────────────────────────────────────────────────────────

const environmentFields = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.podIP',
  'status.podIPs',
];
const volumeFields = ['metadata.annotations', 'metadata.labels', 'metadata.name', 'metadata.namespace', 'metadata.uid'];
const everyField = new Set([
  ...environmentFields,
  ...volumeFields,
  'spec.restartPolicy',
  'spec.schedulerName',
  'status.phase',
  'status.hostIPs',
]);
const resources = [
  'limits.cpu',
  'limits.ephemeral-storage',
  'limits.memory',
  'requests.cpu',
  'requests.ephemeral-storage',
  'requests.memory',
];

const fieldReference =
  (supported: readonly string[]): Rule =>
  (value, at, causes) => {
    const { apiVersion, fieldPath } = record(value);
    if (isUnset(apiVersion)) return void causes.push(fieldRequired(`${at}.apiVersion`));
    if (isUnset(fieldPath)) return void causes.push(fieldRequired(`${at}.fieldPath`));
    const path = String(fieldPath);
    const subscript = /^(metadata\.(?:labels|annotations))\['(.*)'\]$/.exec(path);
    if (subscript !== null) return qualifiedName((subscript[2] ?? '').toLowerCase(), at, causes);
    if (!everyField.has(path))
      causes.push(fieldInvalid(`${at}.fieldPath`, path, `error converting fieldPath: field label not supported: ${path}`));
    else if (!supported.includes(path)) causes.push(fieldNotSupported(`${at}.fieldPath`, path, supported));
  };

const resourceReference: Rule = (value, at, causes) => {
  const { resource } = record(value);
  if (isUnset(resource)) causes.push(fieldRequired(`${at}.resource`));
  else if (!resources.includes(String(resource)) && !String(resource).includes('hugepages-'))
    causes.push(fieldNotSupported(`${at}.resource`, resource, resources));
};

export const downwardFile: Rule = (value, at, causes) => {
  const file = record(value);
  check(file, at, causes, [['path', required(), relativePath]]);
  if (file['fieldRef'] !== undefined) {
    fieldReference(volumeFields)(file['fieldRef'], `${at}.fieldRef`, causes);
    if (file['resourceFieldRef'] !== undefined)
      causes.push(fieldInvalid(at, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously'));
  } else if (file['resourceFieldRef'] !== undefined) resourceReference(file['resourceFieldRef'], `${at}.resourceFieldRef`, causes);
  else causes.push(fieldRequired(at, 'one of fieldRef and resourceFieldRef is required'));
};

const objectName: Rule = (value, at, causes) => {
  if (!isSubdomain(String(value ?? ''))) causes.push(fieldInvalid(at, String(value ?? ''), subdomainMessage));
};

const keyReference: Rule = all([
  ['name', objectName],
  ['key', (value, at, causes) => (isUnset(value) ? void causes.push(fieldRequired(at)) : configKey(value, at, causes))],
]);

function validateEnvironment(container: Json, at: string, causes: FieldCause[]): void {
  for (const [index, variable] of items(container['env']).entries()) {
    const here = `${at}.env[${index}]`;
    if (isUnset(variable['name'])) causes.push(fieldRequired(`${here}.name`));
    else environmentName(variable['name'], `${here}.name`, causes);
    const from = variable['valueFrom'];
    if (!isObject(from)) continue;
    let count = 0;
    for (const [source, rule] of [
      ['fieldRef', fieldReference(environmentFields)],
      ['resourceFieldRef', resourceReference],
      ['configMapKeyRef', keyReference],
      ['secretKeyRef', keyReference],
    ] as const) {
      if (from[source] === undefined) continue;
      count++;
      rule(from[source], `${here}.valueFrom.${source}`, causes);
    }
    if (count === 0)
      causes.push(
        fieldInvalid(`${here}.valueFrom`, '', 'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`'),
      );
    else if (!isUnset(variable['value']))
      causes.push(fieldInvalid(`${here}.valueFrom`, '', 'may not be specified when `value` is not empty'));
    else if (count > 1) causes.push(fieldInvalid(`${here}.valueFrom`, '', 'may not have more than one field specified at a time'));
  }
  for (const [index, source] of items(container['envFrom']).entries()) {
    const here = `${at}.envFrom[${index}]`;
    if (!isUnset(source['prefix'])) environmentName(source['prefix'], `${here}.prefix`, causes);
    let count = 0;
    for (const kind of ['configMapRef', 'secretRef']) {
      if (source[kind] === undefined) continue;
      count++;
      check(record(source[kind]), `${here}.${kind}`, causes, [['name', required(), subdomain]]);
    }
    if (count === 0) causes.push(fieldInvalid(`${at}.envFrom`, '', 'must specify one of: `configMapRef` or `secretRef`'));
    else if (count > 1) causes.push(fieldInvalid(`${at}.envFrom`, '', 'may not have more than one field specified at a time'));
  }
}

// ── handlers ────────────────────────────────────────────────────────────────────────────────────────────────

const handlers: Readonly<Record<string, Rule>> = {
  exec: (value, at, causes) => {
    if (texts(record(value)['command']).length === 0) causes.push(fieldRequired(`${at}.command`));
  },
  httpGet: (value, at, causes) => {
    check(record(value), at, causes, [
      ['path', required()],
      ['port', portNumberOrName],
      ['scheme', oneOf('HTTP', 'HTTPS')],
    ]);
    for (const { name } of items(record(value)['httpHeaders']))
      if (!/^[-A-Za-z0-9]+$/.test(String(name ?? '')))
        causes.push(
          fieldInvalid(
            `${at}.httpHeaders`,
            name ?? '',
            "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')",
          ),
        );
  },
  tcpSocket: all([['port', portNumberOrName]]),
  grpc: all([['port', (value, at, causes) => validatePort(value ?? 0, at, causes)]]),
};

function validateHandler(value: Json, at: string, causes: FieldCause[]): void {
  if (checkOneOf(value, at, causes, handlers, 'handler type') === 0) causes.push(fieldRequired(at, 'must specify a handler type'));
}

function validateProbe(container: Json, name: string, at: string, causes: FieldCause[]): void {
  const probe = container[name];
  if (!isObject(probe)) return;
  validateHandler(probe, at, causes);
  check(probe, at, causes, [
    ['initialDelaySeconds', atLeastZero],
    ['timeoutSeconds', atLeastZero],
    ['periodSeconds', atLeastZero],
    ['successThreshold', atLeastZero],
    ['failureThreshold', atLeastZero],
    ['terminationGracePeriodSeconds', between(1, Number.POSITIVE_INFINITY, 'must be greater than 0')],
  ]);
  const { successThreshold, terminationGracePeriodSeconds } = probe;
  if (name === 'readinessProbe') {
    if (terminationGracePeriodSeconds !== undefined)
      causes.push(
        fieldInvalid(`${at}.terminationGracePeriodSeconds`, terminationGracePeriodSeconds, 'must not be set for readinessProbes'),
      );
  } else if (successThreshold !== 1) causes.push(fieldInvalid(`${at}.successThreshold`, successThreshold, 'must be 1'));
}

// ── containers ──────────────────────────────────────────────────────────────────────────────────────────────

function validatePorts(container: Json, at: string, causes: FieldCause[]): void {
  const names = new Set<unknown>();
  for (const [index, port] of items(container['ports']).entries()) {
    const here = `${at}.ports[${index}]`;
    const { name, containerPort, hostPort } = port;
    if (typeof name === 'string' && name !== '') {
      const before = causes.length;
      validatePortName(name, here.concat('.name'), causes);
      if (causes.length === before) {
        if (names.has(name)) causes.push(fieldDuplicate(`${here}.name`, name));
        names.add(name);
      }
    }
    if (containerPort === undefined || containerPort === 0) causes.push(fieldRequired(`${here}.containerPort`));
    else validatePort(containerPort, `${here}.containerPort`, causes);
    if (hostPort !== undefined && hostPort !== 0) validatePort(hostPort, `${here}.hostPort`, causes);
    validateProtocol(port['protocol'], `${here}.protocol`, causes);
  }
}

const mountPropagations = ['Bidirectional', 'HostToContainer', 'None'];

function validateMounts(container: Json, volumes: ReadonlySet<unknown>, at: string, causes: FieldCause[]): void {
  const paths = new Set<unknown>();
  for (const [index, mount] of items(container['volumeMounts']).entries()) {
    const here = `${at}.volumeMounts[${index}]`;
    const { name = '', mountPath = '', subPath, subPathExpr, mountPropagation } = mount;
    if (name === '') causes.push(fieldRequired(`${here}.name`));
    if (!volumes.has(name))
      causes.push({ reason: 'FieldValueNotFound', field: `${here}.name`, message: `Not found: ${goQuote(String(name))}` });
    if (mountPath === '') causes.push(fieldRequired(`${here}.mountPath`));
    if (paths.has(mountPath)) causes.push(fieldInvalid(`${here}.mountPath`, mountPath, 'must be unique'));
    paths.add(mountPath);
    // These name the list, not the item, in reality too.
    relativePath(subPath, `${at}.volumeMounts.subPath`, causes);
    if (!isUnset(subPathExpr)) {
      if (!isUnset(subPath))
        causes.push(fieldInvalid(`${here}.subPathExpr`, subPathExpr, 'subPathExpr and subPath are mutually exclusive'));
      relativePath(subPathExpr, `${at}.volumeMounts.subPathExpr`, causes);
    }
    oneOf(...mountPropagations)(mountPropagation, `${at}.volumeMounts.mountPropagation`, causes);
    if (mountPropagation === 'Bidirectional' && record(container['securityContext'])['privileged'] !== true)
      causes.push(
        fieldForbidden(`${at}.volumeMounts.mountPropagation`, 'Bidirectional mount propagation is available only to privileged containers'),
      );
  }
}

const standardResources = new Set(['cpu', 'memory', 'ephemeral-storage', 'storage']);
const integerResources = new Set(['pods', 'services', 'secrets', 'configmaps']);
const isNative = (name: string): boolean => !name.includes('/') || name.includes('kubernetes.io/');
const isOvercommitted = (name: string): boolean => isNative(name) && !name.startsWith('hugepages-');

/** `%#v` of a quantity that JSON gave. */
export function goQuantity(text: string): GoLiteral {
  const canonical = canonicalQuantity(text) ?? text;
  const nanos = parseQuantity(canonical)?.nanos ?? 0n;
  let value = nanos;
  let scale = -9;
  while (scale < 0 && value % 10n === 0n) {
    value /= 10n;
    scale++;
  }
  if (value === 0n) scale = 0;
  const format = /[KMGTPE]i$/.test(canonical) ? 'BinarySI' : 'DecimalSI';
  return new GoLiteral(
    `resource.Quantity{i:resource.int64Amount{value:${value}, scale:${scale}}, d:resource.infDecAmount{Dec:(*inf.Dec)(nil)}, s:${scale < 0 ? '""' : goQuote(canonical)}, Format:${goQuote(format)}}`,
  );
}

export function validateResourceName(name: string, at: string, causes: FieldCause[], known: ReadonlySet<string>, forWhat: string): void {
  const before = causes.length;
  qualifiedName(name, at, causes);
  if (causes.length > before) return;
  if (name.includes('/')) return;
  if (known.has(name) || name.startsWith('hugepages-')) return;
  causes.push(fieldInvalid(at, name, 'must be a standard resource type or fully qualified'));
  causes.push(fieldInvalid(at, name, `must be a standard resource for ${forWhat}`));
}

const containerResources = new Set(['cpu', 'memory', 'ephemeral-storage']);

export function validateAmount(name: string, amount: unknown, at: string, causes: FieldCause[]): void {
  const text = String(amount);
  const nanos = parseQuantity(text)?.nanos ?? 0n;
  if (nanos < 0n) causes.push(fieldInvalid(at, text, 'must be greater than or equal to 0'));
  const isWhole = integerResources.has(name) || (!isNative(name) && !standardResources.has(name));
  if (isWhole && nanos % 1_000_000_000n !== 0n) causes.push(fieldInvalid(at, goQuantity(text), 'must be an integer'));
}

export function validateResources(value: unknown, at: string, causes: FieldCause[]): void {
  const limits = record(record(value)['limits']);
  const requests = record(record(value)['requests']);
  const amount = (of: unknown): bigint => parseQuantity(String(of))?.nanos ?? 0n;
  for (const [name, limit] of Object.entries(limits)) {
    validateResourceName(name, `${at}.limits[${name}]`, causes, containerResources, 'containers');
    validateAmount(name, limit, `${at}.limits[${name}]`, causes);
  }
  for (const [name, request] of Object.entries(requests)) {
    const here = `${at}.requests[${name}]`;
    validateResourceName(name, here, causes, containerResources, 'containers');
    validateAmount(name, request, here, causes);
    const limit = limits[name];
    if (limit === undefined) {
      if (!isOvercommitted(name)) causes.push(fieldRequired(`${at}.limits`, 'Limit must be set for non overcommitable resources'));
    } else if (amount(request) !== amount(limit) && !isOvercommitted(name))
      causes.push(fieldInvalid(`${at}.requests`, request, `must be equal to ${name} limit of ${String(limit)}`));
    else if (amount(request) > amount(limit))
      causes.push(fieldInvalid(`${at}.requests`, request, `must be less than or equal to ${name} limit of ${String(limit)}`));
  }
}

function validateContainer(container: Json, volumes: ReadonlySet<unknown>, at: string, causes: FieldCause[]): void {
  check(container, at, causes, [
    ['name', required(), label],
    ['image', required()],
    ['terminationMessagePolicy', oneOf('File', 'FallbackToLogsOnError')],
  ]);
  validatePorts(container, at, causes);
  validateEnvironment(container, at, causes);
  validateMounts(container, volumes, at, causes);
  oneOf('Always', 'IfNotPresent', 'Never')(container['imagePullPolicy'], `${at}.imagePullPolicy`, causes);
  validateResources(container['resources'], `${at}.resources`, causes);
  if (isObject(container['securityContext'])) securityContext(container['securityContext'], `${at}.securityContext`, causes);
}

function validateHostPorts(containers: readonly Json[], at: (index: number) => string, causes: FieldCause[]): void {
  const taken = new Set<string>();
  for (const [index, container] of containers.entries())
    for (const [place, port] of items(container['ports']).entries()) {
      if (!port['hostPort']) continue;
      const key = `${String(port['protocol'])}/${String(port['hostIP'] ?? '')}/${String(port['hostPort'])}`;
      if (taken.has(key)) causes.push(fieldDuplicate(`${at(index)}.ports[${place}].hostPort`, key));
      taken.add(key);
    }
}

function validateContainers(spec: Json, path: string, volumes: ReadonlySet<unknown>, causes: FieldCause[]): void {
  const containers = items(spec['containers']);
  if (containers.length === 0) causes.push(fieldRequired(`${path}.containers`));
  const names = new Set<unknown>();
  for (const [index, container] of containers.entries()) {
    const at = `${path}.containers[${index}]`;
    validateContainer(container, volumes, at, causes);
    if (names.has(container['name'])) causes.push(fieldDuplicate(`${at}.name`, container['name']));
    names.add(container['name']);
    const lifecycle = record(container['lifecycle']);
    for (const moment of ['postStart', 'preStop'])
      if (isObject(lifecycle[moment])) validateHandler(lifecycle[moment], `${at}.lifecycle.${moment}`, causes);
    for (const probe of ['livenessProbe', 'readinessProbe', 'startupProbe']) validateProbe(container, probe, `${at}.${probe}`, causes);
  }
  validateHostPorts(containers, (index) => `${path}.containers[${index}]`, causes);
  for (const [index, container] of items(spec['initContainers']).entries()) {
    const at = `${path}.initContainers[${index}]`;
    validateContainer(container, volumes, at, causes);
    if (names.has(container['name'])) causes.push(fieldDuplicate(`${at}.name`, container['name']));
    else if (!isUnset(container['name'])) names.add(container['name']);
    validateHostPorts([container], () => `${path}.initContainers[0]`, causes);
    for (const field of ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'])
      if (container[field] !== undefined) causes.push(fieldForbidden(`${at}.${field}`, 'may not be set for init containers'));
  }
}

// ── pods ────────────────────────────────────────────────────────────────────────────────────────────────────

const restartPolicies = ['Always', 'OnFailure', 'Never'];

function validateDns(spec: Json, path: string, causes: FieldCause[]): void {
  const { dnsPolicy, dnsConfig } = spec;
  const at = `${path}.dnsConfig`;
  if (dnsPolicy === 'None') {
    if (!isObject(dnsConfig)) return void causes.push(fieldRequired(at, 'must provide `dnsConfig` when `dnsPolicy` is None'));
    if (texts(dnsConfig['nameservers']).length === 0)
      return void causes.push(fieldRequired(`${at}.nameservers`, 'must provide at least one DNS nameserver when `dnsPolicy` is None'));
  }
  if (!isObject(dnsConfig)) return;
  const servers = texts(dnsConfig['nameservers']);
  if (servers.length > 3) causes.push(fieldInvalid(`${at}.nameservers`, servers, 'must not have more than 3 nameservers'));
  for (const [index, server] of servers.entries())
    if (!isAddress(server)) causes.push(fieldInvalid(`${at}.nameservers[${index}]`, server, 'must be valid IP address'));
  const searches = texts(dnsConfig['searches']);
  if (searches.length > 32) causes.push(fieldInvalid(`${at}.searches`, searches, 'must not have more than 32 search paths'));
  for (const [index, search] of searches.entries()) {
    const name = search === '.' ? '' : search.replace(/\.$/, '');
    if (search !== '.' && !isSubdomain(name)) causes.push(fieldInvalid(`${at}.searches[${index}]`, name, subdomainMessage));
  }
  for (const [index, option] of items(dnsConfig['options']).entries())
    if (isUnset(option['name'])) causes.push(fieldRequired(`${at}.options[${index}]`, 'must not be empty'));
}

export function validatePodSpec(spec: Json, path: string, causes: FieldCause[]): void {
  const volumes = validateVolumes(spec, path, causes);
  validateContainers(spec, path, volumes, causes);
  check(spec, path, causes, [
    ['restartPolicy', oneOf(...restartPolicies)],
    ['dnsPolicy', oneOf('ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None')],
    ['nodeSelector', labels],
  ]);
  podSecurityContext(spec, path, causes);
  validatePodScheduling(spec, path, causes);
  validateDns(spec, path, causes);
  check(spec, path, causes, [['readinessGates', each(all([['conditionType', qualifiedName]]))]]);
  validatePodSpreading(spec, path, causes);
  check(spec, path, causes, [
    ['serviceAccountName', subdomain],
    ['nodeName', subdomain],
    ['activeDeadlineSeconds', between(1, 2_147_483_647)],
    ['hostname', label],
    ['subdomain', label],
  ]);
  validateTolerations(spec['tolerations'], `${path}.tolerations`, causes);
  for (const alias of items(spec['hostAliases'])) {
    if (!isAddress(String(alias['ip'] ?? '')))
      causes.push(fieldInvalid(`${path}.hostAliases.ip`, alias['ip'] ?? '', 'must be valid IP address'));
    for (const name of texts(alias['hostnames']))
      if (!isSubdomain(name)) causes.push(fieldInvalid(`${path}.hostAliases.hostnames`, name, subdomainMessage));
  }
  check(spec, path, causes, [
    ['priorityClassName', subdomain],
    ['runtimeClassName', subdomain],
    ['preemptionPolicy', oneOf('PreemptLowerPriority', 'Never')],
  ]);
  const os = record(spec['os'])['name'];
  if (spec['os'] !== undefined) {
    if (isUnset(os)) causes.push(fieldRequired(`${path}.os.name`, 'cannot be empty'));
    else oneOf('linux', 'windows')(os, `${path}.os`, causes);
  }
}

function validatePodSpreading(spec: Json, path: string, causes: FieldCause[]): void {
  const list = items(spec['topologySpreadConstraints']);
  for (const [index, constraint] of list.entries()) {
    const at = `${path}.topologySpreadConstraints[${index}]`;
    check(constraint, at, causes, [
      ['maxSkew', between(1, Number.POSITIVE_INFINITY, 'must be greater than zero')],
      ['topologyKey', required('can not be empty')],
      ['whenUnsatisfiable', oneOf('DoNotSchedule', 'ScheduleAnyway')],
    ]);
    const same = (other: Json): boolean =>
      other['topologyKey'] === constraint['topologyKey'] && other['whenUnsatisfiable'] === constraint['whenUnsatisfiable'];
    // A later constraint of the same key is named at the earlier one.
    for (const other of list.slice(index + 1))
      if (same(other))
        causes.push(
          fieldDuplicate(
            `${at}.{topologyKey, whenUnsatisfiable}`,
            `{${String(constraint['topologyKey'])}, ${String(constraint['whenUnsatisfiable'])}}`,
          ),
        );
    check(constraint, at, causes, [
      ['minDomains', between(1, Number.POSITIVE_INFINITY, 'must be greater than zero')],
      ['nodeAffinityPolicy', oneOf('Honor', 'Ignore')],
      ['nodeTaintsPolicy', oneOf('Honor', 'Ignore')],
    ]);
  }
}

const effects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

function validateTolerations(value: unknown, path: string, causes: FieldCause[]): void {
  for (const [index, toleration] of items(value).entries()) {
    const at = `${path}[${index}]`;
    const { key, operator, value: wanted, effect, tolerationSeconds } = toleration;
    if (!isUnset(key)) qualifiedName(key, `${at}.key`, causes);
    if (isUnset(key) && operator !== 'Exists')
      causes.push(
        fieldInvalid(
          `${at}.operator`,
          operator ?? '',
          'operator must be Exists when `key` is empty, which means "match all values and all keys"',
        ),
      );
    if (tolerationSeconds !== undefined && effect !== 'NoExecute')
      causes.push(fieldInvalid(`${at}.effect`, effect ?? '', "effect must be 'NoExecute' when `tolerationSeconds` is set"));
    if (isUnset(operator) || operator === 'Equal') {
      const bad: FieldCause[] = [];
      validateLabels({ x: wanted ?? '' }, '', bad);
      const [first] = bad;
      if (first !== undefined) causes.push({ ...first, field: `${at}.operator` });
    } else if (operator === 'Exists') {
      if (!isUnset(wanted))
        causes.push(
          fieldInvalid(
            `${at}.operator`,
            new GoLiteral(
              `core.Toleration{Key:${goQuote(String(key ?? ''))}, Operator:"Exists", Value:${goQuote(String(wanted))}, Effect:${goQuote(String(effect ?? ''))}, TolerationSeconds:(*int64)(nil)}`,
            ),
            "value must be empty when `operator` is 'Exists'",
          ),
        );
    } else oneOf('Equal', 'Exists')(operator, `${at}.operator`, causes);
    oneOf(...effects)(effect, `${at}.effect`, causes);
  }
}

/** What holds for a new pod, but not for a template. */
export function validateNewPod(spec: Json, causes: FieldCause[]): void {
  for (const [index, { image }] of items(spec['containers']).entries())
    if (typeof image === 'string' && image !== '' && image.trim() !== image)
      causes.push(fieldInvalid(`spec.containers[${index}].image`, image, 'must not have leading or trailing whitespace'));
  if (items(spec['ephemeralContainers']).length > 0) causes.push(fieldForbidden('spec.ephemeralContainers', 'cannot be set on create'));
}

export function validatePodUpdate(spec: Json, old: Json, causes: FieldCause[]): void {
  for (const field of ['containers', 'initContainers']) {
    const list = items(spec[field]);
    if (list.length !== items(old[field]).length) {
      causes.push(fieldForbidden(`spec.${field}`, 'pod updates may not add or remove containers'));
      return;
    }
    for (const [index, container] of list.entries()) {
      const image = String(container['image'] ?? '');
      if (image === '') causes.push(fieldRequired(`spec.${field}[${index}].image`));
      else if (image.trim() !== image)
        causes.push(fieldInvalid(`spec.${field}[${index}].image`, image, 'must not have leading or trailing whitespace'));
    }
  }
  const [deadline, oldDeadline] = [spec['activeDeadlineSeconds'], old['activeDeadlineSeconds']];
  if (typeof deadline === 'number') {
    if (deadline < 0) return void between(0, 2_147_483_647)(deadline, 'spec.activeDeadlineSeconds', causes);
    if (typeof oldDeadline === 'number' && oldDeadline < deadline)
      return void causes.push(fieldInvalid('spec.activeDeadlineSeconds', deadline, 'must be less than or equal to previous value'));
  } else if (typeof oldDeadline === 'number')
    causes.push(
      fieldInvalid('spec.activeDeadlineSeconds', new GoLiteral('"null"'), 'must not update from a positive integer to nil value'),
    );
  const strip = (value: Json): Json => {
    const {
      activeDeadlineSeconds: _deadline,
      tolerations: _tolerations,
      schedulingGates: _gates,
      terminationGracePeriodSeconds,
      ...rest
    } = value;
    const withoutImages = (list: unknown): unknown => items(list).map(({ image: _image, ...container }) => container);
    const isShortened = typeof old['terminationGracePeriodSeconds'] === 'number' && old['terminationGracePeriodSeconds'] < 0;
    return {
      ...rest,
      ...(isShortened ? {} : { terminationGracePeriodSeconds }),
      containers: withoutImages(value['containers']),
      initContainers: withoutImages(value['initContainers']),
    };
  };
  const tolerations = items(spec['tolerations']);
  for (const toleration of items(old['tolerations']))
    if (!tolerations.some((other) => isEqual({ ...other, tolerationSeconds: 0 }, { ...toleration, tolerationSeconds: 0 }))) {
      causes.push(fieldForbidden('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds'));
      break;
    }
  if (!isEqual(strip(spec), strip(old))) causes.push(fieldForbidden('spec', updatable));
}
