import type { CiliumInstallation } from '../cilium/types.ts';
import type { Container, DockerEngine } from '../docker/types.ts';
import type { Cluster, KubernetesObject } from '../kubernetes/types.ts';

/** What a lab or its commands asked for and the simulator leaves out: a sentence each, in the order of their first coming up. */
export class Remarks {
  readonly #said = new Set<string>();

  /** Takes a sentence for what it is. @returns false when it is about something else */
  add(sentence: string): boolean {
    if (!/\bnot simulated\b|\bis not modelled\b/i.test(sentence)) return false;
    this.#said.add(subjectOf(sentence));
    return true;
  }

  /** Finds the sentences in what a tool printed on its error output. */
  hear(text: string): void {
    if (!text.includes('not simulated')) return;
    for (const line of text.split('\n')) if (line.includes('not simulated')) this.add(line);
  }

  get all(): readonly string[] {
    return [...this.#said];
  }
}

/** `Warning: not simulated: Ingress …` and `curl: not simulated: --proxy` without what only a terminal needs. */
function subjectOf(sentence: string): string {
  const text = sentence.trim().replace(/^(?:Warning|[Ee]rror|Error response from daemon): /, '');
  const [, tool, what = text] = /^(?:([\w.-]+): )?not simulated: (.*)$/s.exec(text) ?? [];
  // kubectl and docker name themselves again in what follows.
  return tool === undefined || what.startsWith(`${tool} `) ? what : `${tool}: ${what}`;
}

/** What went without notice by those who typed: programs of containers that stay idle, parts of policies that agents pass over. */
export function unnoticed(engine: DockerEngine, cluster: Cluster, cilium: CiliumInstallation | undefined): readonly string[] {
  const said: string[] = [];
  const read = (name: string, container: Container | undefined): void => {
    for (const { text } of container?.log ?? []) {
      const program = /^not simulated: (.*)$/.exec(text)?.[1];
      if (program !== undefined) said.push(`not simulated: the program of ${name}, which stays idle: ${program}`);
    }
  };
  for (const container of engine.containers) read(`container ${container.name}`, container);
  for (const pod of cluster.server.client.list<PodObject>('pods')) {
    const { namespace = '', name } = pod.metadata;
    for (const { name: container } of pod.spec.containers)
      read(`pod ${namespace}/${ownerOf(pod)}`, cluster.server.containerOf?.(namespace, name, container));
  }
  for (const agent of cilium?.agents ?? []) {
    for (const { text } of agent.context.container.log) {
      const fields = /msg="Not simulated, without effect"/.test(text) ? text : undefined;
      const field = (key: string) =>
        new RegExp(`\\b${key}=(?:"([^"]*)"|(\\S+))`)
          .exec(fields ?? '')
          ?.slice(1)
          .find(Boolean);
      if (fields !== undefined) said.push(`not simulated: ${field('field')} in policy ${field('policy')}, which is passed over`);
    }
  }
  return said;
}

type PodObject = KubernetesObject & { readonly spec: { readonly containers: readonly { readonly name: string }[] } };

/** A pod is told by what it is a copy of: its own name differs from run to run. */
function ownerOf({ metadata }: PodObject): string {
  const hash = metadata.labels?.['pod-template-hash'];
  const prefix = hash === undefined ? metadata.generateName?.replace(/-$/, '') : metadata.generateName?.replace(`-${hash}-`, '');
  return prefix ?? metadata.name;
}
