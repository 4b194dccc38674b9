import { loadLab } from '../../content/lab.ts';
import type { Finding } from '../../live/doctor/facts.ts';
import type { Mend } from '../../live/doctor/mend.ts';
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
  let mends: readonly Mend[] = [];
  if (options.fix === true) {
    const { judgeMends, mendAll } = await import('../../live/doctor/mend.ts');
    const lock = async () =>
      await (await import('../../live/lab-lock.ts')).lockLab(new LabState(clusterName(definition)).lockFile, {
        what: 'outpost doctor --fix',
      });
    mends = await mendAll(findings, { run, isRoot: process.getuid?.() === 0, lock });
    if (mends.length > 0) ({ facts, findings } = await look());
    mends = judgeMends(mends, findings);
  }
  const isBroken = findings.some(({ severity }) => severity === 'broken');
  const mended = mends.filter(({ failure }) => failure === undefined).map(lineOf);
  const notMended = mends.filter(({ failure }) => failure !== undefined).map(lineOf);
  if (options.json === true) terminal.print(JSON.stringify({ lab: definition.name, findings, mended, notMended, facts }, null, 2));
  else {
    for (const mend of mends) terminal.tell(`${mend.failure === undefined ? 'mended' : 'not mended'}: ${lineOf(mend)}`);
    tell(terminal, definition.title, findings, mends.length > 0);
  }
  return isBroken ? 3 : 0;
}

const lineOf = ({ problem, command, failure }: Mend) => `${problem}: ${command}${failure === undefined ? '' : ` failed: ${failure}`}`;

function tell(terminal: Terminal, title: string, findings: readonly Finding[], hasTried: boolean): void {
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
      : `${findings.some(({ mend }) => mend !== undefined) && !hasTried ? 'outpost doctor --fix mends some of it.\n' : ''}${count(broken, 'thing', 'things')} that must be mended, ${count(risks, 'risk', 'risks')}`,
  );
}
