export interface NamedPort {
  readonly name: string;
  readonly port: number;
  readonly protocol: string;
}

/**
 * Container ports with a name, by the pod that has them. A policy at ingress means the ports of its own pod; at egress
 * all ports in the cluster that have the name.
 */
export class NamedPorts {
  /** The cluster's, where these are those of one node. */
  cluster: NamedPorts | undefined;
  readonly #ofPod = new Map<string, readonly NamedPort[]>();
  /** How many pods have `name protocol port`. */
  readonly #uses = new Map<string, number>();

  set(pod: string, ports: readonly NamedPort[]): void {
    if (ports.length === 0 && !this.#ofPod.has(pod)) return;
    for (const port of this.#ofPod.get(pod) ?? []) this.#count(port, -1);
    this.#ofPod.delete(pod);
    if (ports.length === 0) return;
    this.#ofPod.set(pod, ports);
    for (const port of ports) this.#count(port, 1);
  }

  #count(port: NamedPort, change: number): void {
    const key = keyOf(port.name, port.protocol, port.port);
    const uses = (this.#uses.get(key) ?? 0) + change;
    if (uses > 0) this.#uses.set(key, uses);
    else this.#uses.delete(key);
  }

  /** Ports of a name: those of one pod, or of all. */
  find(name: string, pod: string | undefined): readonly NamedPort[] {
    const lists = pod === undefined ? [...this.#ofPod.values()] : [this.#ofPod.get(pod) ?? []];
    return [...lists.flat().filter((port) => port.name === name), ...(this.cluster?.find(name, pod) ?? [])];
  }

  /** All of one pod's. */
  findAll(pod: string): readonly NamedPort[] {
    return this.#ofPod.get(pod) ?? [];
  }

  isOf(pod: string, name: string, protocol: string, port: number): boolean {
    const key = keyOf(name, protocol, port);
    const isHere = this.#ofPod.get(pod)?.some((own) => keyOf(own.name, own.protocol, own.port) === key) ?? false;
    return isHere || this.cluster?.isOf(pod, name, protocol, port) === true;
  }

  isAnywhere(name: string, protocol: string, port: number): boolean {
    return this.#uses.has(keyOf(name, protocol, port)) || this.cluster?.isAnywhere(name, protocol, port) === true;
  }
}

function keyOf(name: string, protocol: string, port: number): string {
  return `${name} ${protocol.toLowerCase()} ${port}`;
}
