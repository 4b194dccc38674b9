import { type DnsAnswer, type DnsReply, serveDns } from '../net/dns.ts';
import { embeddedResolver, resolveContainerName } from './networks.ts';
import type { Container, DockerEngine } from './types.ts';

/** Docker's TTL for its own names. */
const ttl = 600;

/**
 * The DNS server at 127.0.0.11 of a container on user-defined networks: it knows the containers of these networks, and
 * the names that the host's own `/etc/hosts` has. Other names fail at once, as where the host has no way out.
 * @returns a function that stops it
 */
export function startEmbeddedDns(container: Container, engine: DockerEngine): () => void {
  const socket = serveDns(container.namespace, { ip: embeddedResolver, port: 53, program: 'dockerd' }, ({ name, type }): DnsReply => {
    const bare = name.replace(/\.$/, '').toLowerCase();
    const known = resolveContainerName(container, engine.networks, bare);
    const ips = known.length > 0 ? known : (engine.hostNamespace.hosts.get(bare) ?? []);
    if (ips.length === 0) return { rcode: 'NXDOMAIN', answers: [] };
    const family = type === 'A' ? 4 : type === 'AAAA' ? 6 : undefined;
    const answers: readonly DnsAnswer[] = ips
      .filter((address) => address.family === family)
      .map((address) => ({ name, type, ttl, data: address.text }));
    return { rcode: 'NOERROR', answers };
  });
  return () => socket.close();
}
