import { loadLab } from '../../content/lab.ts';
import type { Finding } from '../../live/doctor/facts.ts';
import { openTerminal, type Terminal } from '../terminal.ts';

export interface DoctorOptions {
  readonly lab: string;
  readonly json?: boolean;
  readonly fix?: boolean;
}

/** `outpost doctor`: what of this machine would break a live lab. @returns 0 when nothing would, 3 otherwise */
export async function doctor(options: DoctorOptions): Promise<number> {
  const definition = loadLab(options.lab);
  const [{ gatherFacts }, { evaluate }, { clusterName, hostRunner }, { LabState }, { stopOnSignals }] = await Promise.all([
    import('../../live/doctor/probes.ts'),
    import('../../live/doctor/evaluate.ts'),
    import('../../live/live-context.ts'),
    import('../../live/lab-state.ts'),
    import('../../live/running.ts'),
  ]);
  stopOnSignals();
  const terminal = openTerminal(options.json === true);
  const run = hostRunner(definition.directory);
  const look = async () => {
    const record = new LabState(clusterName(definition)).read();
    const facts = await gatherFacts({ definition, env: process.env, run, record, isCheap: false });
    return { facts, findings: evaluate(facts) };
  };
  let { facts, findings } = await look();
  const mended: string[] = [];
  if (options.fix === true) {
    for (const { mend, problem } of findings) {
      for (const argv of mend ?? []) {
        const words = process.getuid?.() === 0 ? argv.filter((word, index) => !(index < 2 && (word === 'sudo' || word === '-n'))) : argv;
        const { exitCode, stderr } = await run(words, { timeoutMs: 60_000 });
        mended.push(`${problem}: ${words.join(' ')}${exitCode === 0 ? '' : ` failed: ${stderr.trim()}`}`);
      }
    }
    if (mended.length > 0) ({ facts, findings } = await look());
  }
  const isBroken = findings.some(({ severity }) => severity === 'broken');
  if (options.json === true) terminal.print(JSON.stringify({ lab: definition.name, findings, mended, facts }, null, 2));
  else tell(terminal, definition.title, findings, mended);
  return isBroken ? 3 : 0;
}

function tell(terminal: Terminal, title: string, findings: readonly Finding[], mended: readonly string[]): void {
  for (const line of mended) terminal.tell(`mended: ${line}`);
  for (const { severity, problem, evidence, fix, code } of findings) {
    const mark = severity === 'broken' ? terminal.paint('red', '✘') : terminal.paint('yellow', '!');
    terminal.tell(`${mark} ${problem}  ${terminal.paint('grey', code)}\n    seen: ${evidence}\n    mend: ${fix}`);
  }
  const broken = findings.filter(({ severity }) => severity === 'broken').length;
  const risks = findings.length - broken;
  const count = (number: number, one: string, many: string) => `${number} ${number === 1 ? one : many}`;
  terminal.tell(
    findings.length === 0
      ? `nothing found that would break ${title}`
      : `${findings.some(({ mend }) => mend !== undefined) && mended.length === 0 ? 'outpost doctor --fix mends some of it.\n' : ''}${count(broken, 'thing', 'things')} that must be mended, ${count(risks, 'risk', 'risks')}`,
  );
}
