import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';

interface Entry {
  readonly n: number;
  readonly command: string;
  readonly output: string | null;
  readonly exit: number;
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const entries = JSON.parse(readFileSync(`${root}/support/testdata/transcript/discovery-lab.json`, 'utf8')) as Entry[];

/** Listings of live traffic: the shapes of lines must agree, not their number or order. */
const traffic = new Set([13, 14]);

describe('the recorded commands of the reference lab, typed in one session of outpost shell', () => {
  const printed = new Map<number, string>();
  const status = new Map<number, number>();
  let complaints = '';

  beforeAll(() => {
    const script = entries.map(({ n, command }) => `${command}\necho "@@ ${n} $?"`).join('\n');
    const run = spawnSync(process.execPath, [`${root}/support/cli/outpost.mjs`, 'shell', '--lab', root, '-c', script], {
      encoding: 'utf8',
    });
    complaints = run.stderr;
    let lines: string[] = [];
    for (const line of run.stdout.split('\n')) {
      const marker = /^(?<before>.*)@@ (?<n>\d+) (?<status>\d+)$/.exec(line)?.groups;
      if (marker === undefined) {
        lines.push(line);
        continue;
      }
      if (marker['before'] !== '') lines.push(marker['before'] ?? '');
      printed.set(Number(marker['n']), lines.join('\n'));
      status.set(Number(marker['n']), Number(marker['status']));
      lines = [];
    }
  }, 60_000);

  it('runs all of them, and nothing is complained about', () => {
    expect([...status.keys()]).toEqual(entries.map(({ n }) => n));
    expect(complaints).toBe('');
  });

  it.each(entries.map((entry) => ({ name: `${entry.n}: ${entry.command.split('\n')[0]}`, ...entry })))(
    '$name ends as recorded',
    ({ n, exit }) => {
      expect(status.get(n)).toBe(exit);
    },
  );

  it.each(
    entries
      .filter(({ n, output }) => output !== null && !traffic.has(n))
      .map((entry) => ({ name: `${entry.n}: ${entry.command.split('\n')[0]}`, ...entry })),
  )('$name prints as recorded', ({ n, output }) => {
    expect(masked(printed.get(n) ?? '')).toBe(masked(output ?? ''));
  });

  it.each(entries.filter(({ n }) => traffic.has(n)).map(({ n, output }) => ({ n, output })))(
    '$n shows traffic in lines of the recorded shapes',
    ({ n, output }) => {
      const shapes = (text: string) =>
        new Set(
          text
            .split('\n')
            .filter((line) => line !== '' && !line.includes('nodes are unavailable'))
            .map(shape),
        );
      const seen = shapes(printed.get(n) ?? '');
      for (const recorded of shapes(output ?? '')) expect([...seen]).toContain(recorded);
      // The recorded relay had lost two nodes; with all of them connected the sender's side is seen as well.
      const grammar =
        /^<time>: (<ip4>|\[<ip6>\]|<ip6>)(:<port>)? \((ID:<id>|[a-z-]+)\) (->|<-|<>) (<ip4>|\[<ip6>\]|<ip6>)(:<port>)? \((ID:<id>|[a-z-]+)\) [a-z-]+ (FORWARDED|TRACED|TRANSLATED) \((TCP|TCP Flags: [A-Z, ]+)\)$/;
      for (const line of seen) expect(line).toMatch(grammar);
    },
  );

  it('asks about one address family where one ship is named', () => {
    expect(printed.get(14)).not.toContain('[fd');
    expect(printed.get(13)).toContain('[fd');
  });
});

/** Hides what differs between any two real runs, and column padding, which follows from it. */
function masked(text: string): string {
  return text
    .split('\n')
    .map((line) =>
      line
        .replace(/\b(deathstar|tiefighter|tiefighter-4|xwing)-[a-z0-9]{8,10}-[a-z0-9]{5}\b/g, '$1-<suffix>')
        .replace(/\b10\.1\.\d+\.\d+\b(?!\/)/g, '10.1.<node>.<host>')
        .replace(/\bfd00:10:1(:\d)?::[0-9a-f]+\b/g, 'fd00:10:1:<node>::<host>')
        .replace(/\b10\.2\.\d+\.\d+\b/g, '<cluster-ip>')
        .replace(/\b80:3\d{4}\/TCP/g, '80:<node-port>/TCP')
        .replace(/\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b(?= brd)/g, '<mac>')
        .replace(/(?<=\s)(\d+h)?(\d+m)?(\d+s)?(?=\s|$)/g, (age) => (age === '' ? '' : '<age>'))
        .replace(/ +/g, ' ')
        .trimEnd(),
    )
    .join('\n')
    .trim();
}

function shape(line: string): string {
  return line
    .replace(/^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d\.\d{3}/, '<time>')
    .replace(/\[[0-9a-f:]+\]:\d+/g, '[<ip6>]:<port>')
    .replace(/\b\d+\.\d+\.\d+\.\d+:\d+/g, '<ip4>:<port>')
    .replace(/\b\d+\.\d+\.\d+\.\d+/g, '<ip4>')
    .replace(/\b[0-9a-f]+:[0-9a-f:]*::[0-9a-f]*/g, '<ip6>')
    .replace(/ID:\d+/g, 'ID:<id>');
}
