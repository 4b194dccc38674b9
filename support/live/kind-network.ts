import type Docker from 'dockerode';
import type { LabDefinition } from '../content/lab.ts';
import { EnvironmentError } from '../verdict/errors.ts';
import { overlap } from './doctor/prefixes.ts';
import { explainEngineError } from './engine-error.ts';

/**
 * kind's network as it is on an engine that has no other: 172.18.0.0/16 is the first that Docker gives away, and the IPv6 prefix is
 * made from the name. Labs write addresses of it (a pool for L2 announcements); on an engine with more networks kind would get
 * whichever comes next, and that may be the one of containerlab.
 */
export const kindNetwork = { name: 'kind', ipv4: '172.18.0.0/16', ipv6: 'fc00:f853:ccd:e793::/64' } as const;

type Needs = Pick<LabDefinition, 'homeFiles' | 'topology'>;

/** Whether the lab's files write addresses of the nodes' network. */
export function needsNodePrefix({ homeFiles, topology }: Needs): boolean {
  const texts = [...homeFiles.values(), ...(topology === undefined ? [] : [JSON.stringify(topology.source.documents)])];
  return texts.some((text) => (text.match(/\b\d+\.\d+\.\d+\.\d+\b/g) ?? []).some((address) => overlap(address, kindNetwork.ipv4)));
}

/** Prefixes of the engine's network of that name; undefined: there is none. */
export async function subnetsOf(docker: Docker, name: string): Promise<readonly string[] | undefined> {
  const found = (await docker.listNetworks({ filters: { name: [name] } })).find(({ Name }) => Name === name);
  return found === undefined ? undefined : (found.IPAM?.Config ?? []).flatMap(({ Subnet }) => Subnet ?? []);
}

/**
 * Makes kind's network, which kind takes as it finds it, so that it has the prefix that the lab counts on.
 * @throws EnvironmentError when it is there with another prefix, or another network has that one, and the lab uses its addresses
 */
export async function ensureKindNetwork(docker: Docker, definition: Needs): Promise<void> {
  const { name, ipv4 } = kindNetwork;
  const isNeeded = needsNodePrefix(definition);
  const there = await subnetsOf(docker, name);
  if (there !== undefined) {
    if (!isNeeded || there.includes(ipv4)) return;
    throw new EnvironmentError(
      'up/network',
      `the Docker network "${name}" has ${there.join(', ')}, and the lab uses addresses of ${ipv4}`,
      {
        hint: 'it was there before this lab, and is left alone',
        fix: `docker network rm ${name}, when no cluster uses it any more; then outpost up`,
      },
    );
  }
  const others = [ipv4, ...Array.from({ length: 13 }, (_, index) => `172.${19 + index}.0.0/16`)];
  const own = definition.topology === undefined ? [] : [definition.topology.parsed.mgmt.ipv4Subnet];
  const candidates = isNeeded ? [ipv4] : others.filter((prefix) => !own.some((each) => overlap(each, prefix)));
  for (const prefix of candidates) if (await create(docker, prefix)) return;
  if (!isNeeded) return;
  const owner = (await docker.listNetworks()).find(({ IPAM }) => (IPAM?.Config ?? []).some(({ Subnet }) => overlap(Subnet ?? '', ipv4)));
  throw new EnvironmentError(
    'up/network',
    `the lab uses addresses of ${ipv4}, and ${owner === undefined ? 'something of this machine' : `the Docker network "${owner.Name}"`} has it`,
    {
      fix: owner === undefined ? 'ip route tells what has it' : `docker network rm ${owner.Name}, if nobody needs it; then outpost up`,
    },
  );
}

/** With the options that kind gives it. @returns false when another network has the prefix */
async function create(docker: Docker, prefix: string): Promise<boolean> {
  const { name, ipv6 } = kindNetwork;
  const { Options: options } = (await docker.getNetwork('bridge').inspect()) as { Options?: Record<string, string> };
  const mtu = options?.['com.docker.network.driver.mtu'] ?? '1500';
  const make = async (isDual: boolean) =>
    await docker.createNetwork({
      Name: name,
      Driver: 'bridge',
      CheckDuplicate: true,
      Options: { 'com.docker.network.bridge.enable_ip_masquerade': 'true', 'com.docker.network.driver.mtu': mtu },
      ...(isDual ? { EnableIPv6: true } : {}),
      IPAM: { Driver: 'default', Config: [{ Subnet: prefix }, ...(isDual ? [{ Subnet: ipv6 }] : [])] },
    });
  try {
    await make(true).catch(async (error: Error) => {
      // An engine without IPv6; kind does the same.
      if (!/Cannot read IPv6 setup for bridge/.test(error.message)) throw error;
      await make(false);
    });
    return true;
  } catch (error) {
    if (/[Pp]ool overlaps|non-overlapping|conflicts with/.test((error as Error).message)) return false;
    throw explainEngineError(error);
  }
}
