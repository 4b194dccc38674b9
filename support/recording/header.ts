import type { Lab } from '../port/lab.ts';
import { OutpostError } from '../verdict/errors.ts';
import type { Networks } from './recording.ts';

type Tree = { readonly [key: string]: unknown };
const treeOf = (value: unknown): Tree => (typeof value === 'object' && value !== null ? (value as Tree) : {});

/** Prefixes as the files write them: a list, or a text with commas. */
function prefixesOf(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(prefixesOf);
  return typeof value === 'string' && value !== ''
    ? value
        .replace(/^\{|\}$/g, '')
        .split(',')
        .map((prefix) => prefix.trim())
    : [];
}

/** Ranges of pods and services, as a kind cluster and Cilium's Helm values give them; without a word, as kind and Cilium choose. */
export function networksOf(kind: unknown, values: unknown): Networks {
  const { podSubnet, serviceSubnet } = treeOf(treeOf(kind)['networking']);
  const ipam = treeOf(treeOf(values)['ipam']);
  const operator = treeOf(ipam['operator']);
  const pools = [...prefixesOf(operator['clusterPoolIPv4PodCIDRList']), ...prefixesOf(operator['clusterPoolIPv6PodCIDRList'])];
  const isKubernetes = values === undefined || ipam['mode'] === 'kubernetes';
  const given = prefixesOf(podSubnet);
  const pods = isKubernetes ? (given.length > 0 ? given : ['10.244.0.0/16', 'fd00:10:244::/56']) : [...pools, ...given];
  const services = prefixesOf(serviceSubnet);
  return {
    // Of Cilium's default, 10.0.0.0/8, the first nodes use the beginning.
    pods: pods.length > 0 ? pods : ['10.0.0.0/16', 'fd00::/104'],
    services: services.length > 0 ? services : ['10.96.0.0/16', 'fd00:10:96::/112'],
  };
}

/** What tells a tool's version, and the line of the answer that does. */
const versions: readonly { readonly tool: string; readonly argv: readonly string[]; readonly line?: RegExp }[] = [
  { tool: 'docker', argv: ['docker', '--version'] },
  { tool: 'kind', argv: ['kind', 'version'] },
  { tool: 'containerlab', argv: ['containerlab', 'version'], line: /version/i },
  { tool: 'kubectl', argv: ['kubectl', 'version', '--client'] },
  { tool: 'helm', argv: ['helm', 'version', '--short'] },
  { tool: 'cilium', argv: ['cilium', 'version', '--client'] },
  { tool: 'hubble', argv: ['hubble', 'version'] },
  { tool: 'curl', argv: ['curl', '--version'] },
];

/** A tool that gives no answer by then is left out. */
const patienceMs = 10_000;

/** Asks the tools of the lab host for their versions. Those that are not there, or do not say, are left out. */
export async function toolVersions(lab: Lab): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {};
  for (const { tool, argv, line = /\d+\.\d+/ } of versions) {
    try {
      const { stdout, exitCode } = await lab.exec(argv, { timeoutMs: patienceMs });
      const text = stdout.split('\n').find((candidate) => line.test(candidate));
      if (exitCode === 0 && text !== undefined) found[tool] = text.trim();
    } catch (error) {
      if (!(error instanceof OutpostError)) throw error;
    }
  }
  return found;
}
