import type { Container, DockerEngine, DockerNetwork } from '../docker/types.ts';
import type { NetworkInterface, NetworkNamespace } from '../net/types.ts';
import { DeployError } from './deploy-error.ts';
import type { ClabEndpoint, Topology } from './topology.ts';

export interface Wiring {
  readonly topology: Topology;
  readonly engine: DockerEngine;
  readonly containers: ReadonlyMap<string, Container>;
  readonly mgmt: DockerNetwork | undefined;
  readonly hostInterfaces: NetworkInterface[];
  readonly newMac: () => string;
  readonly index: number;
}

/** A veth pair made in the host's namespace and moved, as containerlab does: that is why both ends have high interface indices. */
export function connect(a: ClabEndpoint, b: ClabEndpoint | undefined, mtu: number, wiring: Wiring): void {
  const { engine } = wiring;
  const host = engine.hostNamespace;
  if (b === undefined) {
    const place = namespaceOf(a, wiring);
    place.addInterface({ name: a.interfaceName, kind: 'dummy', mac: a.mac ?? wiring.newMac() }).setUp();
    return;
  }
  for (const end of [a, b]) {
    if (namespaceOf(end, wiring).getInterface(end.interfaceName) !== undefined) {
      throw new DeployError(`interface ${end.node}:${end.interfaceName} is defined via topology but does already exist`);
    }
  }
  const pair = engine.network.createVeth(
    { namespace: host, name: `clab-${wiring.index}a`, mac: a.mac ?? wiring.newMac() },
    { namespace: host, name: `clab-${wiring.index}b`, mac: b.mac ?? wiring.newMac() },
  );
  pair.forEach((device, side) => {
    const end = side === 0 ? a : b;
    device.setMtu(mtu);
    const target = namespaceOf(end, wiring);
    if (target !== host) device.moveTo(target);
    device.rename(end.interfaceName);
    const bridge = bridgeOf(end, wiring);
    if (bridge !== undefined) device.setMaster(bridge);
    if (target === host) wiring.hostInterfaces.push(device);
  });
  for (const device of pair) device.setUp();
}

function namespaceOf(end: ClabEndpoint, wiring: Wiring): NetworkNamespace {
  const container = wiring.containers.get(end.node);
  return container === undefined ? wiring.engine.hostNamespace : container.namespace;
}

function bridgeOf(end: ClabEndpoint, wiring: Wiring): NetworkInterface | undefined {
  if (end.node === 'mgmt-net') return wiring.mgmt?.bridge;
  const node = wiring.topology.nodes.find((candidate) => candidate.name === end.node);
  return node?.kind === 'bridge' ? wiring.engine.hostNamespace.getInterface(node.name) : undefined;
}
