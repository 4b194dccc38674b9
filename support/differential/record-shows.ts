import { mkdirSync, writeFileSync } from 'node:fs';
import { findRealFrr, observeReal } from './real-network.ts';
import { showPlans } from './show-plans.ts';

// Records what real FRR prints in the networks of show-plans.ts: `node --import tsx support/differential/record-shows.ts [NAME…]`.
const frr = findRealFrr(process.env);
if (typeof frr === 'string') {
  process.stderr.write(`cannot record: ${frr}\n`);
  process.exit(1);
}
const folder = new URL('../testdata/differential/', import.meta.url);
mkdirSync(folder, { recursive: true });
const wanted = process.argv.slice(2);
for (const [name, plan] of Object.entries(showPlans)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const stages = (await observeReal(plan, frr)).map(({ stage, shows }) => ({ stage, shows }));
  writeFileSync(new URL(`${name}.json`, folder), `${JSON.stringify(stages, undefined, 1)}\n`);
}
