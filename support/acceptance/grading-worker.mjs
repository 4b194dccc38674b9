// Runs the program's command lines one after the other, each given as a line of JSON on standard input, in one process: what costs most
// of a short run, loading and warming up, is paid once. Every answer is a line of JSON on the third descriptor.
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { openProgram } from '../cli/bundle.mjs';

const answers = 3;
const { main, place } = await openProgram(false, 'run');

for await (const line of createInterface({ input: process.stdin })) {
  const told = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) {
    process[name].write = (text, ...rest) => {
      told[name] += text;
      rest.find((argument) => typeof argument === 'function')?.();
      return true;
    };
  }
  const status = await main(JSON.parse(line), place);
  writeSync(answers, `${JSON.stringify({ status, ...told })}\n`);
}
