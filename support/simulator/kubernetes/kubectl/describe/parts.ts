import { ageOf, millisecondsOf, rfc1123 } from '../age.ts';
import { goSort } from '../go-sort.ts';
import { goValueText } from '../printers.ts';
import { parseQuantity } from '../quantity.ts';
import { at, byText, type Dict, dictAt, isDict, listAt, numberAt, sortedKeys, stringsAt, textAt } from '../values.ts';
import type { DescribeWriter } from './writer.ts';

/** Pieces that several kinds share, in the order and wording of kubectl's describe.go. */

const longestAnnotation = 140;

export function writeMap(writer: DescribeWriter, title: string, entries: Readonly<Record<string, string>>, indent = ''): void {
  const texts = sortedKeys(entries).map((key) => `${key}=${entries[key]}`);
  writer.list(`${indent}${title}:`, texts);
}

export function writeLabels(writer: DescribeWriter, object: Dict): void {
  writeMap(writer, 'Labels', stringsAt(object, 'metadata', 'labels'));
}

export function writeAnnotations(writer: DescribeWriter, annotations: Readonly<Record<string, string>>, indent = ''): void {
  const keys = sortedKeys(annotations).filter((key) => key !== 'kubectl.kubernetes.io/last-applied-configuration');
  if (keys.length === 0) writer.line(0, `${indent}Annotations:`, '<none>');
  keys.forEach((key, index) => {
    const start = index === 0 ? `${indent}Annotations:` : '';
    const value = (annotations[key] as string).replace(/\n$/, '');
    if (value.length + key.length + 2 <= longestAnnotation && !value.includes('\n')) {
      writer.line(0, start, `${key}: ${value}`);
      return;
    }
    writer.line(0, start, `${key}:`);
    for (const line of value.split('\n')) writer.line(0, '', `  ${shorten(line, longestAnnotation - 2)}`);
  });
}

function shorten(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)}...`;
}

export function writeHead(
  writer: DescribeWriter,
  object: Dict,
  options: { readonly isNamespaced: boolean } = { isNamespaced: true },
): void {
  writer.line(0, 'Name:', textAt(object, 'metadata', 'name'));
  if (options.isNamespaced) writer.line(0, 'Namespace:', textAt(object, 'metadata', 'namespace'));
  writeLabels(writer, object);
  writeAnnotations(writer, stringsAt(object, 'metadata', 'annotations'));
}

export function controllerOf(object: Dict): string | undefined {
  const owner = listAt(object, 'metadata', 'ownerReferences').find((reference) => at(reference, 'controller') === true);
  return owner === undefined ? undefined : `${textAt(owner, 'kind')}/${textAt(owner, 'name')}`;
}

export function labelsLine(labels: Readonly<Record<string, string>>): string {
  const keys = sortedKeys(labels);
  return keys.length === 0 ? '<none>' : keys.map((key) => `${key}=${labels[key]}`).join(',');
}

/** A LabelSelector as text, as in apimachinery's FormatLabelSelector. */
export function selectorText(selector: unknown): string {
  const labels = stringsAt(selector, 'matchLabels');
  const parts = [
    ...Object.entries(labels).map(([key, value]) => ({ key, text: `${key}=${value}` })),
    ...listAt(selector, 'matchExpressions').map((expression) => {
      const key = textAt(expression, 'key');
      const values = listAt(expression, 'values').map(String).sort(byText).join(',');
      const operator = textAt(expression, 'operator');
      if (operator === 'In') return { key, text: `${key} in (${values})` };
      if (operator === 'NotIn') return { key, text: `${key} notin (${values})` };
      return { key, text: operator === 'Exists' ? key : `!${key}` };
    }),
  ].sort((a, b) => byText(a.key, b.key));
  return parts.length === 0 ? '<none>' : parts.map((part) => part.text).join(',');
}

// ── containers ──────────────────────────────────────────────────────────────────────────────────────────────

export interface ContainerContext {
  readonly statuses: readonly unknown[] | undefined;
  /** The pod, where values of fieldRef can be looked up. */
  readonly pod: Dict | undefined;
  /** Indentation of a pod template. */
  readonly space: string;
}

export function writeContainers(writer: DescribeWriter, title: string, containers: readonly unknown[], context: ContainerContext): void {
  const { space } = context;
  writer.line(0, `${space}${title}:${containers.length === 0 ? ' <none>' : ''}`);
  for (const container of containers) {
    const status = context.statuses?.find((candidate) => textAt(candidate, 'name') === textAt(container, 'name'));
    writer.line(1, `${space === '' ? '' : ' '}${textAt(container, 'name')}:`);
    if (status !== undefined) writer.line(2, 'Container ID:', textAt(status, 'containerID'));
    writer.line(2, 'Image:', textAt(container, 'image'));
    if (status !== undefined) writer.line(2, 'Image ID:', textAt(status, 'imageID'));
    writePorts(writer, 'Port', listAt(container, 'ports'), 'containerPort');
    writePorts(writer, 'Host Port', listAt(container, 'ports'), 'hostPort');
    writeArgv(writer, 'Command', listAt(container, 'command'));
    writeArgv(writer, 'Args', listAt(container, 'args'));
    if (status !== undefined) writeStatus(writer, status);
    writeResources(writer, dictAt(container, 'resources'));
    for (const [title, field] of [
      ['Liveness', 'livenessProbe'],
      ['Readiness', 'readinessProbe'],
      ['Startup', 'startupProbe'],
    ] as const) {
      const probe = at(container, field);
      if (isDict(probe)) writer.line(2, `${title}:`, probeText(probe));
    }
    writeEnvironment(writer, container, context.pod);
    writeMounts(writer, listAt(container, 'volumeMounts'));
  }
}

function writePorts(writer: DescribeWriter, title: string, ports: readonly unknown[], field: string): void {
  const texts = ports.map((port) => `${numberAt(port, field)}/${textAt(port, 'protocol') || 'TCP'}`);
  writer.line(2, texts.length > 1 ? `${title}s:` : `${title}:`, texts.length === 0 ? '<none>' : texts.join(', '));
}

function writeArgv(writer: DescribeWriter, title: string, argv: readonly unknown[]): void {
  if (argv.length === 0) return;
  writer.line(2, `${title}:`);
  for (const arg of argv) for (const line of String(arg).split('\n')) writer.line(3, line);
}

function writeStatus(writer: DescribeWriter, status: unknown): void {
  writeState(writer, 'State', at(status, 'state'));
  if (at(status, 'lastState', 'terminated') !== undefined) writeState(writer, 'Last State', at(status, 'lastState'));
  writer.line(2, 'Ready:', at(status, 'ready') === true ? 'True' : 'False');
  writer.line(2, 'Restart Count:', String(numberAt(status, 'restartCount')));
}

function writeState(writer: DescribeWriter, title: string, state: unknown): void {
  const running = at(state, 'running');
  const terminated = at(state, 'terminated');
  if (running !== undefined) {
    writer.line(2, `${title}:`, 'Running');
    writer.line(3, 'Started:', rfc1123(at(running, 'startedAt')));
  } else if (terminated !== undefined) {
    writer.line(2, `${title}:`, 'Terminated');
    if (textAt(terminated, 'reason') !== '') writer.line(3, 'Reason:', textAt(terminated, 'reason'));
    if (textAt(terminated, 'message') !== '') writer.line(3, 'Message:', textAt(terminated, 'message'));
    writer.line(3, 'Exit Code:', String(numberAt(terminated, 'exitCode')));
    if (numberAt(terminated, 'signal') > 0) writer.line(3, 'Signal:', String(numberAt(terminated, 'signal')));
    writer.line(3, 'Started:', rfc1123(at(terminated, 'startedAt')));
    writer.line(3, 'Finished:', rfc1123(at(terminated, 'finishedAt')));
  } else {
    writer.line(2, `${title}:`, 'Waiting');
    const reason = textAt(state, 'waiting', 'reason');
    if (reason !== '') writer.line(3, 'Reason:', reason);
  }
}

function writeResources(writer: DescribeWriter, resources: Dict): void {
  for (const [title, field] of [
    ['Limits', 'limits'],
    ['Requests', 'requests'],
  ] as const) {
    const amounts = stringsAt(resources, field);
    if (Object.keys(amounts).length === 0) continue;
    writer.line(2, `${title}:`);
    for (const name of sortedKeys(amounts)) writer.line(3, `${name}:`, amounts[name] as string);
  }
}

function probeText(probe: Dict): string {
  const number = (field: string, fallback: number): number => numberAt(probe, field) || fallback;
  const attributes = `delay=${numberAt(probe, 'initialDelaySeconds')}s timeout=${number('timeoutSeconds', 1)}s period=${number('periodSeconds', 10)}s #success=${number('successThreshold', 1)} #failure=${number('failureThreshold', 3)}`;
  if (isDict(probe.exec)) return `exec [${listAt(probe, 'exec', 'command').map(String).join(' ')}] ${attributes}`;
  if (isDict(probe.httpGet)) {
    const { httpGet } = probe;
    const port = goValueText(httpGet.port);
    const host = textAt(httpGet, 'host');
    const shown = host.includes(':') ? `[${host}]` : host;
    const path = textAt(httpGet, 'path');
    return `http-get ${(textAt(httpGet, 'scheme') || 'HTTP').toLowerCase()}://${shown}:${port}${path === '' || path.startsWith('/') ? path : `/${path}`} ${attributes}`;
  }
  if (isDict(probe.tcpSocket)) return `tcp-socket ${textAt(probe, 'tcpSocket', 'host')}:${goValueText(probe.tcpSocket.port)} ${attributes}`;
  if (isDict(probe.grpc)) return `grpc <pod>:${goValueText(probe.grpc.port)} ${textAt(probe, 'grpc', 'service')} ${attributes}`;
  return `unknown ${attributes}`;
}

function writeEnvironment(writer: DescribeWriter, container: unknown, pod: Dict | undefined): void {
  const sources = listAt(container, 'envFrom');
  if (sources.length > 0) writer.line(2, 'Environment Variables from:');
  for (const source of sources) {
    const isConfigMap = isDict(at(source, 'configMapRef'));
    const reference = dictAt(source, isConfigMap ? 'configMapRef' : 'secretRef');
    const prefix = textAt(source, 'prefix');
    writer.line(
      3,
      textAt(reference, 'name'),
      `${isConfigMap ? 'ConfigMap' : 'Secret'}${prefix === '' ? '' : ` with prefix '${prefix}'`}`,
      `Optional: ${reference.optional === true}`,
    );
  }
  const variables = listAt(container, 'env');
  if (variables.length === 0) writer.line(2, 'Environment:', '<none>');
  else writer.line(2, 'Environment:');
  for (const variable of variables) {
    const name = textAt(variable, 'name');
    const from = at(variable, 'valueFrom');
    if (!isDict(from)) {
      for (const [index, line] of textAt(variable, 'value').split('\n').entries()) writer.line(3, index === 0 ? `${name}:` : '', line);
    } else if (isDict(from.fieldRef)) {
      const path = textAt(from, 'fieldRef', 'fieldPath');
      writer.line(3, `${name}:`, `${fieldOfPod(pod, path)} (${textAt(from, 'fieldRef', 'apiVersion') || 'v1'}:${path})`);
    } else if (isDict(from.resourceFieldRef)) {
      writer.line(3, `${name}:`, `${resourceOf(container, from.resourceFieldRef)} (${textAt(from, 'resourceFieldRef', 'resource')})`);
    } else if (isDict(from.secretKeyRef)) {
      writer.line(
        3,
        `${name}:`,
        `<set to the key '${textAt(from, 'secretKeyRef', 'key')}' in secret '${textAt(from, 'secretKeyRef', 'name')}'>`,
        `Optional: ${from.secretKeyRef.optional === true}`,
      );
    } else if (isDict(from.configMapKeyRef)) {
      writer.line(
        3,
        `${name}:`,
        `<set to the key '${textAt(from, 'configMapKeyRef', 'key')}' of config map '${textAt(from, 'configMapKeyRef', 'name')}'>`,
        `Optional: ${from.configMapKeyRef.optional === true}`,
      );
    }
  }
}

/** In units of the divisor, which is one core or one byte unless it says otherwise, rounded up. */
function resourceOf(container: unknown, reference: Dict): string {
  const [kind, name = ''] = textAt(reference, 'resource').split('.') as [string, string | undefined];
  const divisor = parseQuantity(String(reference.divisor ?? '1')) || 1;
  return String(Math.ceil(parseQuantity(stringsAt(container, 'resources', kind)[name] ?? '0') / divisor - 1e-9));
}

function fieldOfPod(pod: Dict | undefined, path: string): string {
  if (pod === undefined || !/^metadata\.(name|namespace|uid)$/.test(path)) return '';
  return textAt(pod, ...path.split('.'));
}

function writeMounts(writer: DescribeWriter, mounts: readonly unknown[]): void {
  if (mounts.length === 0) writer.line(2, 'Mounts:', '<none>');
  else writer.line(2, 'Mounts:');
  for (const mount of [...mounts].sort((a, b) => byText(textAt(a, 'mountPath'), textAt(b, 'mountPath')))) {
    const flags = [at(mount, 'readOnly') === true ? 'ro' : 'rw'];
    if (textAt(mount, 'subPath') !== '') flags.push(`path=${JSON.stringify(textAt(mount, 'subPath'))}`);
    writer.line(3, `${textAt(mount, 'mountPath')} from ${textAt(mount, 'name')} (${flags.join(',')})`);
  }
}

// ── volumes ─────────────────────────────────────────────────────────────────────────────────────────────────

export function writeVolumes(writer: DescribeWriter, volumes: readonly unknown[], space: string): void {
  if (volumes.length === 0) {
    writer.line(0, `${space}Volumes:`, '<none>');
    return;
  }
  writer.line(0, `${space}Volumes:`);
  for (const volume of volumes) {
    writer.line(1, `${space === '' ? '' : ' '}${textAt(volume, 'name')}:`);
    for (const [key, value] of volumeLines(volume as Dict)) writer.line(2, `${key}:`, value);
  }
}

function volumeLines(volume: Dict): (readonly [string, string])[] {
  const optional = (source: unknown): string => String(at(source, 'optional') === true);
  if (isDict(volume.hostPath)) {
    return [
      ['Type', 'HostPath (bare host directory volume)'],
      ['Path', textAt(volume, 'hostPath', 'path')],
      ['HostPathType', textAt(volume, 'hostPath', 'type')],
    ];
  }
  if (isDict(volume.emptyDir)) {
    return [
      ['Type', "EmptyDir (a temporary directory that shares a pod's lifetime)"],
      ['Medium', textAt(volume, 'emptyDir', 'medium')],
      ['SizeLimit', volume.emptyDir.sizeLimit === undefined ? '<unset>' : String(volume.emptyDir.sizeLimit)],
    ];
  }
  if (isDict(volume.configMap)) {
    return [
      ['Type', 'ConfigMap (a volume populated by a ConfigMap)'],
      ['Name', textAt(volume, 'configMap', 'name')],
      ['Optional', optional(volume.configMap)],
    ];
  }
  if (isDict(volume.secret)) {
    return [
      ['Type', 'Secret (a volume populated by a Secret)'],
      ['SecretName', textAt(volume, 'secret', 'secretName')],
      ['Optional', optional(volume.secret)],
    ];
  }
  if (isDict(volume.persistentVolumeClaim)) {
    return [
      ['Type', 'PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)'],
      ['ClaimName', textAt(volume, 'persistentVolumeClaim', 'claimName')],
      ['ReadOnly', String(volume.persistentVolumeClaim.readOnly === true)],
    ];
  }
  if (isDict(volume.projected)) {
    const lines: (readonly [string, string])[] = [['Type', 'Projected (a volume that contains injected data from multiple sources)']];
    const pointer = (source: unknown): string => (at(source, 'optional') === undefined ? '<nil>' : String(at(source, 'optional')));
    for (const source of listAt(volume, 'projected', 'sources')) {
      if (isDict(at(source, 'secret')))
        lines.push(['SecretName', textAt(source, 'secret', 'name')], ['SecretOptionalName', pointer(at(source, 'secret'))]);
      else if (isDict(at(source, 'downwardAPI'))) lines.push(['DownwardAPI', 'true']);
      else if (isDict(at(source, 'configMap')))
        lines.push(['ConfigMapName', textAt(source, 'configMap', 'name')], ['ConfigMapOptional', pointer(at(source, 'configMap'))]);
      else if (isDict(at(source, 'serviceAccountToken')))
        lines.push(['TokenExpirationSeconds', String(numberAt(source, 'serviceAccountToken', 'expirationSeconds'))]);
    }
    return lines;
  }
  return [];
}

// ── the rest of a pod template, and events ──────────────────────────────────────────────────────────────────

export function writeTolerations(writer: DescribeWriter, title: string, tolerations: readonly unknown[]): void {
  if (tolerations.length === 0) writer.line(0, `${title}:`, '<none>');
  [...tolerations]
    .sort((a, b) => byText(textAt(a, 'key'), textAt(b, 'key')))
    .forEach((toleration, index) => {
      const key = textAt(toleration, 'key');
      const value = textAt(toleration, 'value');
      const effect = textAt(toleration, 'effect');
      let text = key;
      if (value !== '') text += `=${value}`;
      if (effect !== '') text += `:${effect}`;
      if (textAt(toleration, 'operator') === 'Exists' && value === '') text += key === '' && effect === '' ? 'op=Exists' : ' op=Exists';
      if (at(toleration, 'tolerationSeconds') !== undefined) text += ` for ${numberAt(toleration, 'tolerationSeconds')}s`;
      writer.line(0, index === 0 ? `${title}:` : '', text);
    });
}

export function writePodTemplate(writer: DescribeWriter, template: unknown): void {
  writer.line(0, 'Pod Template:');
  writeMap(writer, 'Labels', stringsAt(template, 'metadata', 'labels'), '  ');
  const annotations = stringsAt(template, 'metadata', 'annotations');
  if (Object.keys(annotations).length > 0) writeAnnotations(writer, annotations, '  ');
  const account = textAt(template, 'spec', 'serviceAccountName');
  if (account !== '') writer.line(0, '  Service Account:', account);
  const context: ContainerContext = { statuses: undefined, pod: undefined, space: '  ' };
  const initContainers = listAt(template, 'spec', 'initContainers');
  if (initContainers.length > 0) writeContainers(writer, 'Init Containers', initContainers, context);
  writeContainers(writer, 'Containers', listAt(template, 'spec', 'containers'), context);
  writeVolumes(writer, listAt(template, 'spec', 'volumes'), '  ');
  const priorityClass = textAt(template, 'spec', 'priorityClassName');
  if (priorityClass !== '') writer.line(0, '  Priority Class Name:', priorityClass);
  writeMap(writer, '  Node-Selectors', stringsAt(template, 'spec', 'nodeSelector'));
  writeTolerations(writer, '  Tolerations', listAt(template, 'spec', 'tolerations'));
}

export function writeEvents(writer: DescribeWriter, events: readonly Dict[] | undefined, now: number): void {
  if (events === undefined) return;
  if (events.length === 0) {
    writer.line(0, 'Events:', '<none>');
    return;
  }
  const lastOf = (event: Dict): number =>
    millisecondsOf(textAt(event, 'series', 'lastObservedTime') || textAt(event, 'lastTimestamp') || textAt(event, 'eventTime')) ?? 0;
  writer.line(0, 'Events:');
  writer.line(1, 'Type', 'Reason', 'Age', 'From', 'Message');
  writer.line(1, '----', '------', '----', '----', '-------');
  for (const event of goSort(events, (a, b) => lastOf(a) < lastOf(b))) {
    const first = ageOf(textAt(event, 'eventTime') || at(event, 'firstTimestamp'), now);
    const series = at(event, 'series');
    let interval = first;
    if (isDict(series)) interval = `${ageOf(series.lastObservedTime, now)} (x${numberAt(series, 'count')} over ${first})`;
    else if (numberAt(event, 'count') > 1) interval = `${ageOf(event.lastTimestamp, now)} (x${numberAt(event, 'count')} over ${first})`;
    writer.line(
      1,
      textAt(event, 'type'),
      textAt(event, 'reason'),
      interval,
      textAt(event, 'source', 'component') || textAt(event, 'reportingComponent'),
      textAt(event, 'message').trim(),
    );
  }
}
