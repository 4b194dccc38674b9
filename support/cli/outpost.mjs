#!/usr/bin/env node
// Starts the program. OUTPOST_UNBUNDLED=1 runs its sources themselves, for stack traces with their lines.
import { openProgram } from './bundle.mjs';

const { main, place, end } = await openProgram(process.env.OUTPOST_UNBUNDLED !== undefined, process.argv[2]);
const exitCode = await main(process.argv.slice(2), place);
end();
process.exit(exitCode);
