import { type DataTable, Then } from '@cucumber/cucumber';
import type { OutpostWorld } from '../support/cucumber/world.ts';
import { addressDifferences, rolloutDifference } from '../support/tools/workloads.ts';
import { observe } from '../support/verdict/compare.ts';

Then(
  'these deployments in namespace {string} are rolled out within {duration}:',
  async function (this: OutpostWorld, namespace: string, budgetMs: number, table: DataTable) {
    const expectation = { expected: 'every replica of the deployments ready', look: `kubectl -n ${namespace} get deployments,pods` };
    await this.within(budgetMs, expectation, async () => {
      const differences = [];
      for (const { deployment = '' } of table.hashes()) {
        differences.push(...rolloutDifference(deployment, await this.readers.kubectl.deployment({ namespace, name: deployment })));
      }
      return observe(differences, undefined);
    });
  },
);

Then(
  'every pod of these deployments has an address of each family in the pod CIDRs of its node within {duration}:',
  async function (this: OutpostWorld, budgetMs: number, table: DataTable) {
    const expectation = { expected: 'an IPv4 and an IPv6 address from its node in every pod', look: 'kubectl get pods -A -o wide' };
    await this.within(budgetMs, expectation, async () => {
      const nodes = await this.readers.kubectl.ciliumNodes();
      const differences = [];
      for (const { deployment = '' } of table.hashes()) {
        const [namespace = '', name = ''] = deployment.split('/');
        const pods = await this.readers.kubectl.podsOf({ namespace, name });
        differences.push(...(pods.length === 0 ? [`${deployment} has no pod`] : addressDifferences(pods, nodes)));
      }
      return observe(differences, undefined);
    });
  },
);
