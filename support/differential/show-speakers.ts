import { comebackDifferences, differencesOf, reportOf, showDifferences } from './comparison.ts';
import { findRealGobgp } from './gobgp.ts';
import { findRealFrr, observeReal } from './real-network.ts';
import { observeSimulated } from './simulated-network.ts';
import { randomSpeakerPlan } from './speaker-plan.ts';

// Shows networks of nodes by their seeds: `npx tsx support/differential/show-speakers.ts SEED…`; with FRR and GoBGP here, where they differ.
const frr = findRealFrr(process.env);
const gobgp = findRealGobgp(process.env);
const seeds = process.argv.slice(2).map(Number);
await Promise.all(
  seeds.map(async (seed) => {
    const plan = randomSpeakerPlan(seed);
    const text = [
      ...plan.routers.flatMap(({ name, configuration, statics }) => [`# ${name}`, ...statics, ...configuration, '']),
      ...(plan.speakers ?? []).map((each) => `# ${JSON.stringify(each)}`),
      ...plan.links.map((ends) => `# ${ends.map(({ device, addresses }) => `${device} ${addresses.join(' ')}`).join(' — ')}`),
      ...plan.stages.map(
        ({ name, actions, settleSeconds }) =>
          `# ${name}: ${actions.map(({ machine, argv }) => `${machine}: ${argv.join(' ')}`).join('; ')}; ${settleSeconds} s`,
      ),
    ];
    const [shortest, longest] = [await observeSimulated(plan), await observeSimulated(plan, 'longest')];
    if (typeof frr !== 'string' && typeof gobgp !== 'string') {
      const real = await observeReal(plan, frr, gobgp);
      const differences = [
        ...differencesOf(real, shortest),
        ...showDifferences(real, shortest),
        ...comebackDifferences(real, shortest, longest),
      ];
      text.push(differences.length === 0 ? `seed ${seed}: the same` : reportOf(seed, differences, 'show-speakers.ts'));
    }
    process.stdout.write(`${seeds.length === 1 ? text.join('\n') : text.at(-1)}\n`);
  }),
);
