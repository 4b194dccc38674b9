import { createHash } from 'node:crypto';
import { KubectlError, StatusError, throwAll } from '../errors.ts';
import { fieldValidationOf } from '../flags.ts';
import * as further from '../further-generators.ts';
import * as generate from '../generators.ts';
import { goJson } from '../json.ts';
import { notSimulated, resultPrinter } from '../printers.ts';
import { collect, type Info, readInfo, withSource } from '../resources.ts';
import { accepts, pathOf, type Session } from '../session.ts';
import { type Dict, isDict, nameOf, textAt } from '../values.ts';
import { withLastApplied } from './apply.ts';
import { deleteOne, waitForRemoval } from './delete.ts';

function writeQuery(session: Session, dryRun: 'none' | 'client' | 'server'): Record<string, string> {
  const query: Record<string, string> = { fieldManager: session.flags.text('field-manager') };
  if (session.flags.has('validate')) query.fieldValidation = fieldValidationOf(session.flags);
  if (dryRun === 'server') query.dryRun = 'All';
  return query;
}

function needFiles(session: Session): void {
  if (session.flags.list('filename').length === 0 && session.flags.text('kustomize') === '')
    throw new KubectlError('must specify one of -f and -k');
}

/** `kubectl create -f`. */
export async function create(session: Session): Promise<void> {
  const { flags } = session;
  if (flags.text('raw') !== '') throw notSimulated('kubectl create --raw');
  if (flags.is('edit')) throw notSimulated('kubectl create --edit');
  if (flags.args.length > 0 && flags.list('filename').length === 0) {
    throw new KubectlError(`Unexpected args: [${flags.args.join(' ')}]\nSee 'kubectl create -h' for help and examples`);
  }
  needFiles(session);
  const dryRun = session.dryRun;
  const query = writeQuery(session, dryRun);
  const { infos, errors } = collect(session, { reads: 'nothing', validates: query.fieldValidation !== 'Ignore' });
  const failures = [...errors];
  const print = await resultPrinter(session, dryRun);
  for (const info of infos) {
    try {
      const body = flags.is('save-config') ? withLastApplied(info.object as Dict) : (info.object as Dict);
      print(dryRun === 'client' ? body : session.requestObject('POST', pathOf(info.type, info.namespace), { query, body }), 'created');
    } catch (error) {
      failures.push(withSource('creating', info, error));
    }
  }
  if (infos.length === 0 && failures.length === 0) throw new KubectlError('no objects passed to create');
  throwAll(failures);
}

const generators: Readonly<Record<string, (session: Session) => Dict>> = {
  'create namespace': generate.namespace,
  'create configmap': generate.configmap,
  'create secret generic': generate.secretGeneric,
  'create secret tls': generate.secretTls,
  'create secret docker-registry': generate.secretRegistry,
  'create deployment': generate.deployment,
  'create job': generate.job,
  'create cronjob': generate.cronjob,
  'create serviceaccount': generate.serviceaccount,
  'create service clusterip': generate.service('ClusterIP'),
  'create service nodeport': generate.service('NodePort'),
  'create service loadbalancer': generate.service('LoadBalancer'),
  'create service externalname': generate.service('ExternalName'),
  'create role': further.role(false),
  'create clusterrole': further.role(true),
  'create rolebinding': further.binding(false),
  'create clusterrolebinding': further.binding(true),
  'create priorityclass': further.priorityclass,
  'create quota': further.quota,
  'create ingress': further.ingress,
  'create poddisruptionbudget': further.disruptionBudget,
};

export async function createNoun(session: Session): Promise<void> {
  const generator = generators[session.command];
  if (generator === undefined) throw notSimulated(`kubectl ${session.command}`);
  const dryRun = session.dryRun;
  fieldValidationOf(session.flags);
  const generated = generator(session);
  const object = session.flags.has('append-hash') && session.flags.is('append-hash') ? withHash(generated) : generated;
  const print = await resultPrinter(session, dryRun, { isTyped: true });
  if (dryRun === 'client') {
    print(object, 'created');
    return;
  }
  try {
    print(post(session, object, writeQuery(session, dryRun), accepts.typed), 'created');
  } catch (error) {
    throw error instanceof StatusError ? (prefixed(session, error) ?? error) : error;
  }
}

/** `--append-hash`: the name tells the content (kubectl/pkg/util/hash). */
function withHash(object: Dict): Dict {
  const { kind, data, type } = object;
  const name = nameOf(object);
  const encoded = goJson({ data: data ?? {}, kind, name, ...(kind === 'Secret' ? { type: type ?? '' } : {}) });
  const letters: Readonly<Record<string, string>> = { 0: 'g', 1: 'h', 3: 'k', a: 'm', e: 't' };
  const hash = [...createHash('sha256').update(encoded).digest('hex').slice(0, 10)].map((letter) => letters[letter] ?? letter).join('');
  return { ...object, metadata: { ...(object.metadata as Dict), name: `${name}-${hash}` } };
}

const serviceTypes: Readonly<Record<string, string>> = {
  clusterip: 'ClusterIP',
  nodeport: 'NodePort',
  loadbalancer: 'LoadBalancer',
  externalname: 'ExternalName',
};

/** Some generators put their own words before the server's; what comes out is no Status any more (`fmt.Errorf("…%v")`). */
function prefixed(session: Session, error: StatusError): KubectlError | undefined {
  const noun = session.command
    .slice('create '.length)
    .replace(/^secret .*/, 'secret')
    .replace('poddisruptionbudget', 'poddisruptionbudgets')
    .replace(/^service (.*)/, (_whole, type: string) => `${serviceTypes[type]} service`);
  const withPrefix = [
    'configmap',
    'secret',
    'deployment',
    'job',
    'cronjob',
    'serviceaccount',
    'rolebinding',
    'clusterrolebinding',
    'quota',
    'priorityclass',
    'ingress',
    'poddisruptionbudgets',
    ...Object.values(serviceTypes).map((type) => `${type} service`),
  ];
  if (!withPrefix.includes(noun)) return undefined;
  return new KubectlError(`failed to create ${noun}${noun === 'secret' ? '' : ':'} ${error.message}`);
}

/** Creates an object made here in the namespace of the command line. */
export function post(session: Session, object: Dict, query: Readonly<Record<string, string>>, accept: string): Dict {
  const type = session.discovery.kind(textAt(object, 'apiVersion'), textAt(object, 'kind'));
  if (type === undefined)
    throw new KubectlError(
      `no matches for kind ${JSON.stringify(textAt(object, 'kind'))} in version ${JSON.stringify(textAt(object, 'apiVersion'))}`,
    );
  const answer = session.request('POST', pathOf(type, type.isNamespaced ? session.namespace : ''), {
    query,
    body: object,
    accept,
    about: `post ${type.plural}`,
  });
  return { kind: type.kind, apiVersion: textAt(object, 'apiVersion'), ...(isDict(answer) ? answer : {}) };
}

/** `kubectl replace -f`. */
export async function replace(session: Session): Promise<void> {
  const { flags } = session;
  if (flags.text('raw') !== '') throw notSimulated('kubectl replace --raw');
  needFiles(session);
  const dryRun = session.dryRun;
  const query = writeQuery(session, dryRun);
  const { infos, errors } = collect(session, { reads: 'nothing', validates: query.fieldValidation !== 'Ignore' });
  const failures = [...errors];
  const print = await resultPrinter(session, dryRun);
  if (flags.is('force')) removeFirst(session, infos);
  for (const info of infos) {
    try {
      const body = flags.is('save-config') ? withLastApplied(info.object as Dict) : (info.object as Dict);
      if (dryRun === 'client') print(body, 'replaced');
      else if (flags.is('force')) print(session.requestObject('POST', pathOf(info.type, info.namespace), { query, body }), 'replaced');
      else {
        // The version that is there now is sent along, unless the manifest insists on one.
        const metadata = isDict(body.metadata) ? body.metadata : {};
        const current = readCurrent(session, info);
        const versioned =
          textAt(metadata, 'resourceVersion') === ''
            ? { ...body, metadata: { ...metadata, resourceVersion: textAt(current, 'metadata', 'resourceVersion') } }
            : body;
        print(
          session.requestObject('PUT', pathOf(info.type, info.namespace, info.name, flags.text('subresource')), { query, body: versioned }),
          'replaced',
        );
      }
    } catch (error) {
      failures.push(withSource(flags.is('force') ? 'creating' : 'replacing', info, error));
    }
  }
  if (infos.length === 0 && failures.length === 0) throw new KubectlError('no objects passed to replace');
  throwAll(failures);
}

function readCurrent(session: Session, info: Info): Dict {
  if (info.name === '') throw new KubectlError('resource name may not be empty');
  return readInfo(session, info, { subresource: session.flags.text('subresource') }).object as Dict;
}

function removeFirst(session: Session, infos: readonly Info[]): void {
  const removed: { readonly info: Info; readonly uid: string }[] = [];
  for (const info of infos) {
    try {
      const answer = deleteOne(session, info, session.flags.number('grace-period'), 'none');
      session.out(
        `${info.type.group === '' ? info.type.kind.toLowerCase() : `${info.type.kind.toLowerCase()}.${info.type.group}`} ${JSON.stringify(nameOf(info.object))} deleted`,
      );
      removed.push({ info, uid: textAt(answer, 'details', 'uid') || textAt(answer, 'metadata', 'uid') });
    } catch (error) {
      if (!(error instanceof StatusError) || error.reason !== 'NotFound') throw error;
    }
  }
  waitForRemoval(session, removed, session.flags.duration('timeout'));
}
