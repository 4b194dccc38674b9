import { Then } from '@cucumber/cucumber';
import type { OutpostWorld } from '../support/cucumber/world.ts';
import type { Family } from '../support/tools/addresses.ts';
import type { ObjectName } from '../support/tools/kubectl.ts';
import { observe } from '../support/verdict/compare.ts';

Then(
  'Hubble shows packets from deployment {object} to deployment {object} over {family} only within {duration}',
  async function (this: OutpostWorld, from: ObjectName, to: ObjectName, family: Family, budgetMs: number) {
    const look = `hubble observe --from-pod ${from.namespace}/${from.name} --to-pod ${to.namespace}/${to.name} --ip-translation=false`;
    await this.within(budgetMs, { expected: `forwarded packets over ${family} only`, look }, async () => {
      const sources = (await this.readers.kubectl.podsOf(from)).map(({ name }) => name);
      const seen = await this.readers.hubble.flows(from, to);
      if (!seen.isReachable) return { ok: false, saw: seen.reason };
      const packets = seen.flows.filter(
        ({ sourcePod, type, verdict }) => sources.includes(sourcePod) && type === 'L3_L4' && verdict === 'FORWARDED',
      );
      const strangers = packets.filter((packet) => packet.family !== family).length;
      if (packets.length === 0) return { ok: false, saw: `no forwarded packet from ${from.name} among ${seen.flows.length} flows` };
      return observe(strangers === 0 ? [] : [`${strangers} of ${packets.length} packets over the other family`], undefined);
    });
  },
);
