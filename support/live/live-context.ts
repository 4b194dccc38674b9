import { homedir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import type Docker from 'dockerode';
import type { LabDefinition } from '../content/lab.ts';
import { EnvironmentError } from '../verdict/errors.ts';
import { execOnHost, type HostOptions } from './host.ts';
import { LabState } from './lab-state.ts';
import type { Output } from './live-exec.ts';
import { lastSaid } from './live-exec.ts';

/** Runs a program of the lab host. Tests give one that answers from a table. */
export type HostRunner = (argv: readonly string[], options?: HostOptions) => Promise<Output>;

/** What bringing up, taking down and looking after a live lab needs. */
export interface LiveContext {
  readonly definition: LabDefinition;
  readonly cluster: string;
  readonly docker: Docker;
  readonly run: HostRunner;
  readonly state: LabState;
}

export function openContext(definition: LabDefinition, docker: Docker, run: HostRunner = hostRunner(definition.directory)): LiveContext {
  const cluster = clusterName(definition);
  return { definition, cluster, docker, run, state: new LabState(cluster) };
}

export function hostRunner(folder: string): HostRunner {
  return (argv, options = {}) => execOnHost(argv, folder, options);
}

/** kind's own default is "kind". */
export function clusterName(content: { readonly cluster: { readonly documents: readonly unknown[] } }): string {
  const { name } = asTree(content.cluster.documents[0]);
  return typeof name === 'string' && name !== '' ? name : 'kind';
}

export const kubeContext = (cluster: string): string => `kind-${cluster}`;

/** The files in which kubectl and kind look for contexts, as KUBECONFIG would name them. */
export function kubeconfigFiles(env: NodeJS.ProcessEnv = process.env): string {
  const named = (env['KUBECONFIG'] ?? '').split(delimiter).filter((file) => file !== '');
  return named.length === 0 ? join(homedir(), '.kube', 'config') : named.map((file) => resolve(file)).join(delimiter);
}

/** Nodes that a kind file asks for, by the names that kind gives their containers. */
export function nodeNames(document: unknown, cluster: string): string[] {
  const { nodes } = asTree(document);
  const roles =
    Array.isArray(nodes) && nodes.length > 0 ? nodes.map((node) => String(asTree(node)['role'] ?? 'control-plane')) : ['control-plane'];
  const counts = new Map<string, number>();
  return roles.map((role) => {
    const count = (counts.get(role) ?? 0) + 1;
    counts.set(role, count);
    return `${cluster}-${role}${count === 1 ? '' : count}`;
  });
}

export function asTree(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

/** What a tool said last, as the reason of a step that failed. */
export class ToolFailure extends EnvironmentError {
  constructor(argv: readonly string[], output: Output) {
    const lines = `${output.stdout}\n${output.stderr}`
      .split('\n')
      .map((line) => line.trimEnd())
      .filter((line) => line.trim() !== '');
    super(
      'live/tool',
      `${argv[0]} ended with exit status ${output.exitCode}: ${lastSaid(output.stderr) || lastSaid(output.stdout) || '(no output)'}`,
      {
        ...(lines.length > 1
          ? {
              hint: `its last lines:\n${lines
                .slice(-8)
                .map((line) => `    ${line}`)
                .join('\n')}`,
            }
          : {}),
      },
    );
  }
}

/** Runs a tool that has to succeed. @throws ToolFailure with its last lines */
export async function need(run: HostRunner, argv: readonly string[], options?: HostOptions): Promise<Output> {
  const output = await run(argv, options);
  if (output.exitCode !== 0) throw new ToolFailure(argv, output);
  return output;
}
