import { type DataTable, Given, Then } from '@cucumber/cucumber';
import type { OutpostWorld } from '../support/cucumber/world.ts';
import type { ObjectName, Service } from '../support/tools/kubectl.ts';
import { rangeDifferences } from '../support/tools/workloads.ts';
import { observe } from '../support/verdict/compare.ts';

const look = ({ namespace, name }: ObjectName) => `kubectl -n ${namespace} get service ${name} --show-labels`;
const lookAtConditions = ({ namespace, name }: ObjectName) =>
  `kubectl -n ${namespace} get service ${name} -o jsonpath='{.status.conditions}'`;
const ranges = (table: DataTable) => table.hashes().map(({ range = '' }) => range);

function absent({ namespace, name }: ObjectName): string {
  return `no service ${name} in namespace ${namespace}`;
}

Given('service {object} has no label {string}', async function (this: OutpostWorld, name: ObjectName, key: string) {
  await this.within(0, { expected: `no label ${key} on the service`, look: look(name) }, async () => {
    const service = await this.readers.kubectl.service(name);
    const value = service?.labels.get(key);
    return observe(service === undefined ? [absent(name)] : value === undefined ? [] : [`${key}=${value}`], undefined);
  });
});

Then(
  'service {object} of type LoadBalancer stays without an external address for {duration}',
  async function (this: OutpostWorld, name: ObjectName, durationMs: number) {
    await this.throughout(durationMs, { expected: 'a LoadBalancer service without external address', look: look(name) }, async () => {
      const service = await this.readers.kubectl.service(name);
      if (service === undefined) return { ok: false, saw: absent(name) };
      return observe([...(service.type === 'LoadBalancer' ? [] : [`type ${service.type}`]), ...service.externalAddresses], undefined);
    });
  },
);

Then(
  'service {object} has exactly one cluster address in each of these ranges within {duration}:',
  async function (this: OutpostWorld, name: ObjectName, budgetMs: number, table: DataTable) {
    const inRanges = (service: Service) => rangeDifferences(service.clusterAddresses, ranges(table));
    await this.within(budgetMs, { expected: 'one cluster address in each range', look: look(name) }, async () => {
      const service = await this.readers.kubectl.service(name);
      return observe(service === undefined ? [absent(name)] : inRanges(service), undefined);
    });
  },
);

Then(
  'service {object} has exactly one external address in each of these ranges within {duration}:',
  async function (this: OutpostWorld, name: ObjectName, budgetMs: number, table: DataTable) {
    await this.within(budgetMs, { expected: 'one external address in each range', look: lookAtConditions(name) }, async () => {
      const service = await this.readers.kubectl.service(name);
      if (service === undefined) return { ok: false, saw: absent(name) };
      const differences = rangeDifferences(service.externalAddresses, ranges(table));
      return observe(differences.length === 0 ? [] : [...differences, ...service.complaints], undefined);
    });
  },
);

Then(
  'pool {string} has no conflict and {count} free addresses within {duration}',
  async function (this: OutpostWorld, name: string, free: bigint, budgetMs: number) {
    const expectation = { expected: `pool ${name} with ${free} free addresses`, look: `kubectl get ciliumloadbalancerippools ${name}` };
    await this.within(budgetMs, expectation, async () => {
      const pool = await this.readers.kubectl.pool(name);
      if (pool === undefined) return { ok: false, saw: `no pool ${name}` };
      const differences = [];
      if (pool.isDisabled) differences.push('the pool is disabled');
      if (pool.conflict !== 'False') differences.push(`conflict ${pool.conflict ?? 'not yet judged'}`);
      if (pool.available !== String(free)) differences.push(`${pool.available ?? 'an unknown number of'} free addresses`);
      return observe(differences, undefined);
    });
  },
);

Then(
  'one node holds the L2 announcement lease of service {object} within {duration}',
  async function (this: OutpostWorld, service: ObjectName, budgetMs: number) {
    const lease = l2Lease(service);
    const expectation = { expected: 'a node that answers for the service', look: `kubectl -n ${lease.namespace} get lease ${lease.name}` };
    this.observation = await this.within(budgetMs, expectation, async () => {
      const holder = (await this.readers.kubectl.lease(lease))?.holder;
      if (holder === undefined) return { ok: false, saw: `no holder of lease ${lease.name}` };
      const nodes = (await this.readers.kubectl.nodes()).map(({ name }) => name);
      return nodes.includes(holder) ? { ok: true, value: holder } : { ok: false, saw: `${holder}, which is no node` };
    });
  },
);

Then(
  'the same node keeps the L2 announcement lease of service {object} for {duration}',
  async function (this: OutpostWorld, service: ObjectName, durationMs: number) {
    const lease = l2Lease(service);
    const expectation = {
      expected: `${this.observation} to keep the lease`,
      look: `kubectl -n ${lease.namespace} get lease ${lease.name}`,
    };
    await this.throughout(durationMs, expectation, async () => {
      const holder = (await this.readers.kubectl.lease(lease))?.holder;
      return holder === this.observation ? { ok: true, value: holder } : { ok: false, saw: holder ?? 'no holder' };
    });
  },
);

/** Cilium keeps one lease a service, in its own namespace (Cilium docs, L2 Announcements, "Leases"). */
function l2Lease({ namespace, name }: ObjectName): ObjectName {
  return { namespace: 'kube-system', name: `cilium-l2announce-${namespace}-${name}` };
}
