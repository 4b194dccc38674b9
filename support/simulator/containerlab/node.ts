import { ContentProblem, FieldReader, nearest } from '../../port/content-problem.ts';

/** One node after defaults, kind and group have been merged into it (containerlab docs, "Nodes"). */
export interface ClabNode {
  readonly name: string;
  readonly kind: string;
  readonly image: string | undefined;
  readonly command: string | undefined;
  readonly entrypoint: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly envFiles: readonly string[];
  readonly binds: readonly string[];
  readonly ports: readonly string[];
  readonly exec: readonly string[];
  readonly stageExec: readonly { readonly command: string; readonly target: string }[];
  readonly healthcheck:
    | { readonly test: readonly string[]; readonly startPeriodSeconds: number; readonly intervalSeconds: number; readonly retries: number }
    | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly sysctls: Readonly<Record<string, string>>;
  readonly networkMode: string | undefined;
  readonly mgmtIpv4: string | undefined;
  readonly mgmtIpv6: string | undefined;
  readonly user: string | undefined;
  readonly group: string | undefined;
  readonly startupDelaySeconds: number;
  readonly startupConfig: string | undefined;
  /** Nodes that must have reached a stage before this one is made. */
  readonly waitFor: readonly { readonly node: string; readonly stage: string }[];
  readonly restartPolicy: string | undefined;
}

/** Kinds that are simulated, and what each stands for. */
const simulatedKinds = ['linux', 'bridge', 'ext-container', 'host', 'k8s-kind'] as const;

/** Every kind that containerlab 0.68 knows; the operating systems of the others are outside the model. */
export const knownKinds: readonly string[] =
  '6wind_vsr arista_ceos arista_veos aruba_aoscx bridge c8000 ceos checkpoint_cloudguard cisco_c8000 cisco_c8000v cisco_cat9kv cisco_csr1000v cisco_ftdv cisco_iol cisco_n9kv cisco_xrd cisco_xrv cisco_xrv9k crpd cumulus_cvx cvx dell_ftosv dell_sonic ext-container fdio_vpp fortinet_fortigate freebsd generic_vm host huawei_vrp ipinfusion_ocnos juniper_crpd juniper_vjunosevolved juniper_vjunosrouter juniper_vjunosswitch juniper_vmx juniper_vqfx juniper_vsrx k8s-kind keysight_ixia-c-one linux mikrotik_ros nokia_srlinux nokia_sros openbsd openwrt ovs-bridge paloalto_panos rare sonic-vm sonic-vs srl vr-aoscx vr-arista_veos vr-aruba_aoscx vr-cisco_csr1000v vr-cisco_n9kv vr-cisco_xrv vr-cisco_xrv9k vr-csr vr-dell_ftosv vr-ftosv vr-juniper_vmx vr-juniper_vqfx vr-juniper_vsrx vr-mikrotik_ros vr-n9kv vr-nokia_sros vr-paloalto_panos vr-pan vr-ros vr-sros vr-veos vr-vmx vr-vqfx vr-vsrx vr-xrv vr-xrv9k xrd'.split(
    ' ',
  );

export const nodeFields = [
  'kind',
  'image',
  'cmd',
  'entrypoint',
  'env',
  'env-files',
  'binds',
  'ports',
  'exec',
  'labels',
  'sysctls',
  'network-mode',
  'mgmt-ipv4',
  'mgmt-ipv6',
  'user',
  'group',
  'startup-delay',
  'startup-config',
  'wait-for',
  'restart-policy',
  'type',
  'position',
  'license',
  'publish',
  'runtime',
  'cpu',
  'cpu-set',
  'memory',
  'sandbox',
  'kernel',
  'extras',
  'config',
  'stages',
  'dns',
  'certificate',
  'healthcheck',
  'aliases',
  'image-pull-policy',
  'suppress-startup-config',
  'auto-remove',
  'enforce-startup-config',
  'cap-add',
  'devices',
  'shm-size',
  'components',
  'credentials',
  'privileged',
] as const;

/**
 * One node with what its kind, its group and the defaults add (containerlab docs, "Topology definition"): single values come from
 * the most special layer, maps are merged, `exec` lines are joined, binds are told apart by where they appear in the container, and
 * ports are those of the most special layer that has any.
 */
export function readNode(
  name: string,
  lab: string,
  own: FieldReader,
  defaults: FieldReader | undefined,
  layers: ReadonlyMap<string, FieldReader>,
): ClabNode {
  own.allowOnly(nodeFields);
  const group = own.optionalString('group');
  const groupLayer = group === undefined ? undefined : layers.get(`group/${group}`);
  const kind = own.optionalString('kind') ?? groupLayer?.optionalString('kind') ?? defaults?.optionalString('kind');
  if (kind === undefined)
    throw new ContentProblem(own.path, `node "${name}" has no kind`, { fix: 'add kind: linux to the node or to topology.defaults' });
  checkKind(kind, own.has('kind') ? own.at('kind') : own.path, name);
  // Most general first: a later layer wins, lists and maps are merged.
  const order = [defaults, layers.get(`kind/${kind}`), groupLayer, own].filter((layer) => layer !== undefined);
  const last = <T>(read: (layer: FieldReader) => T | undefined) =>
    order.reduceRight<T | undefined>((found, layer) => found ?? read(layer), undefined);
  const merged = (key: string) => Object.assign({}, ...order.map((layer) => layer.textMap(key))) as Record<string, string>;
  const magic = (text: string) =>
    text.replaceAll('__clabNodeName__', name).replaceAll('__clabNodeDir__', `clab-${lab}/${name}`).replaceAll('__clabDir__', `clab-${lab}`);
  const joined = (key: string) => order.flatMap((layer) => layer.strings(key));
  const health = last((layer) => layer.mapping('healthcheck'));
  const stages = last((layer) => layer.mapping('stages'));
  return {
    name,
    kind,
    image: last((layer) => layer.optionalString('image')),
    command: last((layer) => layer.optionalString('cmd')),
    entrypoint: last((layer) => layer.optionalString('entrypoint')),
    env: merged('env'),
    envFiles: [...new Set(joined('env-files').map(magic))],
    binds: bindsByTarget(joined('binds').map(magic)),
    ports:
      [...order]
        .reverse()
        .find((layer) => layer.strings('ports').length > 0)
        ?.strings('ports') ?? [],
    exec: joined('exec').map(magic),
    stageExec: stages === undefined ? [] : stageExecOf(stages),
    healthcheck: health === undefined ? undefined : healthcheckOf(health),
    labels: merged('labels'),
    sysctls: merged('sysctls'),
    networkMode: last((layer) => layer.optionalString('network-mode')),
    mgmtIpv4: own.optionalString('mgmt-ipv4'),
    mgmtIpv6: own.optionalString('mgmt-ipv6'),
    user: last((layer) => layer.optionalString('user')),
    group,
    startupDelaySeconds: last((layer) => layer.optionalNumber('startup-delay')) ?? 0,
    startupConfig: last((layer) => layer.optionalString('startup-config')),
    waitFor: [...joined('wait-for').map((node) => ({ node, stage: 'create' })), ...(stages === undefined ? [] : waitsOf(stages))],
    restartPolicy: last((layer) => layer.optionalString('restart-policy')),
  };
}

function checkKind(kind: string, path: readonly (string | number)[], node: string): void {
  if ((simulatedKinds as readonly string[]).includes(kind)) return;
  if (knownKinds.includes(kind)) {
    throw new ContentProblem(path, `node "${node}": kind "${kind}" is not simulated`, {
      hint: `simulated kinds: ${simulatedKinds.join(', ')}`,
      fix: 'run this lab with --driver live',
    });
  }
  const guess = nearest(kind, simulatedKinds);
  throw new ContentProblem(path, `node "${node}": unknown kind "${kind}"`, {
    hint: `simulated kinds: ${simulatedKinds.join(', ')}`,
    ...(guess === undefined ? {} : { fix: `did you mean "${guess}"?` }),
  });
}

/** A bind of a more special layer takes the place of one with the same target. */
function bindsByTarget(binds: readonly string[]): readonly string[] {
  const byTarget = new Map<string, string>();
  for (const bind of binds) byTarget.set(bind.split(':')[1] ?? bind, bind);
  return [...byTarget.values()];
}

const stageNames = ['create', 'create-links', 'configure', 'healthy', 'exit'] as const;

function waitsOf(stages: FieldReader): ClabNode['waitFor'] {
  stages.allowOnly(stageNames);
  return stages.keys.flatMap((name) => {
    const stage = stages.mapping(name);
    stage?.allowOnly(['wait-for', 'exec']);
    return (stage?.list('wait-for') ?? []).map((entry, index) => {
      const wait = new FieldReader(entry, [...stages.at(name), 'wait-for', index]);
      wait.allowOnly(['node', 'stage']);
      return { node: wait.string('node'), stage: wait.optionalString('stage') ?? 'create' };
    });
  });
}

/** Commands of stages, in both forms: a list with target and phase, or lists by phase. */
function stageExecOf(stages: FieldReader): ClabNode['stageExec'] {
  return stages.keys.flatMap((name) => {
    const exec = stages.mapping(name)?.raw('exec');
    if (exec === undefined || exec === null) return [];
    const at = [...stages.at(name), 'exec'];
    if (!Array.isArray(exec)) {
      const phases = new FieldReader(exec, at);
      phases.allowOnly(['on-enter', 'on-exit']);
      return ['on-enter', 'on-exit'].flatMap((phase) => phases.strings(phase).map((command) => ({ command, target: 'container' })));
    }
    return exec.map((entry, index) => {
      const one = new FieldReader(entry, [...at, index]);
      one.allowOnly(['command', 'target', 'phase']);
      return { command: one.string('command'), target: one.optionalString('target') ?? 'container' };
    });
  });
}

function healthcheckOf(reader: FieldReader): NonNullable<ClabNode['healthcheck']> {
  reader.allowOnly(['test', 'start-period', 'interval', 'timeout', 'retries']);
  const [form = 'NONE', ...words] = reader.strings('test');
  return {
    test: form === 'CMD-SHELL' ? ['sh', '-c', words.join(' ')] : form === 'CMD' ? words : form === 'NONE' ? [] : [form, ...words],
    startPeriodSeconds: reader.optionalNumber('start-period') ?? 0,
    intervalSeconds: reader.optionalNumber('interval') ?? 30,
    retries: reader.optionalNumber('retries') ?? 3,
  };
}
