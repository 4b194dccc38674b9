import { humanDuration, millisecondsOf, rfc1123 } from '../age.ts';
import { at, type Dict, listAt, nameOf, numberAt, sortedKeys, stringsAt, textAt } from '../values.ts';
import { controllerOf, selectorText, writeAnnotations, writeHead, writeLabels, writePodTemplate } from './parts.ts';
import type { DescribeWriter } from './writer.ts';

export function describeConfigMap(writer: DescribeWriter, configMap: Dict): void {
  writeHead(writer, configMap);
  const data = stringsAt(configMap, 'data');
  writer.write(0, '\nData\n====\n');
  for (const key of sortedKeys(data)) writer.write(0, `${key}:\n----\n${data[key]}\n\n`);
  const binary = stringsAt(configMap, 'binaryData');
  writer.write(0, '\nBinaryData\n====\n');
  for (const key of sortedKeys(binary)) writer.write(0, `${key}: ${bytesOf(binary[key] as string)} bytes\n`);
  writer.write(0, '\n');
}

export function describeSecret(writer: DescribeWriter, secret: Dict): void {
  writeHead(writer, secret);
  writer.line(0, '');
  writer.line(0, 'Type:', textAt(secret, 'type'));
  writer.write(0, '\nData\n====\n');
  const data = stringsAt(secret, 'data');
  const isToken = textAt(secret, 'type') === 'kubernetes.io/service-account-token';
  for (const key of sortedKeys(data)) {
    if (isToken && key === 'token') writer.line(0, `${key}:`, atob(data[key] as string));
    else writer.line(0, `${key}:`, `${bytesOf(data[key] as string)} bytes`);
  }
}

function bytesOf(base64: string): number {
  return Math.floor((base64.replace(/=+$/, '').length * 3) / 4);
}

export function describeServiceAccount(writer: DescribeWriter, account: Dict): void {
  writeHead(writer, account);
  for (const [title, field] of [
    ['Image pull secrets', 'imagePullSecrets'],
    ['Mountable secrets', 'secrets'],
  ] as const) {
    const names = listAt(account, field).map(nameOfReference);
    writer.list(`${title}:`, names);
  }
  writer.line(0, 'Tokens:', '<none>');
}

function nameOfReference(reference: unknown): string {
  return textAt(reference, 'name');
}

export function describeEndpoints(writer: DescribeWriter, endpoints: Dict): void {
  writeHead(writer, endpoints);
  writer.line(0, 'Subsets:');
  const subsets = listAt(endpoints, 'subsets');
  for (const subset of subsets) {
    const ips = (field: string): string =>
      listAt(subset, field)
        .map((address) => textAt(address, 'ip'))
        .join(',') || '<none>';
    writer.line(1, 'Addresses:', ips('addresses'));
    writer.line(1, 'NotReadyAddresses:', ips('notReadyAddresses'));
    const ports = listAt(subset, 'ports');
    if (ports.length > 0) {
      writer.line(1, 'Ports:');
      writer.line(2, 'Name', 'Port', 'Protocol');
      writer.line(2, '----', '----', '--------');
      for (const port of ports) writer.line(2, textAt(port, 'name') || '<unset>', String(numberAt(port, 'port')), textAt(port, 'protocol'));
    }
    writer.line(0, '');
  }
}

export function describeEndpointSlice(writer: DescribeWriter, slice: Dict): void {
  writeHead(writer, slice);
  writer.line(0, 'AddressType:', textAt(slice, 'addressType'));
  const ports = listAt(slice, 'ports');
  if (ports.length === 0) writer.write(0, 'Ports: <unset>\n');
  else {
    writer.line(0, 'Ports:');
    writer.line(1, 'Name', 'Port', 'Protocol');
    writer.line(1, '----', '----', '--------');
    for (const port of ports)
      writer.line(1, textAt(port, 'name') || '<unset>', String(at(port, 'port') ?? '<unset>'), textAt(port, 'protocol'));
  }
  const endpoints = listAt(slice, 'endpoints');
  if (endpoints.length === 0) {
    writer.write(0, 'Endpoints: <none>\n');
    return;
  }
  writer.line(0, 'Endpoints:');
  for (const endpoint of endpoints) {
    writer.line(1, '- Addresses:', listAt(endpoint, 'addresses').map(String).join(', '));
    writer.line(2, 'Conditions:');
    const ready = at(endpoint, 'conditions', 'ready');
    writer.line(3, 'Ready:', ready === undefined ? '<unset>' : String(ready));
    writer.line(2, 'Hostname:', textAt(endpoint, 'hostname') || '<unset>');
    const target = at(endpoint, 'targetRef');
    if (target !== undefined) writer.line(2, 'TargetRef:', `${textAt(target, 'kind')}/${textAt(target, 'name')}`);
    writer.line(2, 'NodeName:', textAt(endpoint, 'nodeName') || '<unset>');
    writer.line(2, 'Zone:', textAt(endpoint, 'zone') || '<unset>');
  }
}

export function describeCronJob(writer: DescribeWriter, cronJob: Dict): void {
  const spec = (...path: string[]): unknown => at(cronJob, 'spec', ...path);
  const number = (title: string, value: unknown, unit = ''): void =>
    writer.line(0, title, value === undefined ? '<unset>' : `${String(value)}${unit}`);
  writeHead(writer, cronJob);
  writer.line(0, 'Schedule:', textAt(cronJob, 'spec', 'schedule'));
  writer.line(0, 'Concurrency Policy:', textAt(cronJob, 'spec', 'concurrencyPolicy'));
  writer.line(0, 'Suspend:', spec('suspend') === undefined ? '<unset>' : spec('suspend') === true ? 'True' : 'False');
  number('Successful Job History Limit:', spec('successfulJobsHistoryLimit'));
  number('Failed Job History Limit:', spec('failedJobsHistoryLimit'));
  number('Starting Deadline Seconds:', spec('startingDeadlineSeconds'), 's');
  const selector = spec('jobTemplate', 'spec', 'selector');
  writer.line(0, 'Selector:', selector === undefined ? '<unset>' : selectorText(selector));
  number('Parallelism:', spec('jobTemplate', 'spec', 'parallelism'));
  number('Completions:', spec('jobTemplate', 'spec', 'completions'));
  const deadline = spec('jobTemplate', 'spec', 'activeDeadlineSeconds');
  if (deadline !== undefined) number('Active Deadline Seconds:', deadline, 's');
  writePodTemplate(writer, spec('jobTemplate', 'spec', 'template'));
  const last = at(cronJob, 'status', 'lastScheduleTime');
  writer.line(0, 'Last Schedule Time:', last === undefined ? '<unset>' : rfc1123(last));
  writer.line(0, 'Active Jobs:', listAt(cronJob, 'status', 'active').map(nameOfReference).join(', ') || '<none>');
}

export function describeJob(writer: DescribeWriter, job: Dict): void {
  writer.line(0, 'Name:', nameOf(job));
  writer.line(0, 'Namespace:', textAt(job, 'metadata', 'namespace'));
  writer.line(0, 'Selector:', selectorText(at(job, 'spec', 'selector')));
  writeLabels(writer, job);
  writeAnnotations(writer, stringsAt(job, 'metadata', 'annotations'));
  const controller = controllerOf(job);
  if (controller !== undefined) writer.line(0, 'Controlled By:', controller);
  if (at(job, 'spec', 'parallelism') !== undefined) writer.line(0, 'Parallelism:', String(numberAt(job, 'spec', 'parallelism')));
  writer.line(0, 'Completions:', String(at(job, 'spec', 'completions') ?? '<unset>'));
  if (at(job, 'spec', 'completionMode') !== undefined) writer.line(0, 'Completion Mode:', textAt(job, 'spec', 'completionMode'));
  if (at(job, 'spec', 'suspend') !== undefined) writer.line(0, 'Suspend:', String(at(job, 'spec', 'suspend')));
  if (at(job, 'spec', 'backoffLimit') !== undefined) writer.line(0, 'Backoff Limit:', String(numberAt(job, 'spec', 'backoffLimit')));
  if (at(job, 'status', 'startTime') !== undefined) writer.line(0, 'Start Time:', rfc1123(at(job, 'status', 'startTime')));
  if (at(job, 'status', 'completionTime') !== undefined) writer.line(0, 'Completed At:', rfc1123(at(job, 'status', 'completionTime')));
  const [started, completed] = [millisecondsOf(at(job, 'status', 'startTime')), millisecondsOf(at(job, 'status', 'completionTime'))];
  if (started !== undefined && completed !== undefined) writer.line(0, 'Duration:', humanDuration(completed - started));
  writer.line(
    0,
    'Pods Statuses:',
    `${numberAt(job, 'status', 'active')} Active${at(job, 'status', 'ready') === undefined ? '' : ` (${numberAt(job, 'status', 'ready')} Ready)`} / ${numberAt(job, 'status', 'succeeded')} Succeeded / ${numberAt(job, 'status', 'failed')} Failed`,
  );
  writePodTemplate(writer, at(job, 'spec', 'template'));
}
