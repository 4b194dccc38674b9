import { writeFileSync } from 'node:fs';
import { findRealGobgp } from './gobgp.ts';
import { findRealFrr, observeReal } from './real-network.ts';
import { fingerprint, packRecording, type Recording, readRecording, speakerRecordingFile } from './recording.ts';
import { randomSpeakerPlan, speakerPlanVersion } from './speaker-plan.ts';

// Records what real FRR and GoBGP do with the networks of these seeds: `node --import tsx support/differential/record-speakers.ts [SEED…]`.
// Without arguments those that between them have every kind of trouble and are simulated quickly.
const given = process.argv.slice(2).map(Number);
const wanted = given.length > 0 ? given : [2, 3, 4, 5, 7, 8, 9, 10, 12, 13, 14, 16];
const frr = findRealFrr(process.env);
const gobgp = findRealGobgp(process.env);
if (typeof frr === 'string' || typeof gobgp === 'string') {
  process.stderr.write(`cannot record: ${typeof frr === 'string' ? frr : gobgp}\n`);
  process.exit(1);
}
const seeds: Record<string, Recording['seeds'][string]> = {};
await Promise.all(
  wanted.map(async (seed) => {
    const plan = randomSpeakerPlan(seed);
    seeds[plan.seed] = { plan: fingerprint(plan), views: await observeReal(plan, frr, gobgp) };
  }),
);
const header = { frr: readRecording().header.frr, date: new Date().toISOString().slice(0, 10), planVersion: speakerPlanVersion };
writeFileSync(speakerRecordingFile, packRecording({ header, seeds }));
