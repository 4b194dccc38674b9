import { type DataTable, Given, Then, When } from '@cucumber/cucumber';
import { action } from '../support/cucumber/action.ts';
import type { OutpostWorld } from '../support/cucumber/world.ts';
import type { ObjectName } from '../support/tools/kubectl.ts';
import { run } from '../support/tools/run.ts';
import { missingRows, observe } from '../support/verdict/compare.ts';

When('{string} is applied', action, async function (this: OutpostWorld, file: string) {
  await this.readers.kubectl.apply(file);
});

When('label {string} is set on service {object}', action, async function (this: OutpostWorld, label: string, service: ObjectName) {
  await this.readers.kubectl.label('service', service, label);
});

When('node {string} is lost', action, async function (this: OutpostWorld, node: string) {
  await run(this.lab, { argv: ['docker', 'kill', node] });
});

Given('no {kind} exists', async function (this: OutpostWorld, kind: string) {
  const names = await this.readers.kubectl.names(kind.toLowerCase());
  const expectation = { expected: `no ${kind} yet`, look: `kubectl get ${kind.toLowerCase()}` };
  await this.within(0, expectation, async () =>
    observe(
      names.map((name) => `${name} exists`),
      undefined,
    ),
  );
});

Then('these nodes are Ready within {duration}:', async function (this: OutpostWorld, budgetMs: number, table: DataTable) {
  const wanted = table.hashes().map(({ node }) => ({ node: String(node), status: 'Ready' }));
  await this.within(budgetMs, { expected: `${wanted.length} nodes Ready`, look: 'kubectl get nodes' }, async () => {
    const nodes = await this.readers.kubectl.nodes();
    const seen = nodes.map(({ name, isReady }) => ({ node: name, status: isReady ? 'Ready' : 'NotReady' }));
    return observe(missingRows(wanted, seen, ['node']), undefined);
  });
});

Then(
  'node {string} has the label {string} within {duration}',
  async function (this: OutpostWorld, name: string, label: string, budgetMs: number) {
    const [key = '', value = ''] = label.split('=');
    const expectation = { expected: `node ${name} labelled ${label}`, look: `kubectl get node ${name} --show-labels` };
    await this.within(budgetMs, expectation, async () => {
      const node = (await this.readers.kubectl.nodes()).find((candidate) => candidate.name === name);
      if (node === undefined) return { ok: false, saw: `no node ${name}` };
      const seen = node.labels.get(key);
      return seen === value ? { ok: true, value: seen } : { ok: false, saw: seen === undefined ? `no label ${key}` : `${key}=${seen}` };
    });
  },
);
