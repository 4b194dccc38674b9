import type { CiliumInstallation } from '../cilium/types.ts';
import type { Command, CommandResult } from '../docker/types.ts';
import type { Cluster } from '../kubernetes/types.ts';

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
