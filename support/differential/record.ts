import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import type { StageView } from './observation.ts';
import { planVersion, randomPlan } from './plan.ts';
import { findRealFrr, observeReal } from './real-network.ts';
import { fingerprint, packRecording, recordingFile } from './recording.ts';

// Records what real FRR does with the plans of the seeds 1 to N, and of some more: `node --import tsx support/differential/record.ts [N] [at a time]`.
const [count = 84, atOnce = 20] = process.argv.slice(2).map(Number);
const frr = findRealFrr(process.env);
if (typeof frr === 'string') {
  process.stderr.write(`cannot record: ${frr}\n`);
  process.exit(1);
}
const libraries = `${frr.root}/usr/lib/x86_64-linux-gnu:${frr.root}/usr/lib/x86_64-linux-gnu/frr`;
const said = execFileSync(`${frr.root}/usr/lib/frr/bgpd`, ['--version'], {
  env: { ...process.env, ...(frr.root === '' ? {} : { LD_LIBRARY_PATH: libraries }) },
  encoding: 'utf8',
});
const version = /version (\S+)/.exec(said)?.[1] ?? 'unknown';
const seeds: Record<string, { readonly plan: string; readonly views: readonly StageView[] }> = {};
/** Next hops below a summary, a link without carrier, a next hop inside its own prefix, as-override in sets, a hole or a gateway twice among next hops. */
const further = [2037, 2068, 2070, 3028, 3092, 3116, 3133];
const waiting = [...Array.from({ length: count }, (_, index) => index + 1), ...further];
async function work(found: { readonly root: string }): Promise<void> {
  for (let seed = waiting.shift(); seed !== undefined; seed = waiting.shift()) {
    const plan = randomPlan(seed);
    seeds[seed] = { plan: fingerprint(plan), views: await observeReal(plan, found) };
    process.stderr.write(`seed ${seed} recorded\n`);
  }
}
await Promise.all(Array.from({ length: Math.min(atOnce, waiting.length) }, () => work(frr)));
const inOrder = Object.fromEntries(Object.entries(seeds).sort(([a], [b]) => Number(a) - Number(b)));
const header = { frr: version, date: new Date().toISOString().slice(0, 10), planVersion };
mkdirSync(new URL('.', recordingFile), { recursive: true });
writeFileSync(recordingFile, packRecording({ header, seeds: inOrder }));
