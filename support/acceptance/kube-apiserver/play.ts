import { stringify } from 'yaml';
import { builtinResources } from '../../simulator/kubernetes/apiserver/registry.ts';
import type { ApiRequest, ApiResponse } from '../../simulator/kubernetes/types.ts';
import type { Case, Step } from './case-file.ts';

export type Send = (request: ApiRequest) => ApiResponse | Promise<ApiResponse>;

type Json = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

interface Place {
  readonly path: string;
  readonly collection: string;
}

function rootOf(apiVersion: string): string {
  return apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
}

/** Where an object lives. The plural of a type that is not built in is guessed; it is in a namespace when the object names one. */
function placeOf(object: Json): Place {
  const kind = String(object['kind']);
  const apiVersion = String(object['apiVersion']);
  const metadata = isObject(object['metadata']) ? object['metadata'] : {};
  const builtin = builtinResources.find(
    (resource) => resource.kind === kind && resource.group === (apiVersion.includes('/') ? apiVersion.split('/')[0] : ''),
  );
  const plural = builtin?.plural ?? `${kind.toLowerCase()}s`.replace(/ys$/, 'ies');
  const namespace = builtin?.isNamespaced === true ? (metadata['namespace'] ?? 'default') : metadata['namespace'];
  const collection = `${rootOf(apiVersion)}${namespace === undefined || builtin?.isNamespaced === false ? '' : `/namespaces/${String(namespace)}`}/${plural}`;
  return { collection, path: `${collection}/${String(metadata['name'])}` };
}

/** `pods/web`, `deployments.apps/web/scale`, `/api/v1/nodes/n`. */
function pathOf(target: string): string {
  if (target.startsWith('/')) return target;
  const [resource = '', ...rest] = target.split('/');
  const [plural = '', ...group] = resource.split('.');
  const found = builtinResources.find((builtin) => builtin.plural === plural && builtin.group === group.join('.'));
  if (found === undefined) throw new Error(`no such resource: ${target}`);
  const version = found.versions[0]?.name ?? '';
  const root = rootOf(found.group === '' ? version : `${found.group}/${version}`);
  return [`${root}${found.isNamespaced ? '/namespaces/default' : ''}/${plural}`, ...rest].join('/');
}

const patchTypes: Readonly<Record<string, string>> = {
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  json: 'application/json-patch+json',
};

async function requestOf(step: Step, send: Send): Promise<ApiRequest> {
  const { verb, target, body } = step;
  const headers = { 'content-type': 'application/json', accept: 'application/json' };
  const read = (path: string, accept = 'application/json'): ApiRequest => ({ method: 'GET', path, query: step.query, headers: { accept } });
  switch (verb) {
    case 'create':
      return {
        method: 'POST',
        path: placeOf(body as Json).collection,
        query: { fieldManager: 'kubectl-create', fieldValidation: 'Strict', ...step.query },
        headers,
        body,
      };
    case 'update': {
      const { path } = placeOf(body as Json);
      const { body: now } = await send(read(path));
      const metadata = { ...((body as Json)['metadata'] as Json) };
      if (isObject(now) && isObject(now['metadata'])) metadata['resourceVersion'] ??= now['metadata']['resourceVersion'];
      return {
        method: 'PUT',
        path,
        query: { fieldManager: 'kubectl-replace', fieldValidation: 'Strict', ...step.query },
        headers,
        body: { ...(body as Json), metadata },
      };
    }
    case 'apply':
      return {
        method: 'PATCH',
        path: placeOf(body as Json).path,
        query: { fieldManager: 'kubectl', fieldValidation: 'Strict', force: 'false', ...step.query },
        headers: { ...headers, 'content-type': 'application/apply-patch+yaml' },
        body,
      };
    case 'merge':
    case 'strategic':
    case 'json':
      return {
        method: 'PATCH',
        path: pathOf(target),
        query: { fieldManager: 'kubectl-patch', ...step.query },
        headers: { ...headers, 'content-type': patchTypes[verb] ?? '' },
        body,
      };
    case 'post':
      return { method: 'POST', path: pathOf(target), query: step.query, headers, body };
    case 'delete':
      return { method: 'DELETE', path: pathOf(target), query: step.query, headers, ...(body === null ? {} : { body }) };
    case 'table':
      return read(pathOf(target), 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json');
    default:
      return read(pathOf(target));
  }
}

/**
 * Puts a case's questions, and writes down the answers.
 * @param created hears of every object that came into being, so that a lasting server can be tidied
 */
export async function playCase(of: Case, send: Send, created: (path: string) => void = () => {}): Promise<readonly (readonly string[])[]> {
  const answers: (readonly string[])[] = [];
  for (const step of of.steps) {
    const request = await requestOf(step, send);
    const response = await send(request);
    const { body } = response;
    if (response.status === 201 && isObject(body) && body['kind'] !== 'Status') created(placeOf(body).path);
    answers.push(answerOf(response, JSON.stringify(step.body ?? '')));
  }
  return answers;
}

/** An answer as lines: what no two servers share is masked. */
function answerOf({ status, body, warnings }: ApiResponse, asked: string): readonly string[] {
  // What only the simulator says of itself.
  const said = warnings.filter((text) => !text.startsWith('not simulated: ')).map((text) => `warning: ${text}`);
  if (!isObject(body)) return [`--> ${status}`, ...said, ...String(body).trim().split('\n')];
  if (body['kind'] === 'Status') {
    const details = isObject(body['details']) ? body['details'] : {};
    const causes = (Array.isArray(details['causes']) ? details['causes'] : []) as readonly Json[];
    const message = masked(String(body['message'] ?? ''), asked);
    if (message.includes(' is invalid: ') && String(details['group'] ?? '').endsWith('cilium.io')) {
      // The schema of a custom resource is walked in the order of a Go map: any.
      const lines = causes.map((cause) =>
        masked(`- ${String(cause['reason'])} ${String(cause['field'])}: ${String(cause['message'])}`, asked),
      );
      return [
        `--> ${status} ${String(body['reason'])}`,
        ...said,
        `${message.slice(0, message.indexOf(' is invalid: '))} is invalid:`,
        ...lines.sort(),
      ];
    }
    return [
      `--> ${[status, body['reason'] ?? body['status']].join(' ')}`,
      ...said,
      ...message.split('\n').filter((line) => line !== ''),
      ...causes.map((cause) => `- ${[cause['reason'], cause['field']].filter((part) => part !== undefined).join(' ')}`),
    ];
  }
  if (body['kind'] === 'Table') {
    const columns = body['columnDefinitions'] as readonly Json[];
    return [
      `--> ${status}`,
      columns
        .map((column) =>
          [column['name'], column['type'], column['format'], column['priority'] === 0 ? '' : column['priority']]
            .join(':')
            .replace(/:+$/, ''),
        )
        .join(', '),
      ...(body['rows'] as readonly Json[]).map((row) => masked(JSON.stringify(row['cells']), asked)),
    ];
  }
  return [
    `--> ${status}`,
    ...said,
    ...stringify(tidy(sorted(body), asked), { lineWidth: 0, flowCollectionPadding: false })
      .trimEnd()
      .split('\n'),
  ];
}

/** Discovery has an order that no client relies on. */
function sorted(body: Json): Json {
  if (body['kind'] !== 'APIResourceList') return body;
  const key = (resource: Json): string => String(resource['name']);
  return { ...body, resources: [...(body['resources'] as readonly Json[])].sort((a, b) => (key(a) < key(b) ? -1 : 1)) };
}

function masked(text: string, asked: string): string {
  return text
    .replace(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, (uid) => (asked.includes(uid) ? uid : '<uid>'))
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, (time) => (asked.includes(time) ? time : '<time>'))
    .replace(/Invalid value: "\{\\"(?:[^"\\]|\\.)*"/g, 'Invalid value: "{…}"')
    .replace(/"([A-Za-z]+_)[a-z0-9]{5}"/g, '"$1<any>"')
    .replace(/\b0xc[0-9a-f]{9}\b/g, '<pointer>')
    .replace(/\b(10\.96\.\d+\.\d+|fd00:10:96::[0-9a-f]+)\b/g, (address) => (asked.includes(address) ? address : '<address>'))
    .replace(/\b3[0-2]\d{3}(?=\/(?:TCP|UDP))/g, (port) => (asked.includes(port) ? port : '<port>'))
    .replace(/kube-api-access-[a-z0-9]{5}/g, 'kube-api-access-<any>')
    .replace(/"(\d+[smh])+"/g, (age) => (asked.includes(age) ? age : '"<age>"'));
}

function tidy(value: unknown, asked: string, key = ''): unknown {
  if (Array.isArray(value)) return value.map((item) => tidy(item, asked, key));
  if (key === 'nodePort' || key === 'healthCheckNodePort') return asked.includes(String(value)) ? value : '<port>';
  if (typeof value === 'string') {
    if ((key === 'clusterIP' || key === 'clusterIPs') && value !== 'None' && !asked.includes(value))
      return value.includes(':') ? '<ipv6>' : '<ipv4>';
    if (key === 'resourceVersion' || key === 'continue') return `<${key}>`;
    return masked(value, asked);
  }
  if (!isObject(value)) return value;
  const generated = typeof value['generateName'] === 'string' ? String(value['generateName']) : undefined;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => name !== 'managedFields' && name !== 'storageVersionHash')
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, item]) => [
        name,
        name === 'name' && generated !== undefined && item !== undefined && !asked.includes(`"name":"${String(item)}"`)
          ? `${String(item).slice(0, -5)}<any>`
          : tidy(item, asked, name),
      ]),
  );
}
