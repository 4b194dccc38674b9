import { isBuiltIn } from '../builtin.ts';
import { describeGeneric } from '../describe/generic.ts';
import { selectorText, writeEvents } from '../describe/parts.ts';
import { describePod } from '../describe/pod.ts';
import { describeService } from '../describe/service.ts';
import {
  describeDaemonSet,
  describeDeployment,
  describeNamespace,
  describeReplicaSet,
  describeStatefulSet,
} from '../describe/workloads.ts';
import { DescribeWriter } from '../describe/writer.ts';
import type { ResourceType } from '../discovery.ts';
import { qualifiedPlural } from '../discovery.ts';
import { AggregateKubectlError, isNotFound, KubectlError } from '../errors.ts';
import { collect, type Info, itemsOf, parseTargets, readList } from '../resources.ts';
import { accepts, pathOf, type Session } from '../session.ts';
import { at, type Dict, nameOf, stringsAt, textAt } from '../values.ts';

export async function describe(session: Session): Promise<void> {
  const { flags } = session;
  if (flags.args.length === 0 && flags.list('filename').length === 0) {
    throw new KubectlError(
      'You must specify the type of resource to describe. Use "kubectl api-resources" for a complete list of supported resources.',
    );
  }
  const limit = { limit: flags.text('chunk-size') };
  const { infos, errors } = collect(session, {
    args: flags.args,
    selector: flags.text('selector'),
    isAllAllowed: true,
    reads: 'named',
    listQuery: limit,
  });
  const onlyMissing = errors.length > 0 && errors.every(isNotFound);
  if (onlyMissing && infos.length === 0 && flags.args.length === 2 && flags.list('filename').length === 0) {
    const matches = byPrefix(session, limit);
    if (matches.length === 0) throw new AggregateKubectlError(errors);
    await show(session, matches, '\n');
    return;
  }
  if (infos.length === 0 && errors.length === 0)
    session.err(session.isAllNamespaces ? 'No resources found' : `No resources found in ${session.namespace} namespace.`);
  await show(session, infos);
  if (errors.length > 0) throw new AggregateKubectlError(errors);
}

/** A name that no object has may be the beginning of several. */
function byPrefix(session: Session, listQuery: Readonly<Record<string, string>>): readonly Info[] {
  const [, name] = session.flags.args as [string, string];
  const targets = parseTargets(session, session.flags.args);
  if (targets.kind !== 'names') return [];
  const type = targets.pairs[0]?.type;
  if (type === undefined || targets.pairs.length !== 1) return [];
  const { infos } = collect(session, { args: [session.flags.args[0] as string], isAllAllowed: true, reads: 'nothing', listQuery });
  return infos.filter((info) => info.name.startsWith(name));
}

/** @param end after each: what was found by the beginning of its name ends in one more line */
async function show(session: Session, infos: readonly Info[], end = ''): Promise<void> {
  const failures: KubectlError[] = [];
  let isFirst = true;
  for (const info of infos) {
    try {
      const text = await describeOne(session, info);
      session.stdout += isFirst || end !== '' ? text + end : `\n\n${text}`;
      isFirst = false;
    } catch (error) {
      if (!(error instanceof KubectlError)) throw error;
      failures.push(error);
    }
  }
  if (failures.length > 0) throw new AggregateKubectlError(failures);
}

/** The second GET that the real one makes, through its typed client where it knows the kind. */
function readAgain(session: Session, info: Info): Dict {
  return session.requestObject('GET', pathOf(info.type, info.namespace, info.name), {
    accept: isBuiltIn(info.type) ? accepts.typed : accepts.json,
    about: `get ${qualifiedPlural(info.type)} ${info.name}`,
  });
}

function listTyped(
  session: Session,
  resource: string,
  namespace: string,
  query: Readonly<Record<string, string>>,
): readonly Dict[] | undefined {
  const type = session.discovery.optional(resource);
  if (type === undefined) return undefined;
  try {
    return readList(session, type, namespace, { accept: accepts.typed, query }).flatMap(itemsOf);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

function eventsAbout(
  session: Session,
  object: Dict,
  type: ResourceType,
  uid = textAt(object, 'metadata', 'uid'),
): readonly Dict[] | undefined {
  if (!session.flags.is('show-events')) return undefined;
  const namespace = textAt(object, 'metadata', 'namespace');
  const parts = [`involvedObject.name=${nameOf(object)}`, `involvedObject.namespace=${namespace}`];
  if (type.kind !== 'Pod') parts.push(`involvedObject.kind=${type.kind}`);
  parts.push(`involvedObject.uid=${uid}`);
  return listTyped(session, 'events', namespace, { fieldSelector: parts.join(','), limit: session.flags.text('chunk-size') }) ?? [];
}

function slicesOf(session: Session, namespace: string, service: string): readonly Dict[] {
  const query = { labelSelector: `kubernetes.io/service-name=${service}` };
  return listTyped(session, 'endpointslices.discovery.k8s.io', namespace, query) ?? [];
}

/** The groups with kinds that have descriptions of their own. */
const describedGroups = new Set([
  '',
  'apps',
  'batch',
  'discovery.k8s.io',
  'networking.k8s.io',
  'policy',
  'rbac.authorization.k8s.io',
  'scheduling.k8s.io',
  'storage.k8s.io',
]);

async function describeOne(session: Session, info: Info): Promise<string> {
  const writer = new DescribeWriter();
  const { type } = info;
  const object = readAgain(session, info);
  const namespace = info.namespace;
  const chunk = { limit: session.flags.text('chunk-size') };
  const podsOf = (selector: unknown): readonly Dict[] =>
    (listTyped(session, 'pods', namespace, { labelSelector: selectorText(selector), ...chunk }) ?? []).filter((pod) => {
      const owner = (at(pod, 'metadata', 'ownerReferences') as readonly unknown[] | undefined)?.find(
        (reference) => at(reference, 'controller') === true,
      );
      return owner !== undefined && textAt(owner, 'uid') === textAt(object, 'metadata', 'uid');
    });
  const kind = describedGroups.has(type.group) ? type.kind : '';
  let hasEvents = true;
  // A deployment's events are asked for before its replica sets.
  let events: readonly Dict[] | undefined;
  switch (kind) {
    case 'Pod': {
      describePod(writer, object, session.now);
      // Of a static pod the kubelet knows only what it read from its file: its events are about that.
      const mirrored = stringsAt(object, 'metadata', 'annotations')['kubernetes.io/config.mirror'];
      if (mirrored !== undefined) events = eventsAbout(session, object, type, mirrored);
      break;
    }
    case 'Service':
      describeService(writer, object, slicesOf(session, namespace, info.name));
      break;
    case 'Deployment':
      events = eventsAbout(session, object, type);
      describeDeployment(
        writer,
        object,
        listTyped(session, 'replicasets.apps', namespace, { labelSelector: selectorText(at(object, 'spec', 'selector')), ...chunk }) ?? [],
      );
      break;
    case 'ReplicaSet':
      describeReplicaSet(writer, object, podsOf(at(object, 'spec', 'selector')));
      break;
    case 'DaemonSet':
      describeDaemonSet(writer, object, podsOf(at(object, 'spec', 'selector')));
      break;
    case 'StatefulSet':
      describeStatefulSet(writer, object, podsOf(at(object, 'spec', 'selector')));
      break;
    case 'Namespace':
      describeNamespace(
        writer,
        object,
        listTyped(session, 'resourcequotas', info.name, chunk),
        listTyped(session, 'limitranges', info.name, chunk),
      );
      hasEvents = false;
      break;
    case 'Node': {
      const { describeNode } = await import('../describe/node.ts');
      const pods =
        listTyped(session, 'pods', '', {
          fieldSelector: `spec.nodeName=${info.name},status.phase!=Succeeded,status.phase!=Failed`,
          ...chunk,
        }) ?? [];
      // Controllers name a node by its uid, kubelets by its name.
      const found = eventsAbout(session, object, type);
      events = found === undefined ? undefined : [...found, ...(eventsAbout(session, object, type, info.name) ?? [])];
      const lease = session.discovery.optional('leases.coordination.k8s.io');
      let held: Dict | string = 'the server could not find the requested resource';
      if (lease !== undefined) {
        try {
          held = session.requestObject('GET', pathOf(lease, 'kube-node-lease', info.name), { accept: accepts.typed });
        } catch (error) {
          if (!isNotFound(error)) throw error;
          held = error.message;
        }
      }
      describeNode(writer, object, held, pods, session.now);
      break;
    }
    case 'ConfigMap':
    case 'Secret':
    case 'ServiceAccount':
    case 'Endpoints':
    case 'EndpointSlice':
    case 'CronJob':
    case 'Job': {
      const others = await import('../describe/others.ts');
      if (kind === 'ConfigMap') others.describeConfigMap(writer, object);
      else if (kind === 'Secret') others.describeSecret(writer, object);
      else if (kind === 'ServiceAccount') others.describeServiceAccount(writer, object);
      else if (kind === 'Endpoints') others.describeEndpoints(writer, object);
      else if (kind === 'Job') others.describeJob(writer, object);
      else if (kind === 'CronJob') others.describeCronJob(writer, object);
      else others.describeEndpointSlice(writer, object);
      hasEvents = kind !== 'Secret';
      break;
    }
    case 'NetworkPolicy':
      (await import('../describe/network-policy.ts')).describeNetworkPolicy(writer, object);
      hasEvents = false;
      break;
    case 'Role':
    case 'ClusterRole':
      (await import('../describe/access.ts')).describeRole(writer, object);
      hasEvents = false;
      break;
    case 'RoleBinding':
    case 'ClusterRoleBinding':
      (await import('../describe/access.ts')).describeBinding(writer, object);
      hasEvents = false;
      break;
    case 'ResourceQuota':
    case 'LimitRange': {
      const limits = await import('../describe/limits.ts');
      if (kind === 'ResourceQuota') limits.describeQuota(writer, object);
      else limits.describeLimitRange(writer, object);
      hasEvents = false;
      break;
    }
    case 'PodDisruptionBudget':
      (await import('../describe/limits.ts')).describeDisruptionBudget(writer, object);
      break;
    case 'PriorityClass':
      (await import('../describe/limits.ts')).describePriorityClass(writer, object);
      break;
    case 'PersistentVolumeClaim':
      (await import('../describe/storage.ts')).describeClaim(
        writer,
        object,
        listTyped(session, 'pods', namespace, chunk) ?? [],
        session.now,
      );
      break;
    case 'StorageClass':
      (await import('../describe/storage.ts')).describeStorageClass(writer, object);
      break;
    case 'Ingress':
      (await import('../describe/ingress.ts')).describeIngress(writer, object, (service) => {
        const services = session.discovery.resource('services');
        try {
          return {
            service: session.requestObject('GET', pathOf(services, namespace, service), { accept: accepts.typed }),
            slices: slicesOf(session, namespace, service),
          };
        } catch (error) {
          if (error instanceof KubectlError) return error.message;
          throw error;
        }
      });
      break;
    case 'IngressClass':
      (await import('../describe/ingress.ts')).describeIngressClass(writer, object);
      break;
    default:
      describeGeneric(writer, object);
  }
  if (hasEvents) writeEvents(writer, events ?? eventsAbout(session, object, type), session.now);
  return writer.toString();
}
