import { matchesSelector } from '../labels.ts';
import type { FieldCause, KubernetesObject, LabelSelector } from '../types.ts';
import { isEqual, isObject } from './decode.ts';
import { fieldDuplicate, fieldForbidden, fieldInvalid, fieldNotSupported, fieldRequired, GoLiteral, goQuote } from './errors.ts';
import {
  isLabel,
  isSubdomain,
  label1035Message,
  labelMessage,
  subdomainMessage,
  validateLabels,
  validatePort,
  validatePortName,
  validateProtocol,
  validateQualifiedName,
} from './field-rules.ts';
import { isCidr } from './schema.ts';
import { validateEndpointSlice, validateEndpoints, validateService } from './service-validation.ts';

// Validation of the built-in types, in the words of Kubernetes 1.27 (`pkg/apis/*/validation`, `apimachinery/pkg/util/validation`).

type Json = Readonly<Record<string, unknown>>;

const cIdentifierMessage =
  "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1', regex used for validation is '[-._a-zA-Z][-._a-zA-Z0-9]*')";

function items(value: unknown): readonly Json[] {
  return Array.isArray(value) ? (value as Json[]) : [];
}

function record(value: unknown): Json {
  return isObject(value) ? value : {};
}

// ── metadata ────────────────────────────────────────────────────────────────────────────────────────────────

export function validateMetadata(object: Json, kind: string, causes: FieldCause[]): void {
  const metadata = record(object['metadata']);
  const name = metadata['name'];
  if (typeof name !== 'string' || name === '') causes.push(fieldRequired('metadata.name', 'name or generateName is required'));
  else validateName(name, kind, causes);
  validateLabels(metadata['labels'], 'metadata.labels', causes);
  for (const key of Object.keys(record(metadata['annotations'])))
    validateQualifiedName(key.toLowerCase(), 'metadata.annotations', causes, key);
  let total = 0;
  for (const [key, value] of Object.entries(record(metadata['annotations']))) total += key.length + String(value).length;
  if (total > 262144)
    causes.push({ reason: 'FieldValueTooLong', field: 'metadata.annotations', message: 'Too long: must have at most 262144 bytes' });
}

function validateName(name: string, kind: string, causes: FieldCause[]): void {
  const tooLong = (maximum: number): FieldCause => fieldInvalid('metadata.name', name, `must be no more than ${maximum} characters`);
  if (kind === 'Service') {
    if (name.length > 63) causes.push(tooLong(63));
    if (!/^[a-z]([-a-z0-9]*[a-z0-9])?$/.test(name)) causes.push(fieldInvalid('metadata.name', name, label1035Message));
  } else if (kind === 'Namespace') {
    if (name.length > 63) causes.push(tooLong(63));
    if (!/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(name)) causes.push(fieldInvalid('metadata.name', name, labelMessage));
  } else if (/^(Cluster)?Role(Binding)?$/.test(kind)) {
    if (name === '.' || name === '..') causes.push(fieldInvalid('metadata.name', name, `may not be '${name}'`));
    for (const illegal of ['/', '%'])
      if (name.includes(illegal)) causes.push(fieldInvalid('metadata.name', name, `may not contain '${illegal}'`));
  } else {
    if (name.length > 253) causes.push(tooLong(253));
    if (!/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(name))
      causes.push(fieldInvalid('metadata.name', name, subdomainMessage));
  }
}

// ── types ───────────────────────────────────────────────────────────────────────────────────────────────────

export function validateBuiltin(kind: string, object: Json, old: KubernetesObject | undefined, causes: FieldCause[]): void {
  const spec = record(object['spec']);
  const oldSpec = record(old?.['spec']);
  switch (kind) {
    case 'Pod':
      if (old === undefined) validatePodSpec(spec, 'spec', causes, ['Always', 'OnFailure', 'Never']);
      else validatePodUpdate(spec, oldSpec, causes);
      return;
    case 'Deployment':
    case 'ReplicaSet':
    case 'DaemonSet':
    case 'StatefulSet':
      validateWorkload(kind, spec, old === undefined ? undefined : oldSpec, causes);
      return;
    case 'Job':
      if (old === undefined)
        validatePodSpec(record(record(spec['template'])['spec']), 'spec.template.spec', causes, ['OnFailure', 'Never'], true);
      else if (!isEqual(spec['template'], oldSpec['template']))
        causes.push(fieldInvalid('spec.template', new GoLiteral('core.PodTemplateSpec{…}'), 'field is immutable'));
      return;
    case 'Service':
      validateService(spec, old === undefined ? undefined : oldSpec, causes);
      return;
    case 'Endpoints':
      validateEndpoints(object, causes);
      return;
    case 'EndpointSlice':
      validateEndpointSlice(object, old, causes);
      return;
    case 'ConfigMap':
    case 'Secret':
      validateKeys(object, causes, ['data', ...(kind === 'ConfigMap' ? ['binaryData'] : [])]);
      if (kind === 'Secret') {
        for (const [key, value] of Object.entries(record(object['data'])))
          if (typeof value !== 'string' || !/^[A-Za-z0-9+/\s]*={0,2}$/.test(value))
            causes.push(fieldInvalid(`data[${key}]`, new GoLiteral('"<secret contents redacted>"'), 'must be base64'));
        if (old !== undefined && object['type'] !== old['type']) causes.push(fieldInvalid('type', object['type'], 'field is immutable'));
      }
      if (old?.['immutable'] === true && !isEqual(object['data'], old['data']))
        causes.push(fieldForbidden('data', `field is immutable when \`immutable\` is set`));
      return;
    case 'NetworkPolicy':
      validateNetworkPolicy(spec, causes);
      return;
    case 'CustomResourceDefinition':
      validateCustomResourceDefinition(object, spec, causes);
      return;
    case 'RoleBinding':
    case 'ClusterRoleBinding': {
      const roleRef = record(object['roleRef']);
      if (typeof roleRef['name'] !== 'string' || roleRef['name'] === '') causes.push(fieldRequired('roleRef.name'));
      if (old !== undefined && !isEqual(roleRef, old['roleRef'])) causes.push(fieldInvalid('roleRef', roleRef, 'cannot change roleRef'));
      return;
    }
    case 'Node':
      for (const [index, taint] of items(spec['taints']).entries()) {
        if (!['NoSchedule', 'PreferNoSchedule', 'NoExecute'].includes(String(taint['effect'])))
          causes.push(fieldNotSupported(`spec.taints[${index}].effect`, taint['effect'], ['NoSchedule', 'PreferNoSchedule', 'NoExecute']));
      }
      return;
  }
}

function validateKeys(object: Json, causes: FieldCause[], fields: readonly string[]): void {
  for (const field of fields)
    for (const key of Object.keys(record(object[field])))
      if (!/^[-._a-zA-Z0-9]+$/.test(key) || key === '.' || key === '..')
        causes.push(
          fieldInvalid(
            `${field}[${key}]`,
            key,
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
          ),
        );
}

function validateSelector(selector: unknown, path: string, causes: FieldCause[]): void {
  const { matchLabels, matchExpressions } = record(selector);
  validateLabels(matchLabels, `${path}.matchLabels`, causes);
  for (const [index, requirement] of items(matchExpressions).entries()) {
    const at = `${path}.matchExpressions[${index}]`;
    const values = requirement['values'] as readonly unknown[] | undefined;
    if (requirement['operator'] === 'In' || requirement['operator'] === 'NotIn') {
      if (values === undefined || values.length === 0)
        causes.push(fieldRequired(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
    } else if (requirement['operator'] === 'Exists' || requirement['operator'] === 'DoesNotExist') {
      if (values !== undefined && values.length > 0)
        causes.push(fieldForbidden(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
    } else causes.push(fieldInvalid(`${at}.operator`, requirement['operator'] ?? '', 'not a valid selector operator'));
    validateQualifiedName(String(requirement['key'] ?? ''), `${at}.key`, causes, String(requirement['key'] ?? ''));
  }
}

function goSelector(selector: unknown): GoLiteral {
  const { matchLabels, matchExpressions } = record(selector);
  const labels =
    matchLabels === undefined
      ? 'map[string]string(nil)'
      : `map[string]string{${Object.entries(record(matchLabels))
          .sort()
          .map(([key, value]) => `${goQuote(key)}:${goQuote(String(value))}`)
          .join(', ')}}`;
  const expressions =
    matchExpressions === undefined
      ? '[]v1.LabelSelectorRequirement(nil)'
      : `[]v1.LabelSelectorRequirement{${items(matchExpressions)
          .map(
            (item) =>
              `v1.LabelSelectorRequirement{Key:${goQuote(String(item['key']))}, Operator:${goQuote(String(item['operator']))}, Values:[]string{${((item['values'] ?? []) as string[]).map(goQuote).join(', ')}}}`,
          )
          .join(', ')}}`;
  return new GoLiteral(`v1.LabelSelector{MatchLabels:${labels}, MatchExpressions:${expressions}}`);
}

function validateWorkload(kind: string, spec: Json, old: Json | undefined, causes: FieldCause[]): void {
  const { selector, template, replicas } = spec;
  if (typeof replicas === 'number' && replicas < 0)
    causes.push(fieldInvalid('spec.replicas', replicas, 'must be greater than or equal to 0'));
  if (selector === undefined || selector === null) causes.push(fieldRequired('spec.selector'));
  else {
    validateSelector(selector, 'spec.selector', causes);
    if (Object.keys(record(record(selector)['matchLabels'])).length === 0 && items(record(selector)['matchExpressions']).length === 0)
      causes.push(fieldInvalid('spec.selector', goSelector(selector), `empty selector is invalid for ${kind.toLowerCase()}`));
  }
  const metadata = record(record(template)['metadata']);
  const labels = metadata['labels'] as Readonly<Record<string, string>> | undefined;
  validateLabels(labels, 'spec.template.metadata.labels', causes);
  if (selector !== undefined && selector !== null && !matchesSelector(selector as LabelSelector, labels))
    causes.push(
      fieldInvalid(
        'spec.template.metadata.labels',
        labels ?? new GoLiteral('map[string]string(nil)'),
        '`selector` does not match template `labels`',
      ),
    );
  validatePodSpec(record(record(template)['spec']), 'spec.template.spec', causes, ['Always']);
  if (kind === 'Deployment') {
    const strategy = record(spec['strategy']);
    if (strategy['type'] !== 'Recreate' && strategy['type'] !== 'RollingUpdate')
      causes.push(fieldNotSupported('spec.strategy.type', strategy['type'], ['Recreate', 'RollingUpdate']));
    if (strategy['type'] === 'Recreate' && strategy['rollingUpdate'] !== undefined)
      causes.push(fieldForbidden('spec.strategy.rollingUpdate', "may not be specified when strategy `type` is 'Recreate'"));
    const { maxSurge, maxUnavailable } = record(strategy['rollingUpdate']);
    for (const [field, value] of Object.entries({ maxUnavailable, maxSurge }))
      if (typeof value === 'string' && !/^[0-9]+%$/.test(value))
        causes.push(
          fieldInvalid(
            `spec.strategy.rollingUpdate.${field}`,
            value,
            "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
          ),
        );
    const isZero = (value: unknown): boolean => value === 0 || value === '0%';
    if (isZero(maxSurge) && isZero(maxUnavailable))
      causes.push(
        fieldInvalid(
          'spec.strategy.rollingUpdate.maxUnavailable',
          new GoLiteral(`intstr.IntOrString{Type:0, IntVal:0, StrVal:""}`),
          'may not be 0 when `maxSurge` is 0',
        ),
      );
  }
  if (old === undefined) return;
  if (!isEqual(selector, old['selector'])) causes.push(fieldInvalid('spec.selector', goSelector(selector), 'field is immutable'));
  if (kind === 'StatefulSet') {
    const changed = ['serviceName', 'podManagementPolicy', 'volumeClaimTemplates'].some((field) => !isEqual(spec[field], old[field]));
    if (changed)
      causes.push(
        fieldForbidden(
          'spec',
          "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
        ),
      );
  }
}

function validatePodSpec(spec: Json, path: string, causes: FieldCause[], restartPolicies: readonly string[], isJob = false): void {
  const volumes = new Set(items(spec['volumes']).map((volume) => volume['name']));
  const containers = items(spec['containers']);
  if (containers.length === 0) causes.push(fieldRequired(`${path}.containers`));
  const names = new Set<unknown>();
  for (const field of ['containers', 'initContainers'])
    for (const [index, container] of items(spec[field]).entries())
      validateContainer(container, `${path}.${field}[${index}]`, names, volumes, causes);
  const policy = spec['restartPolicy'];
  if (isJob && policy === 'Always') causes.push(fieldRequired(`${path}.restartPolicy`, 'valid values: "OnFailure", "Never"'));
  else if (!restartPolicies.includes(String(policy))) causes.push(fieldNotSupported(`${path}.restartPolicy`, policy, restartPolicies));
  if (!['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'].includes(String(spec['dnsPolicy'])))
    causes.push(fieldNotSupported(`${path}.dnsPolicy`, spec['dnsPolicy'], ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None']));
  const account = spec['serviceAccountName'];
  if (typeof account === 'string' && !isSubdomain(account))
    causes.push(fieldInvalid(`${path}.serviceAccountName`, account, subdomainMessage));
  const nodeName = spec['nodeName'];
  if (typeof nodeName === 'string' && !isSubdomain(nodeName)) causes.push(fieldInvalid(`${path}.nodeName`, nodeName, subdomainMessage));
  const hostname = spec['hostname'];
  if (typeof hostname === 'string' && !isLabel(hostname)) causes.push(fieldInvalid(`${path}.hostname`, hostname, labelMessage));
  const grace = spec['terminationGracePeriodSeconds'];
  if (typeof grace === 'number' && grace < 0)
    causes.push(fieldInvalid(`${path}.terminationGracePeriodSeconds`, grace, 'must be greater than or equal to 0'));
  validateLabels(spec['nodeSelector'], `${path}.nodeSelector`, causes);
  for (const [index, toleration] of items(spec['tolerations']).entries()) {
    const at = `${path}.tolerations[${index}]`;
    if (toleration['operator'] !== undefined && toleration['operator'] !== 'Exists' && toleration['operator'] !== 'Equal')
      causes.push(fieldNotSupported(`${at}.operator`, toleration['operator'], ['Equal', 'Exists']));
    if (toleration['key'] === undefined && toleration['operator'] !== 'Exists')
      causes.push(
        fieldInvalid(
          `${at}.operator`,
          toleration['operator'] ?? '',
          'operator must be Exists when `key` is empty, which means "match all values and all keys"',
        ),
      );
    if (toleration['effect'] !== undefined && !['NoSchedule', 'PreferNoSchedule', 'NoExecute'].includes(String(toleration['effect'])))
      causes.push(fieldNotSupported(`${at}.effect`, toleration['effect'], ['NoSchedule', 'PreferNoSchedule', 'NoExecute']));
  }
}

function validateContainer(container: Json, path: string, names: Set<unknown>, volumes: ReadonlySet<unknown>, causes: FieldCause[]): void {
  const { name, image } = container;
  if (typeof name !== 'string' || name === '') causes.push(fieldRequired(`${path}.name`));
  else {
    if (name.length > 63) causes.push(fieldInvalid(`${path}.name`, name, 'must be no more than 63 characters'));
    if (!/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(name)) causes.push(fieldInvalid(`${path}.name`, name, labelMessage));
    if (names.has(name)) causes.push(fieldDuplicate(`${path}.name`, name));
    names.add(name);
  }
  if (typeof image !== 'string' || image === '') causes.push(fieldRequired(`${path}.image`));
  else if (image.trim() !== image) causes.push(fieldInvalid(`${path}.image`, image, 'must not have leading or trailing whitespace'));
  const policy = container['imagePullPolicy'];
  if (policy !== undefined && !['Always', 'IfNotPresent', 'Never'].includes(String(policy)))
    causes.push(fieldNotSupported(`${path}.imagePullPolicy`, policy, ['Always', 'IfNotPresent', 'Never']));
  const portNames = new Set<unknown>();
  for (const [index, port] of items(container['ports']).entries()) {
    const at = `${path}.ports[${index}]`;
    if (typeof port['name'] === 'string') {
      validatePortName(port['name'], `${at}.name`, causes);
      if (portNames.has(port['name'])) causes.push(fieldDuplicate(`${at}.name`, port['name']));
      portNames.add(port['name']);
    }
    if (port['containerPort'] === undefined || port['containerPort'] === 0) causes.push(fieldRequired(`${at}.containerPort`));
    else validatePort(port['containerPort'], `${at}.containerPort`, causes);
    if (port['hostPort'] !== undefined && port['hostPort'] !== 0) validatePort(port['hostPort'], `${at}.hostPort`, causes);
    validateProtocol(port['protocol'], `${at}.protocol`, causes);
  }
  for (const [index, variable] of items(container['env']).entries()) {
    const at = `${path}.env[${index}]`;
    if (typeof variable['name'] !== 'string' || variable['name'] === '') causes.push(fieldRequired(`${at}.name`));
    else if (!/^[-._a-zA-Z][-._a-zA-Z0-9]*$/.test(variable['name']))
      causes.push(fieldInvalid(`${at}.name`, variable['name'], cIdentifierMessage));
    if (variable['valueFrom'] !== undefined && variable['value'] !== undefined && variable['value'] !== '')
      causes.push(fieldInvalid(`${at}.valueFrom`, new GoLiteral('""'), 'may not be specified when `value` is not empty'));
  }
  const mountPaths = new Set<unknown>();
  for (const [index, mount] of items(container['volumeMounts']).entries()) {
    const at = `${path}.volumeMounts[${index}]`;
    if (typeof mount['name'] !== 'string' || mount['name'] === '') causes.push(fieldRequired(`${at}.name`));
    else if (!volumes.has(mount['name']))
      causes.push({ reason: 'FieldValueInvalid', field: `${at}.name`, message: `Not found: ${goQuote(mount['name'])}` });
    if (typeof mount['mountPath'] !== 'string' || mount['mountPath'] === '') causes.push(fieldRequired(`${at}.mountPath`));
    if (mountPaths.has(mount['mountPath'])) causes.push(fieldInvalid(`${at}.mountPath`, mount['mountPath'], 'must be unique'));
    mountPaths.add(mount['mountPath']);
  }
  const { limits, requests } = record(container['resources']);
  for (const [resource, limit] of Object.entries(record(limits))) {
    const request = record(requests)[resource];
    if (request !== undefined && quantity(String(request)) > quantity(String(limit)))
      causes.push(fieldInvalid(`${path}.resources.requests`, request, `must be less than or equal to ${resource} limit`));
  }
  for (const name of ['livenessProbe', 'readinessProbe', 'startupProbe']) {
    const probe = container[name];
    if (!isObject(probe)) continue;
    const handlers = ['exec', 'httpGet', 'tcpSocket', 'grpc'].filter((handler) => probe[handler] !== undefined);
    if (handlers.length === 0) causes.push(fieldRequired(`${path}.${name}`, 'must specify a handler type'));
    for (const handler of handlers.slice(1))
      causes.push(fieldForbidden(`${path}.${name}.${handler}`, 'may not specify more than 1 handler type'));
    if (name !== 'readinessProbe' && Number(probe['successThreshold'] ?? 1) !== 1)
      causes.push(fieldInvalid(`${path}.${name}.successThreshold`, probe['successThreshold'], 'must be 1'));
  }
}

/** The value of a resource quantity, in its base unit. */
export function quantity(text: string): number {
  const match = /^([+-]?[0-9.]+)(([KMGTPE])i|[numkMGTPE]|[eE]([+-]?\d+))?$/.exec(text);
  if (match === null) return Number.NaN;
  const number = Number(match[1]);
  const suffix = match[2] ?? '';
  if (match[3] !== undefined) return number * 1024 ** ('KMGTPE'.indexOf(match[3]) + 1);
  if (match[4] !== undefined) return number * 10 ** Number(match[4]);
  const powers: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
  return number * 10 ** (powers[suffix] ?? 0);
}

function validatePodUpdate(spec: Json, old: Json, causes: FieldCause[]): void {
  const strip = (value: Json): Json => {
    const {
      activeDeadlineSeconds: _a,
      tolerations: _t,
      terminationGracePeriodSeconds: _g,
      nodeName: _n,
      schedulingGates: _s,
      ...rest
    } = value;
    const withoutImages = (list: unknown): unknown => items(list).map(({ image: _image, ...container }) => container);
    return { ...rest, containers: withoutImages(value['containers']), initContainers: withoutImages(value['initContainers']) };
  };
  if (items(spec['containers']).length !== items(old['containers']).length) {
    causes.push(fieldForbidden('spec.containers', 'pod updates may not add or remove containers'));
    return;
  }
  for (const field of ['containers', 'initContainers'])
    for (const [index, container] of items(spec[field]).entries())
      if (typeof container['image'] !== 'string' || container['image'] === '') causes.push(fieldRequired(`spec.${field}[${index}].image`));
  const isBound = old['nodeName'] !== undefined && spec['nodeName'] !== old['nodeName'];
  if (isBound || !isEqual(strip(spec), strip(old)))
    causes.push(
      fieldForbidden(
        'spec',
        'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
      ),
    );
}

function validateNetworkPolicy(spec: Json, causes: FieldCause[]): void {
  validateSelector(spec['podSelector'], 'spec.podSelector', causes);
  for (const [direction, peers] of [
    ['ingress', 'from'],
    ['egress', 'to'],
  ] as const)
    for (const [index, rule] of items(spec[direction]).entries())
      for (const [place, peer] of items(rule[peers]).entries()) {
        const at = `spec.${direction}[${index}].${peers}[${place}]`;
        const { ipBlock, podSelector, namespaceSelector } = peer;
        if (ipBlock === undefined && podSelector === undefined && namespaceSelector === undefined)
          causes.push(fieldRequired(at, 'must specify a peer'));
        if (ipBlock !== undefined && (podSelector !== undefined || namespaceSelector !== undefined))
          causes.push(fieldForbidden(at, 'may not specify both ipBlock and another peer'));
        if (isObject(ipBlock) && !isCidr(String(ipBlock['cidr'])))
          causes.push(
            fieldInvalid(`${at}.ipBlock.cidr`, ipBlock['cidr'] ?? '', 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'),
          );
      }
}

function validateCustomResourceDefinition(object: Json, spec: Json, causes: FieldCause[]): void {
  const names = record(spec['names']);
  const expected = `${String(names['plural'] ?? '')}.${String(spec['group'] ?? '')}`;
  const name = record(object['metadata'])['name'];
  if (name !== expected) causes.push(fieldInvalid('metadata.name', name, `must be spec.names.plural+"."+spec.group`));
  for (const field of ['plural', 'singular', 'kind', 'listKind'])
    if (typeof names[field] !== 'string' || names[field] === '') causes.push(fieldRequired(`spec.names.${field}`));
  if (typeof spec['group'] !== 'string' || spec['group'] === '') causes.push(fieldRequired('spec.group'));
  if (spec['scope'] !== 'Cluster' && spec['scope'] !== 'Namespaced')
    causes.push(fieldNotSupported('spec.scope', spec['scope'] ?? '', ['Cluster', 'Namespaced']));
  const versions = items(spec['versions']);
  if (versions.filter((version) => version['storage'] === true).length !== 1)
    causes.push(
      fieldInvalid(
        'spec.versions',
        new GoLiteral(
          `[]apiextensions.CustomResourceDefinitionVersion{${versions.map((version) => `{Name:${goQuote(String(version['name']))}}`).join(', ')}}`,
        ),
        'must have exactly one version marked as storage version',
      ),
    );
  for (const [index, version] of versions.entries())
    if (version['schema'] === undefined)
      causes.push(fieldRequired(`spec.versions[${index}].schema.openAPIV3Schema`, 'schemas are required'));
}
