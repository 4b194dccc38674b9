import { isBuiltIn, notRegistered } from '../builtin.ts';
import { KubectlError, UsageError } from '../errors.ts';
import { parseLabels, podToRun } from '../generators.ts';
import { notSimulated, resultPrinter } from '../printers.ts';
import { collect, type Info, readInfo } from '../resources.ts';
import { accepts, type Session } from '../session.ts';
import { at, type Dict, isDict, listAt, type Mutable, numberAt, sortedKeys, stringsAt, textAt } from '../values.ts';
import { post } from './create.ts';

export async function run(session: Session): Promise<void> {
  const { flags } = session;
  if (!flags.isSet('image')) throw new KubectlError('required flag(s) "image" not set');
  const [name, ...argv] = flags.args;
  if (name === undefined || flags.argsBeforeDash === 0) throw new UsageError('NAME is required for run', 'kubectl run');
  for (const flag of ['attach', 'rm', 'stdin', 'tty']) if (flags.is(flag)) throw notSimulated(`kubectl run --${flag}`);
  if (flags.text('overrides') !== '') throw notSimulated('kubectl run --overrides');
  const dryRun = session.dryRun;
  const pod = podToRun(session, name, argv);
  const print = await resultPrinter(session, dryRun, { isTyped: true });
  const query: Record<string, string> = { fieldManager: flags.text('field-manager') };
  if (dryRun === 'server') query.dryRun = 'All';
  if (flags.is('expose')) {
    if (flags.text('port') === '') throw new KubectlError('--port must be set when exposing a service');
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
  print(dryRun === 'client' ? pod : post(session, pod, query, accepts.any), 'created');
}

export async function expose(session: Session): Promise<void> {
  const { flags } = session;
  const dryRun = session.dryRun;
  if (flags.text('overrides') !== '') throw notSimulated('kubectl expose --overrides');
  const { infos, errors } = collect(session, { args: flags.args, reads: 'nothing' });
  if (errors[0] !== undefined) throw errors[0];
  const print = await resultPrinter(session, dryRun, { isTyped: true });
  for (const given of infos) {
    const info = given.object === undefined ? readInfo(session, given, { accept: accepts.any }) : given;
    const service = serviceFor(session, info);
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
