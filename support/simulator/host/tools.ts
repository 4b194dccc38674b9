import type { CiliumInstallation } from '../cilium/types.ts';
import { type DeployedLab, deployTopology, destroyTopology } from '../containerlab/deploy.ts';
import { parseTopology } from '../containerlab/topology.ts';
import type { Command, CommandContext, CommandResult, DockerEngine } from '../docker/types.ts';
import type { Cluster } from '../kubernetes/types.ts';
import { boxTable } from './box-table.ts';

/** `containerlab deploy|destroy|inspect|version` on the lab host (containerlab docs, "Commands"). */
export function createContainerlabCli(engine: DockerEngine, labs: DeployedLab[]): Command {
  return async (args, context) => {
    const [verb = 'help', ...rest] = args;
    const options = readOptions(rest);
    switch (verb) {
      case 'deploy':
      case 'dep':
        return deploy(options, engine, labs, context);
      case 'destroy':
      case 'des':
        return destroy(options, engine, labs);
      case 'inspect':
      case 'ins':
        return inspect(options, labs, engine);
      case 'version':
        return ok('  version: 0.57.0\n');
      default:
        return fail(`not simulated: containerlab ${verb}`);
    }
  };
}

interface Options {
  readonly topology: string | undefined;
  readonly name: string | undefined;
  readonly isAll: boolean;
}

function readOptions(args: readonly string[]): Options {
  const value = (names: readonly string[]) => {
    for (let index = 0; index < args.length; index++) {
      const [flag = '', attached] = (args[index] ?? '').split(/=(.*)/s);
      if (names.includes(flag)) return attached ?? args[index + 1];
    }
    return undefined;
  };
  return {
    topology: value(['-t', '--topo', '--topology']),
    name: value(['--name', '-n']),
    isAll: args.includes('-a') || args.includes('--all'),
  };
}

async function deploy(options: Options, engine: DockerEngine, labs: DeployedLab[], context: CommandContext): Promise<CommandResult> {
  const path = options.topology ?? (context.files.list(context.cwd) ?? []).find((name) => /\.clab\.ya?ml$/.test(name));
  if (path === undefined) return fail('no topology files matching the pattern *.clab.yml or *.clab.yaml found');
  const text = context.files.read(path.startsWith('/') ? path : `${context.cwd}/${path}`);
  if (text === undefined) return fail(`stat ${path}: no such file or directory`);
  const { load } = await import('js-yaml');
  try {
    const topology = parseTopology(load(text));
    if (labs.some((lab) => lab.topology.name === topology.name))
      return fail(`the '${topology.name}' lab has already been deployed. Destroy the lab before deploying a lab with the same name`);
    const lab = await deployTopology(topology, engine, { path, files: new Map() });
    labs.push(lab);
    return ok(table(lab, engine));
  } catch (error) {
    return fail((error as Error).message);
  }
}

function destroy(options: Options, engine: DockerEngine, labs: DeployedLab[]): CommandResult {
  const chosen = labs.filter(
    (lab) => options.isAll || lab.topology.name === options.name || (options.topology !== undefined && lab.path.endsWith(options.topology)),
  );
  if (chosen.length === 0) return fail('no containerlab labs found');
  for (const lab of chosen) {
    destroyTopology(lab, engine);
    labs.splice(labs.indexOf(lab), 1);
  }
  return ok('');
}

function inspect(options: Options, labs: readonly DeployedLab[], engine: DockerEngine): CommandResult {
  const chosen = labs.filter((lab) => options.isAll || options.name === undefined || lab.topology.name === options.name);
  if (chosen.length === 0) return ok('no containers found\n');
  return ok(chosen.map((lab) => table(lab, engine)).join(''));
}

function table(lab: DeployedLab, engine: DockerEngine): string {
  const network = engine.findNetwork(lab.topology.mgmt.network);
  const rows = [...lab.containers].map(([name, container]) => {
    const node = lab.topology.nodes.find((candidate) => candidate.name === name);
    const member =
      network?.members.get(container.id) ?? [...(network?.members.values() ?? [])].find((candidate) => candidate.container === container);
    const address = (family: 4 | 6) => member?.ips.find((candidate) => candidate.family === family)?.text ?? 'N/A';
    return {
      name: container.name,
      kind: node?.kind ?? '',
      image: container.imageReference,
      state: container.state,
      ipv4: address(4),
      ipv6: address(6),
    };
  });
  rows.sort((a, b) => (a.name < b.name ? -1 : 1));
  return boxTable(
    ['Name', 'Kind/Image', 'State', 'IPv4/6 Address'],
    rows.map((row) => [[row.name], [row.kind, row.image], [row.state], [row.ipv4, row.ipv6]]),
  );
}

/** `kind get clusters|nodes`: what labs ask; clusters are made by the lab itself. */
export function createKindCli(cluster: () => Cluster): Command {
  return (args) => {
    const words = args.filter((argument) => !argument.startsWith('-'));
    if (words[0] === 'version') return ok('kind v0.20.0 go1.20.4 linux/amd64\n');
    if (words[0] === 'get' && words[1] === 'clusters') return ok(`${cluster().name}\n`);
    if (words[0] === 'get' && words[1] === 'nodes')
      return ok(
        cluster()
          .nodes.map((node) => `${node.name}\n`)
          .join(''),
      );
    return fail(`not simulated: kind ${words.join(' ')} (the cluster comes with the lab)`);
  };
}

/** `helm list|get values|version`. Upgrades are made by editing the lab's values. */
export function createHelmCli(
  content: () => { readonly version: string; readonly values: { readonly documents: readonly unknown[] } | undefined } | undefined,
  cilium: () => CiliumInstallation | undefined,
): Command {
  return async (args, context) => {
    const words = args.filter(
      (argument, index) => !argument.startsWith('-') && !['-n', '--namespace', '-o'].includes(args[index - 1] ?? ''),
    );
    const release = content();
    if (words[0] === 'version')
      return ok(
        'version.BuildInfo{Version:"v3.15.3", GitCommit:"3bb50bbbdd9c946ba9989fbe4fb4104766302a64", GitTreeState:"clean", GoVersion:"go1.22.5"}\n',
      );
    if ((words[0] === 'list' || words[0] === 'ls') && cilium() !== undefined) {
      const isHere =
        args.includes('-A') || args.includes('--all-namespaces') || args.includes('kube-system') || args.includes('-nkube-system');
      const updated = new Date(context.container.startedAt ?? context.clock.now())
        .toISOString()
        .replace('T', ' ')
        .replace('Z', ' +0000 UTC');
      const row = ['cilium', 'kube-system', '1', updated, 'deployed', `cilium-${release?.version}`, `${release?.version}`];
      const header = ['NAME', 'NAMESPACE', 'REVISION', 'UPDATED', 'STATUS', 'CHART', 'APP VERSION'];
      const rows = isHere ? [header, row] : [header];
      const widths = header.map((_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0)));
      return ok(rows.map((cells) => `${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('\t')}\n`).join(''));
    }
    if (words[0] === 'get' && words[1] === 'values') {
      if (words[2] !== 'cilium' || release === undefined) return fail('release: not found');
      const { dump } = await import('js-yaml');
      return ok(`USER-SUPPLIED VALUES:\n${dump(release.values?.documents[0] ?? {}, { sortKeys: true })}`);
    }
    return fail(`not simulated: helm ${words.join(' ')} (edit the lab's values and start it again)`);
  };
}

function ok(stdout: string): CommandResult {
  return { stdout, stderr: '', exitCode: 0 };
}

function fail(message: string): CommandResult {
  return { stdout: '', stderr: `Error: ${message}\n`, exitCode: 1 };
}
