/** Before every test file. Laws (fast-check) look at the same cases in every run; other cases, and more of them, on request. */
import { configureGlobal } from 'fast-check';
import { Core } from './simulator/kubernetes/apiserver/core.ts';

Core.checksForm = true;
configureGlobal({
  seed: Number(process.env['OUTPOST_LAWS_SEED'] ?? 1),
  ...(process.env['OUTPOST_LAWS_RUNS'] === undefined ? {} : { numRuns: Number(process.env['OUTPOST_LAWS_RUNS']) }),
});
