import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { createTestbed, type Testbed } from './testbed.ts';

interface Case {
  readonly shell: string;
  readonly script: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

const { recorded, cases } = JSON.parse(readFileSync(new URL('../../testdata/sessions/shell/signals.json', import.meta.url), 'utf8')) as {
  readonly recorded: string;
  readonly cases: readonly Case[];
};

/** Of the lines that a shell prints only those on its children have their number here; ids of processes differ. */
function comparable(text: string): string {
  return text.replace(/^(bash: line \d+:) +\d+ (?=[A-Z])/gm, '$1 PID ').replace(/^bash: line \d+: (?!PID)/gm, 'bash: ');
}

describe(`signals to shells, as recorded from ${recorded}`, () => {
  let testbed: Testbed;
  beforeAll(() => {
    testbed = createTestbed();
    testbed.engine
      .createContainer({ name: 'box', image: 'nicolaka/netshoot', command: ['sleep', 'infinity'], networkMode: 'none' })
      .start();
  });

  it.each(cases)('$shell: $script', async ({ shell, script, stdout, stderr, exitCode }) => {
    const result = await testbed.exec('box', [shell, '-c', script]);
    expect({ ...result, stderr: comparable(result.stderr) }).toEqual({ stdout, stderr: comparable(stderr), exitCode });
  });
});

describe('a shell as a process', () => {
  it('is in the table while it runs, with its parent, and not afterwards', async () => {
    const testbed = createTestbed();
    const box = testbed.engine.createContainer({
      name: 'box',
      image: 'nicolaka/netshoot',
      command: ['sleep', 'infinity'],
      networkMode: 'none',
    });
    box.start();
    const script = 'ps -ef | awk \'{print $2, $3, $8, $9}\' | tail -n +2; bash -c "pgrep -f pgrep; true"; echo $$ $PPID';
    expect((await testbed.exec('box', ['bash', '-c', script])).stdout).toBe('1 0 sleep infinity\n7 0 bash -c\n7\n9\n7 0\n');
    expect((await testbed.exec('box', ['sh', '-c', 'pkill -f "sleep 1"; echo no'])).exitCode).toBe(143);
    expect((await testbed.exec('box', ['ps', '-ef'])).stdout.split('\n').length).toBe(3);
  });

  it('stays the same at a terminal, where SIGTERM is not heard, and traps last', async () => {
    const testbed = createTestbed();
    const first = (await testbed.type('echo $$; kill $$; echo on')).stdout;
    expect(first).toMatch(/^\d+\non\n$/);
    await testbed.type("trap 'echo caught' USR1");
    expect((await testbed.type('kill -USR1 $$; echo $$')).stdout).toBe(`caught\n${first.split('\n')[0]}\n`);
    expect((await testbed.type('true & kill $!')).stderr).toMatch(/^bash: not simulated: .*\nbash: kill: \(\d+\) - No such process\n$/);
    expect((await testbed.type('(kill -9 $BASHPID; echo no); echo $?')).stdout).toBe('137\n');
    expect(await testbed.type('kill -9 $$; echo no')).toEqual({ stdout: '', stderr: '', exitCode: 137 });
    expect(await testbed.type("bash -c 'kill -9 $$'; echo $?")).toEqual({ stdout: '137\n', stderr: 'Killed\n', exitCode: 0 });
  });
});
