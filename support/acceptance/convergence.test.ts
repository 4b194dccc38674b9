import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadLab } from '../content/lab.ts';
import { SimulatedLab } from '../simulator/host/simulator.ts';
import { clone } from './broken-lab.ts';

// Laws that hold for every lab: what the manifests say decides the state that it comes to rest in, not the order or the number
// of their applications. Reality's exceptions, kept out of these sets: services that ask for the same address, or more services
// than a pool has addresses (who came first has it); pools that overlap (the older one stays); two nodes that stand for the
// same lease (who asked first holds it); a namespaced object whose namespace does not exist yet is refused.

/** What a learner applies in the reference lab, and what their commands change. The namespace comes first, with the application. */
const application = 'kubectl apply -f batuu.yaml';
const steps = [
  'kubectl apply -f lb-pool.yaml',
  'kubectl apply -f layer2-policy.yaml',
  'kubectl apply -f egress-gw-policy.yaml',
  'kubectl apply -f bgp-peering-policies.yaml',
  'kubectl -n batuu label --overwrite svc deathstar announced=bgp',
  'kubectl -n batuu scale deployment deathstar --replicas=3',
] as const;

/** Everything of the lab at rest that a specification decides: not names, ages, counters, ports or who of equals won. */
const state = [
  "kubectl get svc -A -o custom-columns='NS:.metadata.namespace,NAME:.metadata.name,IPS:.status.loadBalancer.ingress[*].ip,WHY:.status.conditions[*].reason'",
  "kubectl get ippools -o custom-columns='NAME:.metadata.name,STATE:.status.conditions[*].status,COUNTS:.status.conditions[*].message'",
  'kubectl get deploy,ds -A --no-headers | sed "s/ [0-9smh]*$//"',
  'kubectl -n kube-system get lease -o name',
  "cilium bgp peers | awk '{print $1, $2, $3, $4, $5}' | grep established",
  'docker exec clab-bgp-cplane-dev-dual-router0 vtysh -c "show bgp ipv4" | grep -o "1[07][0-9.]*/[0-9]*" | sort -u',
  'docker exec clab-bgp-cplane-dev-dual-router0 ip route | sed "s/ nhid [0-9]*//" | sort',
  "kubectl -n kube-system exec ds/cilium -c cilium-agent -- cilium-dbg bpf egress list | awk 'NR>1{print $2, $NF}' | sort -u",
  'curl -s -o /dev/null -w "%{http_code}\\n" --max-time 3 http://172.18.255.200/v1/',
  'docker exec clab-bgp-cplane-dev-dual-srv-client curl -s -o /dev/null -w "%{http_code}\\n" --max-time 3 "http://[2001:db8:dead:beef::]/v1/"',
  'kubectl -n batuu exec deploy/tiefighter -- curl -s --max-time 3 http://10.0.4.2:8000/ | cut -c1-14',
].join('\n');

const definition = loadLab(clone);

async function restAfter(script: readonly string[], seed = 1): Promise<{ readonly said: string; readonly state: string }> {
  const lab = new SimulatedLab(definition, seed);
  await lab.up();
  const terminal = lab.openShell();
  let said = '';
  for (const command of script) {
    const result = await terminal.run(command);
    if (result.exitCode !== 0) throw new Error(`${command}: ${result.stderr}`);
    said += result.stdout;
  }
  await lab.clock.sleep(150_000);
  return { said, state: (await terminal.run(state)).stdout };
}

describe('a lab at rest', () => {
  it('shows all that was asked for', async () => {
    expect((await restAfter([application, ...steps])).state).toMatchSnapshot();
  });

  it('does not depend on the order in which its manifests were applied', async () => {
    const reference = (await restAfter([application, ...steps])).state;
    await fc.assert(
      fc.asyncProperty(
        fc.shuffledSubarray([...steps], { minLength: steps.length }),
        fc.array(fc.nat({ max: 20 }), { minLength: steps.length, maxLength: steps.length }),
        async (order, pauses) => {
          const script = order.map((step, index) => `sleep ${pauses[index]}; ${step}`);
          expect((await restAfter([application, ...script])).state).toBe(reference);
        },
      ),
      { numRuns: 5, seed: 20_260_112 },
    );
  });

  it('does not change when everything is applied again', async () => {
    const once = await restAfter([application, ...steps]);
    // The first word of the application would set the replicas back: `apply` owns the field.
    const twice = await restAfter([application, ...steps, ...steps, ...steps]);
    expect(twice.state).toBe(once.state);
  });

  it('comes back to what it was when everything is taken away and given again', async () => {
    const once = await restAfter([application, ...steps]);
    const again = await restAfter([
      application,
      ...steps,
      'kubectl delete -f egress-gw-policy.yaml -f layer2-policy.yaml -f lb-pool.yaml -f bgp-peering-policies.yaml -f batuu.yaml',
      'sleep 60',
      application,
      ...steps,
    ]);
    expect(again.state).toBe(once.state);
  });

  it('is the same to the byte for the same seed', async () => {
    const script = [application, ...steps, 'sleep 30; kubectl get all -A -o wide; hubble observe --last 200'];
    expect(await restAfter(script, 7)).toEqual(await restAfter(script, 7));
  });
});
