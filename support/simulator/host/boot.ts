import { ContentProblem, nearest } from '../../port/content-problem.ts';
import { createCiliumCli } from '../cilium/cli/cilium-cli.ts';
import { isDefined, isKnownKind } from '../cilium/crds/definitions.ts';
import { createHubbleCli } from '../cilium/hubble/hubble-cli.ts';
import { installCilium } from '../cilium/install.ts';
import type { CiliumInstallation } from '../cilium/types.ts';
import { SimulatedClock } from '../clock/clock.ts';
import { Random } from '../clock/random.ts';
import { createContainerlabCli } from '../containerlab/cli.ts';
import { type DeployedLab, deployTopology } from '../containerlab/deploy.ts';
import { createDockerCli } from '../docker/cli.ts';
import { createEngine } from '../docker/engine.ts';
import { parseImageFile } from '../docker/image-file.ts';
import type { Command, Container, DockerEngine } from '../docker/types.ts';
import { frrCommands, frrImages } from '../frr/image.ts';
import { createCluster } from '../kubernetes/kind.ts';
import { createKubectl } from '../kubernetes/kubectl/kubectl.ts';
import type { Cluster, KubernetesObject } from '../kubernetes/types.ts';
import { createShell } from '../linux/shell.ts';
import { ip, prefix } from '../net/address.ts';
import { createNetwork } from '../net/network.ts';
import { type LabContent, RefusedContentError } from './content.ts';
import { createDialogueCommand } from './dialogue-command.ts';
import { Remarks, unnoticed } from './remarks.ts';
import { createHelmCli, createKindCli } from './tools.ts';
import { yq } from './yq.ts';

/** Everything that runs after a boot. */
export interface Machine {
  readonly clock: SimulatedClock;
  readonly engine: DockerEngine;
  /** The lab host: a container in name only, it lives in the machine's own network namespace. */
  readonly host: Container;
  readonly cluster: Cluster;
  readonly cilium: CiliumInstallation | undefined;
  readonly labs: DeployedLab[];
  /** What of the content has no effect here, for the author. */
  readonly warnings: readonly string[];
  /** What the content and the commands so far asked for and the simulator leaves out, a sentence each, none twice. */
  readonly notModelled: readonly string[];
  /** Keeps what a program in a container said of what it leaves out; those of the host are heard anyway. */
  hear(stderr: string): void;
}

/** Virtual time at which every simulated machine is switched on. */
const switchedOnAt = Date.UTC(2026, 0, 12, 8, 0, 0);
/** A cluster that is not ready by then will not be; the learner meets it as it is. */
const readyBudgetMs = 300_000;
/** Between the last setup manifest and the learner: sessions come up, routes spread. */
const settleMs = 60_000;

/**
 * Boots a lab in the order in which `outpost up` builds a real one: cluster, topology, Cilium, setup manifests.
 * @throws RefusedContentError when a tool refuses one of the lab's files
 */
export async function boot(content: LabContent, seed: number): Promise<Machine> {
  const clock = new SimulatedClock(switchedOnAt);
  const random = new Random(seed);
  const network = createNetwork({ clock, random: random.stream('network') });
  const hostNamespace = network.createNamespace('host');
  connectToOutside(hostNamespace);
  const engine = createEngine({ network, clock, random: random.stream('docker'), hostNamespace });
  engine.shell = createShell(engine);
  for (const image of frrImages) engine.images.add(image);
  for (const [name, command] of frrCommands) engine.commands.set(name, command);
  for (const source of content.images) {
    for (const document of source.documents) {
      for (const image of refusing(source.file, () => parseImageFile(document, source.file))) engine.images.add(image);
    }
  }
  const host = createHost(engine, content);
  const labs: DeployedLab[] = [];
  const cluster = refusing(content.cluster.file, () =>
    createCluster({ config: content.cluster.documents[0], engine, random: random.stream('kubernetes') }),
  );
  const warnings: string[] = [];
  const remarks = new Remarks();
  let cilium: CiliumInstallation | undefined;
  installTools(host, content, { engine, cluster: () => cluster, cilium: () => cilium, labs, remarks });
  // kind returns when the API server answers; the nodes stay NotReady until a network plug-in comes.
  clock.advance(5_000);
  if (content.topology !== undefined) {
    const { source, parsed, files } = content.topology;
    try {
      const lab = await deployTopology(parsed, engine, { path: source.file, files, clusterFile: content.cluster.file });
      labs.push(lab);
      warnings.push(...lab.warnings);
      for (const result of lab.execResults) {
        if (result.exitCode !== 0)
          warnings.push(
            `${result.node}: exec "${result.command}" ended with ${result.exitCode}: ${(result.stderr || result.stdout).trim()}`,
          );
      }
    } catch (error) {
      throw new RefusedContentError(source.file, error);
    }
  }
  if (content.cilium !== undefined) {
    const { version, values } = content.cilium;
    const installed = refusing(values?.file ?? content.cluster.file, () =>
      installCilium(cluster, { version, values: values?.documents[0] ?? {} }),
    );
    warnings.push(...installed.unmodelledValues);
    cilium = installed;
  }
  clock.runUntil(settlementOf(cluster), readyBudgetMs);
  warnings.push(...checkHomeKinds(content, cluster, cilium));
  for (const manifest of content.setup) {
    const result = await engine.shell.exec(host, ['kubectl', 'apply', '-f', manifest], { cwd: homeFolder });
    if (result.exitCode === 0) {
      warnings.push(...apiWarnings(result.stderr).map((text) => `${manifest}: ${text}`));
      continue;
    }
    const absent = kindsSwitchedOff(result.stderr, cilium);
    if (absent === undefined) throw new RefusedContentError(manifest, new Error(result.stderr.trim()));
    warnings.push(`${manifest} was not applied: ${whyUnknown(cluster, absent)}`);
  }
  clock.advance(settleMs);
  const ofContent = warnings.filter((text) => !remarks.add(text));
  return {
    clock,
    engine,
    host,
    cluster,
    get cilium() {
      return cilium;
    },
    labs,
    warnings: ofContent,
    get notModelled() {
      for (const text of unnoticed(engine, cluster, cilium)) remarks.add(text);
      return remarks.all;
    },
    hear: (stderr) => remarks.hear(stderr),
  };
}

/**
 * Finds manifests whose kind nobody knows before a learner meets them. Those of a feature of Cilium that is switched off
 * only deserve a word.
 * @throws RefusedContentError
 */
function checkHomeKinds(content: LabContent, cluster: Cluster, cilium: CiliumInstallation | undefined): readonly string[] {
  const objects = content.homeObjects ?? [];
  const switchedOff = new Set<string>();
  const kindsOf = new Map<string, ReadonlySet<string>>();
  for (const { file, document, apiVersion, kind } of objects) {
    const kinds = kindsOf.get(apiVersion) ?? servedKinds(cluster, apiVersion);
    kindsOf.set(apiVersion, kinds);
    // A home may bring the definition of its own types, which are not served before it is applied.
    if (kind === 'List' || kinds.has(kind) || objects.some((other) => other.kind === 'CustomResourceDefinition')) continue;
    if (cilium === undefined ? apiVersion.startsWith('cilium.io/') : isKnownKind(cilium.version, apiVersion, kind)) {
      if (!content.setup.includes(file)) switchedOff.add(`${file} cannot be applied: ${whyUnknown(cluster, [kind])}`);
      continue;
    }
    const version = cilium === undefined || !apiVersion.startsWith('cilium.io/') ? '' : ` (Cilium ${cilium.version.text})`;
    const guess = nearest(kind, [...kinds]);
    throw new RefusedContentError(
      file,
      new ContentProblem([kinds.size === 0 ? 'apiVersion' : 'kind'], `no matches for kind "${kind}" in version "${apiVersion}"${version}`, {
        ...(guess === undefined ? {} : { fix: `did you mean ${guess}?` }),
        hint: 'kubectl apply would refuse it',
      }),
      document,
    );
  }
  return [...switchedOff];
}

/** Kinds of one API group and version that the server has. */
function servedKinds(cluster: Cluster, apiVersion: string): ReadonlySet<string> {
  const path = apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`;
  const { status, body } = cluster.server.handle({ method: 'GET', path, query: {}, headers: {} });
  const resources =
    status === 200 ? (body as { readonly resources?: readonly { readonly name: string; readonly kind: string }[] }).resources : [];
  return new Set((resources ?? []).filter(({ name }) => !name.includes('/')).map(({ kind }) => kind));
}

/** The learner's home on the lab host. */
export const homeFolder = '/root';

function createHost(engine: DockerEngine, content: LabContent): Container {
  const files: Record<string, string> = { '/etc/hostname': 'server\n' };
  for (const [path, text] of content.homeFiles) files[`${homeFolder}/${path}`] = text;
  engine.images.add({ name: 'lab-host', command: ['/sbin/init'], programs: [], commands: [], shell: 'bash' });
  const host = engine.createUnlisted(
    {
      name: 'server',
      image: 'lab-host',
      hostname: 'server',
      files,
      workingDirectory: homeFolder,
      env: { HOME: homeFolder, USER: 'root', KUBECONFIG: `${homeFolder}/.kube/config` },
    },
    engine.hostNamespace,
  );
  host.start();
  return host;
}

/** How long a real tool takes to start and answer (kubectl and docker measured, section 15 of the wire reference; the rest in their league). */
const commandLatencyMs: Readonly<Record<string, number>> = {
  kubectl: 65,
  docker: 25,
  cilium: 120,
  hubble: 90,
  helm: 120,
  containerlab: 150,
  kind: 60,
};

interface ToolContext {
  readonly engine: DockerEngine;
  readonly cluster: () => Cluster;
  readonly cilium: () => CiliumInstallation | undefined;
  readonly labs: DeployedLab[];
  readonly remarks: Remarks;
}

/** What the API server warned of: kubectl prints it, and an author should know. What is not simulated is heard as it is printed. */
function apiWarnings(stderr: string): readonly string[] {
  return stderr.split('\n').flatMap((line) => {
    const [, text] = /^Warning: (.*)$/.exec(line) ?? [];
    return text === undefined || text.startsWith('not simulated: ') ? [] : [text];
  });
}

function installTools(host: Container, content: LabContent, tools: ToolContext): void {
  const server = () => tools.cluster().server;
  const commands: Record<string, Command> = {
    kubectl: createKubectl(server, { context: tools.cluster().kubeconfigContext }),
    k: createKubectl(server, { context: tools.cluster().kubeconfigContext }),
    docker: createDockerCli(tools.engine),
    cilium: createCiliumCli(tools.cilium, server),
    hubble: createHubbleCli(tools.cilium),
    containerlab: createContainerlabCli(tools.engine, tools.labs),
    clab: createContainerlabCli(tools.engine, tools.labs),
    kind: createKindCli(tools.cluster),
    helm: createHelmCli(() => content.cilium, tools.cilium),
    yq,
  };
  for (const [name, dialogue] of content.programs) commands[name] = createDialogueCommand(name, dialogue);
  for (const [name, command] of Object.entries(commands)) {
    const latency = commandLatencyMs[name] ?? 0;
    host.commands.set(name, async (args, context) => {
      if (latency > 0) context.clock.advance(latency);
      const result = await command(args, context);
      tools.remarks.hear(result.stderr);
      return result;
    });
  }
}

/** The machine's way out: an uplink behind which nothing that the lab asks for answers. */
function connectToOutside(namespace: Container['namespace']): void {
  const uplink = namespace.addInterface({ name: 'ens4', kind: 'uplink', mac: '42:01:c0:00:02:0a' });
  uplink.setUp();
  uplink.addAddress(ip('192.0.2.10'), 24);
  namespace.neighbours.setPermanent(ip('192.0.2.1'), 'ens4', '42:01:c0:00:02:01');
  namespace.routes.add({ destination: prefix('0.0.0.0/0'), nextHops: [{ via: ip('192.0.2.1'), device: 'ens4' }] });
}

/**
 * A manifest of a feature that the Helm values switch off: kubectl knows no such kind, in reality too, and the lab comes up without
 * it. Undefined when something else is wrong with the manifest.
 */
function kindsSwitchedOff(stderr: string, cilium: CiliumInstallation | undefined): readonly string[] | undefined {
  if (cilium === undefined) return undefined;
  const kinds = new Set<string>();
  for (const line of stderr.split('\n')) {
    if (line.trim() === '' || line === 'ensure CRDs are installed first') continue;
    const match = /no matches for kind "(?<kind>[^"]+)" in version "(?<version>[^"]+)"$/.exec(line)?.groups;
    if (match === undefined || !isKnownKind(cilium.version, match['version'] ?? '', match['kind'] ?? '')) return undefined;
    kinds.add(match['kind'] ?? '');
  }
  return [...kinds];
}

function whyUnknown(cluster: Cluster, kinds: readonly string[]): string {
  return isDefined(cluster.server, 'CiliumNode')
    ? `the feature of Cilium that knows ${kinds.join(', ')} is switched off in the Helm values`
    : `no operator of Cilium runs that would register ${kinds.join(', ')}`;
}

/**
 * Nothing more is to come: every node ready, every pod of the system running. Asked after every event, so it remembers the object that
 * it waits for and looks at the others only when that one is done or gone.
 */
function settlementOf({ server }: Cluster): () => boolean {
  const { client } = server;
  let holdUp: { readonly resource: string; readonly name: string; readonly namespace: string | undefined } | undefined;
  const isDone = (resource: string, object: KubernetesObject): boolean =>
    resource === 'deployments.apps' ? isComplete(object) : isReady(object);
  return () => {
    if (holdUp !== undefined) {
      const object = client.get(holdUp.resource, holdUp.name, holdUp.namespace);
      if (object !== undefined && !isDone(holdUp.resource, object)) return false;
      holdUp = undefined;
    }
    if (client.list('pods').length === 0) return false;
    for (const resource of ['pods', 'nodes', 'deployments.apps']) {
      const object = client.list(resource).find((candidate) => !isDone(resource, candidate));
      if (object === undefined) continue;
      holdUp = { resource, name: object.metadata.name, namespace: object.metadata.namespace };
      return false;
    }
    return true;
  };
}

function isReady(object: KubernetesObject): boolean {
  const status = object['status'] as { conditions?: readonly { type: string; status: string }[] } | undefined;
  return status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') === true;
}

function isComplete(object: KubernetesObject): boolean {
  const { spec, status } = object as unknown as { spec?: { replicas?: number }; status?: { availableReplicas?: number } };
  return (status?.availableReplicas ?? 0) >= (spec?.replicas ?? 1);
}

function refusing<T>(file: string, attempt: () => T): T {
  try {
    return attempt();
  } catch (error) {
    throw new RefusedContentError(file, error);
  }
}
