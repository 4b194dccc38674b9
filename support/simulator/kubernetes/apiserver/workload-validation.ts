import { matchesSelector } from '../labels.ts';
import type { FieldCause, LabelSelector } from '../types.ts';
import { isEqual, isObject } from './decode.ts';
import { fieldForbidden, fieldInvalid, fieldNotSupported, fieldRequired, GoLiteral, goQuote } from './errors.ts';
import { validatePodSpec } from './pod-validation.ts';
import {
  atLeastZero,
  atMostAll,
  between,
  check,
  countOrPercent,
  goIntOrString,
  isUnset,
  items,
  type Json,
  labels,
  oneOf,
  type Rules,
  record,
} from './rules.ts';
import { goLabels, goSelector, validateSelector } from './selector-validation.ts';

// Validation of what makes pods, in the words and the order of Kubernetes 1.27 (`pkg/apis/apps/validation`, `pkg/apis/batch/validation`).

function isInvalidSelector(selector: unknown): boolean {
  const causes: FieldCause[] = [];
  validateSelector(selector, '', causes);
  return causes.length > 0;
}

function isEmptySelector(selector: unknown): boolean {
  const { matchLabels, matchExpressions } = record(selector);
  return Object.keys(record(matchLabels)).length === 0 && items(matchExpressions).length === 0;
}

/** The selector for itself; an empty one would match everything. */
function validateOwnSelector(selector: unknown, kind: string, causes: FieldCause[]): void {
  if (selector === undefined || selector === null) return void causes.push(fieldRequired('spec.selector'));
  validateSelector(selector, 'spec.selector', causes);
  if (isEmptySelector(selector))
    causes.push(
      fieldInvalid(
        'spec.selector',
        kind === 'statefulset' ? goSelector(selector) : goSelector(selector),
        `empty selector is invalid for ${kind}`,
      ),
    );
}

/** No selector matches nothing, and so not its own template either. */
function validateMatch(selector: unknown, template: Json, at: string, causes: FieldCause[]): void {
  const own = record(template['metadata'])['labels'];
  const doesMatch = isObject(selector) && matchesSelector(selector as LabelSelector, (own ?? {}) as Readonly<Record<string, string>>);
  if (!doesMatch) causes.push(fieldInvalid(`${at}.metadata.labels`, goLabels(own), '`selector` does not match template `labels`'));
}

function validateTemplate(template: Json, at: string, causes: FieldCause[]): void {
  labels(record(template['metadata'])['labels'], `${at}.metadata.labels`, causes);
  validatePodSpec(record(template['spec']), `${at}.spec`, causes);
}

/** Pods that are to run for ever. */
function validateLasting(template: Json, causes: FieldCause[], owner: string | undefined): void {
  const { restartPolicy, activeDeadlineSeconds } = record(template['spec']);
  const at = 'spec.template.spec';
  if (restartPolicy === 'OnFailure' || restartPolicy === 'Never')
    causes.push(fieldNotSupported(`${at}.restartPolicy`, restartPolicy, ['Always']));
  if (activeDeadlineSeconds !== undefined && owner !== undefined)
    causes.push(fieldForbidden(`${at}.activeDeadlineSeconds`, `activeDeadlineSeconds in ${owner} is not Supported`));
}

const goTypes: Readonly<Record<string, readonly [strategy: string, rolling: string]>> = {
  strategy: ['DeploymentStrategy', 'RollingUpdateDeployment'],
  DaemonSet: ['DaemonSetUpdateStrategy', 'RollingUpdateDaemonSet'],
  StatefulSet: ['StatefulSetUpdateStrategy', 'RollingUpdateStatefulSetStrategy'],
};

function goStrategy(kind: string, type: unknown): GoLiteral {
  const [strategy, rolling] = goTypes[kind] ?? ['', ''];
  return new GoLiteral(`apps.${strategy}{Type:${goQuote(String(type))}, RollingUpdate:(*apps.${rolling})(nil)}`);
}

const isZero = (value: unknown): boolean => value === 0 || (typeof value === 'string' && Number.parseInt(value, 10) === 0);

function validateDeploymentStrategy(spec: Json, causes: FieldCause[]): void {
  const strategy = record(spec['strategy']);
  const { type, rollingUpdate } = strategy;
  if (type === 'Recreate') {
    if (rollingUpdate !== undefined)
      causes.push(fieldForbidden('spec.strategy.rollingUpdate', "may not be specified when strategy `type` is 'Recreate'"));
  } else if (type === 'RollingUpdate') {
    const rolling = record(rollingUpdate);
    const { maxSurge, maxUnavailable } = rolling;
    check(rolling, 'spec.strategy.rollingUpdate', causes, [
      ['maxUnavailable', countOrPercent],
      ['maxSurge', countOrPercent],
    ]);
    if (isZero(maxUnavailable) && isZero(maxSurge))
      causes.push(
        fieldInvalid('spec.strategy.rollingUpdate.maxUnavailable', goIntOrString(maxUnavailable), 'may not be 0 when `maxSurge` is 0'),
      );
    atMostAll(maxUnavailable, 'spec.strategy.rollingUpdate.maxUnavailable', causes);
  } else causes.push(fieldNotSupportedLiteral('spec.strategy', goStrategy('strategy', type), ['Recreate', 'RollingUpdate']));
}

function fieldNotSupportedLiteral(field: string, value: GoLiteral, supported: readonly string[]): FieldCause {
  const message = `Unsupported value: ${value.text}: supported values: ${supported.map(goQuote).join(', ')}`;
  return { reason: 'FieldValueNotSupported', field, message };
}

function validateDeployment(spec: Json, causes: FieldCause[]): void {
  const template = record(spec['template']);
  check(spec, 'spec', causes, [['replicas', atLeastZero]]);
  validateOwnSelector(spec['selector'], 'deployment', causes);
  if (isObject(spec['selector']) && isInvalidSelector(spec['selector']))
    causes.push(fieldInvalid('spec.selector', goSelector(spec['selector']), 'invalid label selector'));
  else validateReplicaTemplate(spec, template, causes);
  validateDeploymentStrategy(spec, causes);
  check(spec, 'spec', causes, [
    ['minReadySeconds', atLeastZero],
    ['revisionHistoryLimit', atLeastZero],
  ]);
  const { progressDeadlineSeconds, minReadySeconds } = spec;
  if (typeof progressDeadlineSeconds !== 'number') return;
  atLeastZero(progressDeadlineSeconds, 'spec.progressDeadlineSeconds', causes);
  if (progressDeadlineSeconds <= Number(minReadySeconds ?? 0))
    causes.push(fieldInvalid('spec.progressDeadlineSeconds', progressDeadlineSeconds, 'must be greater than minReadySeconds'));
}

/** The template of replicas that all look alike; a selector that is empty is told on its own. */
function validateReplicaTemplate(spec: Json, template: Json, causes: FieldCause[]): void {
  if (!isObject(spec['selector']) || !isEmptySelector(spec['selector'])) validateMatch(spec['selector'], template, 'spec.template', causes);
  validateTemplate(template, 'spec.template', causes);
  validateLasting(template, causes, 'ReplicaSet');
}

function validateReplicaSet(spec: Json, causes: FieldCause[]): void {
  check(spec, 'spec', causes, [
    ['replicas', atLeastZero],
    ['minReadySeconds', atLeastZero],
  ]);
  validateOwnSelector(spec['selector'], 'deployment', causes);
  if (isObject(spec['selector']) && isInvalidSelector(spec['selector']))
    causes.push(fieldInvalid('spec.selector', goSelector(spec['selector']), 'invalid label selector'));
  else validateReplicaTemplate(spec, record(spec['template']), causes);
}

function validateDaemonSet(spec: Json, causes: FieldCause[]): void {
  const { selector, updateStrategy } = spec;
  const template = record(spec['template']);
  validateSelector(selector, 'spec.selector', causes);
  if (isObject(selector) && !isInvalidSelector(selector) && !matchesSelectorOf(selector, template))
    causes.push(
      fieldInvalid(
        'spec.template.metadata.labels',
        goLabels(record(template['metadata'])['labels']),
        '`selector` does not match template `labels`',
      ),
    );
  if (isObject(selector) && isEmptySelector(selector))
    causes.push(fieldInvalid('spec.selector', goSelector(selector), 'empty selector is invalid for daemonset'));
  validateTemplate(template, 'spec.template', causes);
  validateLasting(template, causes, 'DaemonSet');
  check(spec, 'spec', causes, [['minReadySeconds', atLeastZero]]);
  const { type, rollingUpdate } = record(updateStrategy);
  const at = 'spec.updateStrategy';
  if (type === 'RollingUpdate') {
    if (!isObject(rollingUpdate)) causes.push(fieldRequired(`${at}.rollingUpdate`));
    else validateDaemonSetRollout(rollingUpdate, `${at}.rollingUpdate`, causes);
  } else if (type !== 'OnDelete') causes.push(fieldNotSupportedLiteral(at, goStrategy('DaemonSet', type), ['RollingUpdate', 'OnDelete']));
  check(spec, 'spec', causes, [['revisionHistoryLimit', atLeastZero]]);
}

function matchesSelectorOf(selector: Json, template: Json): boolean {
  return matchesSelector(selector as LabelSelector, (record(template['metadata'])['labels'] ?? {}) as Readonly<Record<string, string>>);
}

function validateDaemonSetRollout(rolling: Json, at: string, causes: FieldCause[]): void {
  const { maxUnavailable, maxSurge } = rolling;
  const hasUnavailable = !isZero(maxUnavailable) && maxUnavailable !== undefined;
  const hasSurge = !isZero(maxSurge) && maxSurge !== undefined;
  if (hasUnavailable && hasSurge)
    causes.push(fieldInvalid(`${at}.maxSurge`, goIntOrString(maxSurge), 'may not be set when maxUnavailable is non-zero'));
  else if (!hasUnavailable && !hasSurge) causes.push(fieldRequired(`${at}.maxUnavailable`, 'cannot be 0 when maxSurge is 0'));
  check(rolling, at, causes, [
    ['maxUnavailable', countOrPercent, atMostAll],
    ['maxSurge', countOrPercent, atMostAll],
  ]);
}

function validateStatefulSet(spec: Json, causes: FieldCause[]): void {
  const { podManagementPolicy, updateStrategy, selector } = spec;
  const template = record(spec['template']);
  if (isUnset(podManagementPolicy)) causes.push(fieldRequired('spec.podManagementPolicy'));
  else if (podManagementPolicy !== 'OrderedReady' && podManagementPolicy !== 'Parallel')
    causes.push(fieldInvalid('spec.podManagementPolicy', podManagementPolicy, "must be 'OrderedReady' or 'Parallel'"));
  const { type, rollingUpdate } = record(updateStrategy);
  const at = 'spec.updateStrategy';
  if (type === 'OnDelete') {
    if (rollingUpdate !== undefined)
      causes.push(fieldInvalid(`${at}.rollingUpdate`, rollingUpdate, "only allowed for updateStrategy 'RollingUpdate'"));
  } else if (type === 'RollingUpdate')
    check(record(rollingUpdate), `${at}.rollingUpdate`, causes, [
      ['partition', atLeastZero],
      ['maxUnavailable', countOrPercent, atMostAll],
    ]);
  else causes.push(fieldInvalid(at, goStrategy('StatefulSet', type), "must be 'RollingUpdate' or 'OnDelete'"));
  check(record(spec['persistentVolumeClaimRetentionPolicy']), 'spec.persistentVolumeClaimRetentionPolicy', causes, [
    ['whenDeleted', oneOf('Retain', 'Delete')],
    ['whenScaled', oneOf('Retain', 'Delete')],
  ]);
  check(spec, 'spec', causes, [
    ['replicas', atLeastZero],
    ['minReadySeconds', atLeastZero],
  ]);
  check(record(spec['ordinals']), 'spec.ordinals', causes, [['start', atLeastZero]]);
  validateOwnSelector(selector, 'statefulset', causes);
  if (isObject(selector) && isInvalidSelector(selector)) causes.push(fieldInvalid('spec.selector', goSelector(selector), ''));
  else {
    if (!isObject(selector) || !isEmptySelector(selector)) validateMatch(selector, template, 'spec.template', causes);
    validateTemplate(template, 'spec.template', causes);
  }
  validateLasting(template, causes, 'StatefulSet');
}

const jobNumbers: Rules = [
  ['parallelism', atLeastZero],
  ['completions', atLeastZero],
  ['activeDeadlineSeconds', atLeastZero],
  ['backoffLimit', atLeastZero],
  ['ttlSecondsAfterFinished', atLeastZero],
];

function validateJobSpec(spec: Json, path: string, causes: FieldCause[]): void {
  check(spec, path, causes, jobNumbers);
  const { completionMode, completions, parallelism } = spec;
  if (!isUnset(completionMode)) {
    if (completionMode !== 'NonIndexed' && completionMode !== 'Indexed')
      causes.push(fieldNotSupported(`${path}.completionMode`, completionMode, ['NonIndexed', 'Indexed']));
    if (completionMode === 'Indexed') {
      if (completions === undefined) causes.push(fieldRequired(`${path}.completions`, 'when completion mode is Indexed'));
      check(spec, path, causes, [
        ['parallelism', between(Number.NEGATIVE_INFINITY, 100_000, 'must be less than or equal to 100000 when completion mode is Indexed')],
      ]);
      void parallelism;
    }
  }
  const template = record(spec['template']);
  validateTemplate(template, `${path}.template`, causes);
  const policy = record(template['spec'])['restartPolicy'];
  if (policy === 'Always' || isUnset(policy))
    causes.push(fieldRequired(`${path}.template.spec.restartPolicy`, 'valid values: "OnFailure", "Never"'));
  else if (policy !== 'OnFailure' && policy !== 'Never')
    causes.push(fieldNotSupported(`${path}.template.spec.restartPolicy`, policy, ['OnFailure', 'Never']));
}

function validateJob(spec: Json, metadata: Json, causes: FieldCause[]): void {
  const own: FieldCause[] = [];
  validateJobSpec(spec, 'spec', own);
  const numbers = own.filter(({ field }) => jobNumbers.some(([name]) => field === `spec.${name}`));
  causes.push(...numbers);
  const { selector } = spec;
  const template = record(spec['template']);
  if (spec['manualSelector'] !== true) {
    const key = 'batch.kubernetes.io/controller-uid';
    const wanted = { matchLabels: { [key]: metadata['uid'] } };
    if (isObject(selector) && !isEqual(selector, wanted))
      causes.push(fieldInvalid('spec.selector', goSelector(selector), '`selector` not auto-generated'));
  }
  if (!isObject(selector)) causes.push(fieldRequired('spec.selector'));
  else {
    validateSelector(selector, 'spec.selector', causes);
    if (!matchesSelectorOf(selector, template))
      causes.push(
        fieldInvalid(
          'spec.template.metadata.labels',
          goLabels(record(template['metadata'])['labels']),
          '`selector` does not match template `labels`',
        ),
      );
  }
  causes.push(...own.filter((cause) => !numbers.includes(cause)));
}

const cronFields = [
  [0, 59],
  [0, 23],
  [1, 31],
  [1, 12],
  [0, 6],
] as const;
const cronNames = ['', '', '', 'jan feb mar apr may jun jul aug sep oct nov dec', 'sun mon tue wed thu fri sat'].map((names) =>
  names.split(' '),
);

/** What the parser of `robfig/cron` says, or nothing. */
function cronProblem(schedule: string): string | undefined {
  let text = schedule;
  const zone = /^(?:CRON_)?TZ=\S+\s+/.exec(text);
  if (zone !== null) text = text.slice(zone[0].length);
  if (text.startsWith('@'))
    return /^@(yearly|annually|monthly|weekly|daily|midnight|hourly)$|^@every \S+$/.test(text)
      ? undefined
      : `unrecognized descriptor: ${text}`;
  const fields = text.split(/\s+/).filter((field) => field !== '');
  if (fields.length !== 5) return `expected exactly 5 fields, found ${fields.length}: [${fields.join(' ')}]`;
  for (const [index, field] of fields.entries())
    for (const part of field.split(',')) {
      const problem = cronPartProblem(part, index);
      if (problem !== undefined) return problem;
    }
  return undefined;
}

function cronPartProblem(part: string, index: number): string | undefined {
  const [lowest, highest] = cronFields[index] ?? [0, 0];
  const [range = '', step, ...more] = part.split('/');
  const [first = '', last, ...rest] = range.split('-');
  const number = (text: string): number | undefined => {
    const name = cronNames[index]?.indexOf(text.toLowerCase()) ?? -1;
    if (text !== '' && name >= 0) return name + lowest;
    return /^-?\d+$/.test(text) ? Number(text) : undefined;
  };
  const bad = (text: string): string => `failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`;
  let [start, end] = [lowest as number, highest as number];
  if (first !== '*' && first !== '?') {
    const from = number(first);
    if (from === undefined) return bad(first);
    start = from;
    if (rest.length > 0) return `too many hyphens: ${part}`;
    const to = last === undefined ? from : number(last);
    if (to === undefined) return bad(last ?? '');
    end = to;
    if (last === undefined && step !== undefined) end = highest;
  }
  if (more.length > 0) return `too many slashes: ${part}`;
  if (step !== undefined) {
    if (!/^\d+$/.test(step)) return bad(step);
    if (Number(step) === 0) return `step of range should be a positive number: ${part}`;
  }
  if (start < lowest) return `beginning of range (${start}) below minimum (${lowest}): ${part}`;
  if (end > highest) return `end of range (${end}) above maximum (${highest}): ${part}`;
  if (start > end) return `beginning of range (${start}) beyond end of range (${end}): ${part}`;
  return undefined;
}

function validateCronJob(spec: Json, metadata: Json, causes: FieldCause[]): void {
  const { schedule, timeZone } = spec;
  const hasZone = typeof schedule === 'string' && schedule.includes('TZ');
  if (isUnset(schedule)) causes.push(fieldRequired('spec.schedule'));
  else {
    const problem = cronProblem(String(schedule));
    if (problem !== undefined) causes.push(fieldInvalid('spec.schedule', schedule, problem));
    if (hasZone && timeZone !== undefined)
      causes.push(fieldInvalid('spec.schedule', schedule, 'cannot use both timeZone field and TZ or CRON_TZ in schedule'));
  }
  check(spec, 'spec', causes, [['startingDeadlineSeconds', atLeastZero]]);
  if (typeof timeZone === 'string' && !isZone(timeZone))
    causes.push(
      timeZone === ''
        ? fieldInvalid('spec.timeZone', timeZone, 'timeZone must be nil or non-empty string')
        : fieldInvalid('spec.timeZone', timeZone, `unknown time zone ${timeZone}`),
    );
  check(spec, 'spec', causes, [['concurrencyPolicy', oneOf('Allow', 'Forbid', 'Replace')]]);
  validateJobSpec(record(record(spec['jobTemplate'])['spec']), 'spec.jobTemplate.spec', causes);
  check(spec, 'spec', causes, [
    ['successfulJobsHistoryLimit', atLeastZero],
    ['failedJobsHistoryLimit', atLeastZero],
  ]);
  if (String(metadata['name'] ?? '').length > 52)
    causes.push(fieldInvalid('metadata.name', metadata['name'], 'must be no more than 52 characters'));
}

function isZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

function validateReplicationController(spec: Json, causes: FieldCause[]): void {
  check(spec, 'spec', causes, [['minReadySeconds', atLeastZero]]);
  const selector = record(spec['selector']);
  if (Object.keys(selector).length === 0) causes.push(fieldRequired('spec.selector'));
  check(spec, 'spec', causes, [['replicas', atLeastZero]]);
  const template = record(spec['template']);
  if (!matchesSelectorOf({ matchLabels: selector }, template))
    causes.push(
      fieldInvalid(
        'spec.template.metadata.labels',
        goLabels(record(template['metadata'])['labels']),
        '`selector` does not match template `labels`',
      ),
    );
  validateTemplate(template, 'spec.template', causes);
  validateLasting(template, causes, 'ReplicationController');
}

/** @returns whether the kind is one of these */
export function validateWorkload(kind: string, object: Json, old: Json | undefined, causes: FieldCause[]): boolean {
  const spec = record(object['spec']);
  const metadata = record(object['metadata']);
  const before = record(old?.['spec']);
  const keep = (field: string, value: unknown): void => {
    if (old !== undefined && !isEqual(spec[field], before[field])) causes.push(fieldInvalid(`spec.${field}`, value, 'field is immutable'));
  };
  switch (kind) {
    case 'Deployment':
      validateDeployment(spec, causes);
      keep('selector', goSelector(spec['selector']));
      return true;
    case 'ReplicaSet':
      validateReplicaSet(spec, causes);
      keep('selector', goSelector(spec['selector']));
      return true;
    case 'DaemonSet':
      validateDaemonSet(spec, causes);
      keep('selector', goSelector(spec['selector']));
      return true;
    case 'StatefulSet': {
      validateStatefulSet(spec, causes);
      if (old === undefined) return true;
      const {
        replicas: _r,
        ordinals: _o,
        template: _t,
        updateStrategy: _u,
        persistentVolumeClaimRetentionPolicy: _p,
        minReadySeconds: _m,
        ...rest
      } = spec;
      const kept = Object.fromEntries(Object.keys({ ...rest, ...before }).map((key) => [key, before[key]]));
      const {
        replicas: _r2,
        ordinals: _o2,
        template: _t2,
        updateStrategy: _u2,
        persistentVolumeClaimRetentionPolicy: _p2,
        minReadySeconds: _m2,
        ...oldRest
      } = kept;
      if (!isEqual(rest, oldRest))
        causes.push(
          fieldForbidden(
            'spec',
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
          ),
        );
      return true;
    }
    case 'Job':
      validateJob(spec, metadata, causes);
      keep('completions', spec['completions'] ?? new GoLiteral('"null"'));
      keep('selector', goSelector(spec['selector']));
      keep('template', new GoLiteral('core.PodTemplateSpec{…}'));
      keep('completionMode', spec['completionMode']);
      return true;
    case 'CronJob':
      validateCronJob(spec, metadata, causes);
      return true;
    case 'ReplicationController':
      validateReplicationController(spec, causes);
      return true;
    default:
      return false;
  }
}
