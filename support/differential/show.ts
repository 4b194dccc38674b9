import { differencesOf, reportOf } from './comparison.ts';
import { randomPlan } from './plan.ts';
import { findRealFrr, observeReal } from './real-network.ts';
import { readRecording } from './recording.ts';
import { observeSimulated } from './simulated-network.ts';

// Shows one seed: its routers' configurations, and where real and simulated differ. Without FRR the recording stands for the real ones.
const seed = Number(process.argv[2]);
const plan = randomPlan(seed);
for (const { name, configuration, statics } of plan.routers)
  process.stdout.write(`# ${name}\n${[...statics, ...configuration].join('\n')}\n\n`);
for (const [one, other] of plan.links)
  process.stdout.write(
    `# ${[one, other].map(({ machine, device, addresses }) => `${machine} ${device} ${addresses.join(' ')}`).join(' — ')}\n`,
  );
for (const { name, actions } of plan.stages)
  process.stdout.write(`# ${name}: ${actions.map(({ machine, argv }) => `${machine}: ${argv.join(' ')}`).join('; ')}\n`);
const frr = findRealFrr(process.env);
const real = typeof frr === 'string' ? readRecording().seeds[seed]?.views : await observeReal(plan, frr);
if (real === undefined) process.stdout.write(`\nnot recorded, and no real routers here: ${frr}\n`);
else {
  const differences = differencesOf(real, await observeSimulated(plan));
  process.stdout.write(differences.length === 0 ? `\nseed ${seed}: the same\n` : `\n${reportOf(seed, differences)}\n`);
}
