import { type DataTable, Then } from '@cucumber/cucumber';
import type { OutpostWorld } from '../support/cucumber/world.ts';
import { missingRows, observe } from '../support/verdict/compare.ts';

const look = 'cilium status';

Then('Cilium reports these components within {duration}:', async function (this: OutpostWorld, budgetMs: number, table: DataTable) {
  const wanted = table.hashes();
  await this.within(budgetMs, { expected: 'the components of Cilium in the listed states', look }, async () => {
    const { components, problems } = await this.readers.cilium.status();
    const seen = [...components].map(([component, state]) => ({ component, state }));
    const differences = missingRows(wanted, seen, ['component']);
    return observe(differences.length === 0 ? [] : [...differences, ...problems], undefined);
  });
});

Then('every workload of Cilium has all its pods ready within {duration}', async function (this: OutpostWorld, budgetMs: number) {
  await this.within(budgetMs, { expected: 'every workload of Cilium ready', look }, async () => {
    const { workloads } = await this.readers.cilium.status();
    if (workloads.length === 0) return { ok: false, saw: 'no workload of Cilium' };
    const late = workloads.filter(({ desired, ready }) => ready < desired || desired === 0);
    return observe(
      late.map(({ kind, name, desired, ready }) => `${kind} ${name}: ${ready} of ${desired} ready`),
      undefined,
    );
  });
});

Then('every pod of the cluster is managed by Cilium within {duration}', async function (this: OutpostWorld, budgetMs: number) {
  await this.within(budgetMs, { expected: 'every pod managed by Cilium', look }, async () => {
    const { managedPods } = await this.readers.cilium.status();
    if (managedPods === undefined) return { ok: false, saw: 'no count of managed pods' };
    const { managed, all } = managedPods;
    return observe(managed === all && all > 0 ? [] : [`${managed} of ${all} managed`], undefined);
  });
});

Then(
  'Cilium is configured with these settings within {duration}:',
  async function (this: OutpostWorld, budgetMs: number, table: DataTable) {
    const wanted = table.hashes();
    await this.within(budgetMs, { expected: 'the listed settings of Cilium', look: 'cilium config view' }, async () => {
      const settings = await this.readers.cilium.config();
      const seen = [...settings].map(([setting, value]) => ({ setting, value }));
      return observe(missingRows(wanted, seen, ['setting']), undefined);
    });
  },
);
