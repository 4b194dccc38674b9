#!/usr/bin/env node
// Starts the program from one bundle, which is made anew when a source has changed: hundreds of small TypeScript files
// would take longer to load than a whole lab to grade. OUTPOST_UNBUNDLED=1 runs the sources themselves.
import { openProgram } from './bundle.mjs';

const program = await openProgram(process.env.OUTPOST_UNBUNDLED !== undefined);
if (!program.isBundled) await import('../cucumber/register.mjs');
const { main } = await import(program.main);
process.exit(await main(process.argv.slice(2), program));
