import { jsonPatch, mergePatch, shapeOf, strategicMerge } from '../../apiserver/patch.ts';
import { attach, checkAttaching, isAttached } from '../attached-run.ts';
import { isBuiltIn, notRegistered } from '../builtin.ts';
import { KubectlError, UsageError } from '../errors.ts';
import { parseLabels } from '../generator-parts.ts';
import { podToRun } from '../generators.ts';
import { resultPrinter } from '../printers.ts';
import { collect, type Info, readInfo } from '../resources.ts';
import { accepts, type Session } from '../session.ts';
import { at, type Dict, isDict, listAt, type Mutable, numberAt, sortedKeys, stringsAt, textAt } from '../values.ts';
import { post } from './create.ts';

export async function run(session: Session): Promise<void> {
  const { flags } = session;
  if (!flags.isSet('image')) throw new KubectlError('required flag(s) "image" not set');
  const [name, ...argv] = flags.args;
  if (name === undefined || flags.argsBeforeDash === 0) throw new UsageError('NAME is required for run', 'kubectl run');
  const dryRun = session.dryRun;
  const pod = overridden(session, podToRun(session, name, argv), 'Pod');
  checkAttaching(session, argv);
  const print = await resultPrinter(session, dryRun, { isTyped: true });
  const query: Record<string, string> = { fieldManager: flags.text('field-manager') };
  if (dryRun === 'server') query.dryRun = 'All';
  if (flags.is('expose')) {
    const port = Number(flags.text('port'));
    const labels = stringsAt(pod, 'metadata', 'labels');
    const service = {
      kind: 'Service',
      apiVersion: 'v1',
      metadata: { name, ...(session.isNamespaceExplicit ? { namespace: session.namespace } : {}), creationTimestamp: null },
      spec: { ports: [{ protocol: 'TCP', port, targetPort: port }], selector: labels },
      status: { loadBalancer: {} },
    };
    print(dryRun === 'client' ? service : post(session, service, query, accepts.any), 'created');
    // The real one ends the service's YAML with a separator of its own.
    if (flags.text('output') === 'yaml') session.stdout += '---\n';
  }
  if (isAttached(session)) {
    attach(session, post(session, pod, query, accepts.any));
    return;
  }
  print(dryRun === 'client' ? pod : post(session, pod, query, accepts.any), 'created');
}

/** `--overrides`: a patch of the object that would be made. */
function overridden(session: Session, object: Dict, kind: string): Dict {
  const { flags } = session;
  const text = flags.text('overrides');
  if (text === '') return object;
  let patch: unknown;
  try {
    patch = JSON.parse(text);
  } catch {
    throw new KubectlError('Invalid JSON Patch');
  }
  const type = flags.text('override-type');
  try {
    if (type === 'json') return jsonPatch(object, patch) as Dict;
    return (type === 'strategic' ? strategicMerge(object, patch, shapeOf(kind, undefined)) : mergePatch(object, patch)) as Dict;
  } catch (error) {
    throw error instanceof Error ? new KubectlError(error.message) : error;
  }
}

export async function expose(session: Session): Promise<void> {
  const { flags } = session;
  const dryRun = session.dryRun;
  const { infos, errors } = collect(session, { args: flags.args, reads: 'nothing' });
  if (errors[0] !== undefined) throw errors[0];
  const print = await resultPrinter(session, dryRun, { isTyped: true });
  for (const given of infos) {
    const info = given.object === undefined ? readInfo(session, given, { accept: accepts.any }) : given;
    const service = overridden(session, serviceFor(session, info), 'Service');
    const query: Record<string, string> = { fieldManager: flags.text('field-manager') };
    if (dryRun === 'server') query.dryRun = 'All';
    print(dryRun === 'client' ? service : post(session, service, query, accepts.any), 'exposed');
  }
}

const exposable = new Set(['Pod', 'Service', 'ReplicationController', 'Deployment', 'ReplicaSet']);

function serviceFor(session: Session, info: Info): Dict {
  const { flags } = session;
  const object = info.object as Dict;
  if (!isBuiltIn(info.type)) throw notRegistered(info.type);
  if (!exposable.has(info.type.kind))
    throw new KubectlError(`cannot expose a ${info.type.kind}${info.type.group === '' ? '' : `.${info.type.group}`}`);
  const name = flags.text('name') || info.name;
  let selector: Readonly<Record<string, string>>;
  if (flags.text('selector') !== '') selector = parseLabels(flags.text('selector'));
  else if (info.type.kind === 'Pod') {
    selector = stringsAt(object, 'metadata', 'labels');
    if (Object.keys(selector).length === 0)
      throw new KubectlError(
        "couldn't retrieve selectors via --selector flag or introspection: the pod has no labels and cannot be exposed",
      );
  } else if (info.type.kind === 'Service' || info.type.kind === 'ReplicationController') {
    selector = stringsAt(object, 'spec', 'selector');
    if (Object.keys(selector).length === 0)
      throw new KubectlError("couldn't retrieve selectors via --selector flag or introspection: the service has no pod selector set");
  } else {
    if (listAt(object, 'spec', 'selector', 'matchExpressions').length > 0) {
      throw new KubectlError(
        `couldn't retrieve selectors via --selector flag or introspection: couldn't convert expressions - "${expressionsText(object)}" to map-based selector format`,
      );
    }
    selector = stringsAt(object, 'spec', 'selector', 'matchLabels');
  }
  const ports = portsFor(session, info, object);
  const labels = flags.text('labels') === '' ? stringsAt(object, 'metadata', 'labels') : parseLabels(flags.text('labels'));
  const target = flags.text('target-port');
  const spec: Mutable = {
    ports: ports.map(({ port, protocol, portName }) => ({
      ...(portName === '' ? {} : { name: portName }),
      protocol,
      port,
      targetPort: target === '' ? port : /^\d+$/.test(target) ? Number(target) : target,
    })),
    selector: Object.fromEntries(sortedKeys(selector).map((key) => [key, selector[key]])),
  };
  if (flags.text('cluster-ip') !== '') spec.clusterIP = flags.text('cluster-ip');
  if (flags.text('type') !== '') spec.type = flags.text('type');
  if (flags.text('external-ip') !== '') spec.externalIPs = [flags.text('external-ip')];
  if (flags.text('session-affinity') !== '') spec.sessionAffinity = flags.text('session-affinity');
  if (flags.text('load-balancer-ip') !== '') spec.loadBalancerIP = flags.text('load-balancer-ip');
  return {
    kind: 'Service',
    apiVersion: 'v1',
    metadata: {
      name,
      ...(session.isNamespaceExplicit ? { namespace: session.namespace } : {}),
      creationTimestamp: null,
      ...(Object.keys(labels).length === 0 ? {} : { labels }),
    },
    spec,
    status: { loadBalancer: {} },
  };
}

/** Go's `%v` of a list of LabelSelectorRequirement. */
function expressionsText(object: Dict): string {
  const texts = listAt(object, 'spec', 'selector', 'matchExpressions').map(
    (expression) =>
      `{Key:${textAt(expression, 'key')} Operator:${textAt(expression, 'operator')} Values:[${listAt(expression, 'values').map(String).join(' ')}]}`,
  );
  return `[${texts.join(' ')}]`;
}

function portsFor(
  session: Session,
  info: Info,
  object: Dict,
): readonly { readonly port: number; readonly protocol: string; readonly portName: string }[] {
  const { flags } = session;
  const given = flags.text('port');
  const known =
    info.type.kind === 'Service'
      ? listAt(object, 'spec', 'ports').map((port) => ({ port: numberAt(port, 'port'), protocol: textAt(port, 'protocol') || 'TCP' }))
      : listAt(info.type.kind === 'Pod' ? object : at(object, 'spec', 'template'), 'spec', 'containers').flatMap((container) =>
          listAt(container, 'ports')
            .filter(isDict)
            .map((port) => ({ port: numberAt(port, 'containerPort'), protocol: textAt(port, 'protocol') || 'TCP' })),
        );
  const protocolOf = (port: number): string =>
    flags.text('protocol') || (known.find((candidate) => candidate.port === port)?.protocol ?? 'TCP');
  const ports = given === '' ? known.map(({ port }) => port) : given.split(',').map(Number);
  if (ports.length === 0) throw new KubectlError("couldn't find port via --port flag or introspection");
  return ports.map((port, index) => ({ port, protocol: protocolOf(port), portName: ports.length > 1 ? `port-${index + 1}` : '' }));
}
