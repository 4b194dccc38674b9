import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadLab } from '../content/lab.ts';
import type { ShellSession } from '../simulator/docker/types.ts';
import { SimulatedLab } from '../simulator/host/simulator.ts';
import { clone } from './broken-lab.ts';

// A law of the whole lab: when a fault is undone, the state is again what it was before. Reality's exceptions, kept out or undone by hand:
// - A container that is started anew has lost the links that containerlab gave it: `docker restart` of a node of the fabric is no fault that
//   `docker start` undoes. (A kind node on the Docker network alone comes back: testdata/sessions/faults/cluster.session.)
// - A link that goes down takes along the routes that somebody typed on its side, and its global IPv6 addresses; the far side keeps both.
// - An address that goes takes along the routes that prefer it.
// - A daemon of FRR that is started anew knows what is written in frr.conf, not what was only typed (`write memory` comes first here).
// - Pods that were made anew have other names and addresses, and those that moved do not move back; a lease stays with who took it over.
// - FRR 8.4.4 leaves a next hop that comes back with its link out of the kernel's multipath route until the route changes otherwise; the state
//   therefore has the destinations of BGP's kernel routes, and the next hops as bgpd has them.
// - Of two equal paths the router keeps the one it used (RFC 4271 leaves it open), so the best one of several may be another.

interface Fault {
  readonly name: string;
  readonly fault: string;
  readonly undo: string;
  /** Seconds that the fault lasts. */
  readonly lasts: number;
  /** The lab goes on as if nothing were: what is to be seen in the state while it lasts is nothing. */
  readonly isHarmless?: boolean;
}

const tor = 'docker exec clab-v4-tor';
const vtysh = (...lines: readonly string[]): string =>
  `${tor} vtysh -c "conf t" -c "router bgp 64512" ${lines.map((line) => `-c "${line}"`).join(' ')}`;

const faults: readonly Fault[] = [
  { name: "the router's end of a node's link", fault: `${tor} ip link set eth1 down`, undo: `${tor} ip link set eth1 up`, lasts: 20 },
  {
    name: "a node's end of its link, and the route that goes with it",
    fault: 'docker exec v4-worker ip link set eth1 down',
    undo: 'docker exec v4-worker ip link set eth1 up; docker exec v4-worker ip route add 10.64.0.0/12 via 10.64.2.1',
    lasts: 20,
  },
  {
    name: 'every packet to a node lost until its session is',
    fault: `${tor} tc qdisc add dev eth2 root netem loss 100%`,
    undo: `${tor} tc qdisc del dev eth2 root`,
    lasts: 120,
  },
  {
    name: 'packets late',
    fault: `${tor} tc qdisc add dev eth3 root netem delay 80ms`,
    undo: `${tor} tc qdisc del dev eth3 root`,
    lasts: 30,
    isHarmless: true,
  },
  { name: 'a paused router', fault: 'docker pause clab-v4-tor', undo: 'docker unpause clab-v4-tor', lasts: 120 },
  { name: 'a paused node', fault: 'docker pause v4-worker', undo: 'docker unpause v4-worker', lasts: 60 },
  {
    name: 'an agent that is deleted',
    fault: 'kubectl -n kube-system delete pod -l k8s-app=cilium --field-selector spec.nodeName=v4-worker --wait=false',
    undo: 'true',
    lasts: 0,
  },
  { name: 'sessions cleared', fault: `${tor} vtysh -c "clear bgp *"`, undo: 'true', lasts: 0 },
  { name: 'a neighbor shut down', fault: vtysh('neighbor 10.64.1.2 shutdown'), undo: vtysh('no neighbor 10.64.1.2 shutdown'), lasts: 10 },
  { name: 'bgpd killed', fault: `${tor} pkill -9 bgpd`, undo: 'true', lasts: 0 },
  {
    name: "the client's route",
    fault: 'docker exec clab-v4-client ip route del 10.64.0.0/12',
    undo: 'docker exec clab-v4-client ip route add 10.64.0.0/12 via 10.64.9.1',
    lasts: 5,
  },
  {
    name: "the router's address",
    fault: `${tor} ip addr del 10.64.9.1/24 dev eth3`,
    undo: `${tor} ip addr add 10.64.9.1/24 dev eth3`,
    lasts: 5,
  },
  { name: 'no forwarding', fault: `${tor} sysctl -w net.ipv4.ip_forward=0`, undo: `${tor} sysctl -w net.ipv4.ip_forward=1`, lasts: 5 },
  {
    name: 'a rule that drops',
    fault: `${tor} iptables -I FORWARD -i eth3 -j DROP`,
    undo: `${tor} iptables -D FORWARD -i eth3 -j DROP`,
    lasts: 5,
  },
  { name: 'a cordoned node', fault: 'kubectl cordon v4-worker', undo: 'kubectl uncordon v4-worker', lasts: 5 },
  {
    name: 'the label that announces',
    fault: 'kubectl label svc hello announced-',
    undo: 'kubectl label svc hello announced=bgp',
    lasts: 5,
  },
  { name: 'no pods', fault: 'kubectl scale deploy hello --replicas=0', undo: 'kubectl scale deploy hello --replicas=2', lasts: 20 },
  {
    name: 'a disabled pool',
    fault: 'kubectl patch ippools pool --type=merge -p \'{"spec":{"disabled":true}}\'',
    undo: 'kubectl patch ippools pool --type=merge -p \'{"spec":{"disabled":false}}\'',
    lasts: 5,
    isHarmless: true,
  },
  { name: 'a service deleted', fault: 'kubectl delete svc hello', undo: 'kubectl apply -f hello.yaml', lasts: 5 },
  { name: 'BGP taken off a node', fault: 'kubectl delete ciliumbgpclusterconfig worker', undo: 'kubectl apply -f bgp.yaml', lasts: 5 },
];

/** Everything that a fault could leave behind, without names of pods, ages, counters and whatever of equals was chosen. */
const look = [
  'for c in clab-v4-tor v4-control-plane v4-worker clab-v4-client; do echo "== $c"; docker exec $c ip route | grep -v nexthop | sed "s/ nhid [0-9]*//; s/ via .* proto bgp/ proto bgp/" | sort; docker exec $c ip -4 -br addr | sed "s/@if[0-9]*//; s/ *$//" | grep -v cilium_host; docker exec $c iptables -S 2>/dev/null; done',
  `${tor} ip rule; ${tor} tc qdisc show dev eth1; ${tor} tc qdisc show dev eth3`,
  `${tor} vtysh -c "show bgp ipv4 json" | jq -c '.routes | to_entries[] | [.key, ([.value[] | .nexthops[0].ip + " " + .path] | sort)]'`,
  `${tor} vtysh -c "show bgp summary json" | jq -c '.ipv4Unicast.peers | to_entries[] | [.key, .value.state, .value.pfxRcd, .value.pfxSnt]'`,
  "cilium bgp peers | awk '{print $1, $2, $3, $4, $5, $(NF-1), $NF}'",
  'kubectl get nodes --no-headers | sed "s/ [0-9a-z]* *v[0-9.]*$//"; kubectl get nodes -o jsonpath="{.items[*].spec.taints}"; echo',
  'kubectl get deploy,ds -A --no-headers | sed "s/ [0-9smh]*$//"; kubectl get pods -A --no-headers | awk \'{print $1, $3, $4}\' | sort | uniq -c',
  'kubectl get svc hello -o jsonpath="{.metadata.labels} {.spec.type} {.status.loadBalancer.ingress[*].ip}"; echo; kubectl get ippools --no-headers | sed "s/ [0-9smh]*$//"',
  'kubectl get endpointslices -l kubernetes.io/service-name=hello -o jsonpath=\'{range .items[*].endpoints[*]}{.conditions.ready}{"\\n"}{end}\'',
  "kubectl get ciliumbgpnodeconfigs --no-headers | awk '{print $1}'; kubectl -n kube-system get lease -o name",
  'for i in 1 2 3 4; do docker exec clab-v4-client curl -s -o /dev/null -w "%{http_code} " --max-time 2 http://10.67.0.0/; done; echo',
].join('\n');

async function stateOf(terminal: ShellSession): Promise<string> {
  const { stdout, stderr } = await terminal.run(look);
  return stdout + stderr;
}

const quick = faults.filter(({ lasts }) => lasts === 5);

/** GoBGP dials again after up to two minutes, watchfrr looks after one. */
const healsMs = 200_000;

describe('a fault that is undone', () => {
  let lab: SimulatedLab;
  let terminal: ShellSession;
  let before = '';

  beforeAll(async () => {
    lab = new SimulatedLab(loadLab(join(clone, 'examples/ipv4-only')), 1);
    await lab.up();
    terminal = lab.openShell();
    await terminal.run(`kubectl apply -f hello.yaml; ${tor} vtysh -c "write memory"`);
    await lab.clock.sleep(60_000);
    before = await stateOf(terminal);
  }, 60_000);

  async function type(script: string): Promise<void> {
    const { stdout, stderr } = await terminal.run(script);
    expect(stderr).toBe('');
    expect(stdout).not.toMatch(/OCI runtime|not simulated|[Ee]rror/);
  }

  it('begins with all that there is to lose', () => {
    expect(before).toContain('["10.65.1.0/24",["10.64.2.2 64602"]]');
    expect(before).toContain('["10.64.1.2","Established",2,');
    expect(before).toContain('200 200 200 200');
    expect(before).not.toMatch(/error|Error|not simulated/);
  });

  it.each(faults.filter(({ lasts }) => lasts > 5 || lasts === 0))(
    'leaves nothing behind: $name',
    async ({ fault, undo, lasts, isHarmless }) => {
      await type(fault);
      await lab.clock.sleep(lasts * 1000);
      if (lasts > 0 && isHarmless !== true) expect(await stateOf(terminal)).not.toBe(before);
      await type(undo);
      await lab.clock.sleep(healsMs);
      expect(await stateOf(terminal)).toBe(before);
    },
  );

  // The quick ones, three at a time: the first is undone while the others last.
  const [shuffled = []] = fc.sample(fc.shuffledSubarray([...quick], { minLength: quick.length }), { seed: 7, numRuns: 1 });
  const groups = Array.from({ length: Math.ceil(shuffled.length / 3) }, (_, index) => shuffled.slice(3 * index, 3 * index + 3));
  it.each(groups.map((group) => ({ group, names: group.map(({ name }) => name).join(', ') })))(
    'leaves nothing behind when faults overlap: $names',
    async ({ group }) => {
      for (const { fault } of group) await type(fault);
      await lab.clock.sleep(5000);
      if (group.some(({ isHarmless }) => isHarmless !== true)) expect(await stateOf(terminal)).not.toBe(before);
      for (const { undo } of group) await type(undo);
      await lab.clock.sleep(healsMs);
      expect(await stateOf(terminal)).toBe(before);
    },
  );
});
