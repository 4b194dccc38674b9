import { Then } from '@cucumber/cucumber';
import type { OutpostWorld } from '../support/cucumber/world.ts';

Then(
  'device {string} of node {string} has the address {string} within {duration}',
  async function (this: OutpostWorld, device: string, node: string, address: string, budgetMs: number) {
    const expectation = { expected: `${address} on ${device} of ${node}`, look: `docker exec ${node} ip address show ${device}` };
    await this.within(budgetMs, expectation, async () => {
      const addresses = await this.readers.ip.addresses(node, device);
      if (addresses === undefined) return { ok: false, saw: `no device ${device}` };
      return addresses.includes(address) ? { ok: true, value: address } : { ok: false, saw: addresses.join(' and ') || 'no address' };
    });
  },
);
