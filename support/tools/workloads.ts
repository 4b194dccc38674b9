import { families, familyOf, isInside } from './addresses.ts';
import type { CiliumNode, Deployment, Pod } from './kubectl.ts';

/** What a deployment lacks until every replica of its present template is ready; nothing when it is rolled out. */
export function rolloutDifference(name: string, deployment: Deployment | undefined): string[] {
  if (deployment === undefined) return [`no deployment ${name}`];
  const { wanted, total, updated, available, isObserved } = deployment;
  if (wanted === 0) return [`${name} wants no replica`];
  if (!isObserved || updated < wanted) return [`${name}: ${updated} of ${wanted} updated`];
  if (total > updated) return [`${name}: ${total - updated} of an older template still there`];
  return available < wanted ? [`${name}: ${available} of ${wanted} ready`] : [];
}

/** Pods that lack an address of a family, or have one outside the pod CIDRs of their node. */
export function addressDifferences(pods: readonly Pod[], nodes: readonly CiliumNode[]): string[] {
  return pods.flatMap((pod) => {
    const cidrs = nodes.find(({ name }) => name === pod.node)?.podCidrs ?? [];
    return families.flatMap((family) => {
      const addresses = pod.addresses.filter((address) => familyOf(address) === family);
      if (addresses.length === 0) return [`${pod.name} has no ${family} address`];
      const strangers = addresses.filter((address) => !cidrs.some((cidr) => isInside(address, cidr)));
      return strangers.map(
        (address) => `${address} of ${pod.name} is outside ${cidrs.join(' and ') || 'any pod CIDR'} of ${pod.node ?? 'no node'}`,
      );
    });
  });
}

/** One address in each range, and no other. */
export function rangeDifferences(addresses: readonly string[], ranges: readonly string[]): string[] {
  const differences = ranges.flatMap((range) => {
    const inside = addresses.filter((address) => isInside(address, range));
    return inside.length === 1 ? [] : [inside.length === 0 ? `no address in ${range}` : `${inside.join(' and ')} in ${range}`];
  });
  const strangers = addresses.filter((address) => !ranges.some((range) => isInside(address, range)));
  return [...differences, ...strangers.map((address) => `${address} is in none of the ranges`)];
}
