import { describe, expect, it } from 'vitest';
import type { ExecResult, Lab } from '../../port/lab.ts';
import { Evidence, recordingLab } from '../evidence.ts';
import { readOptions } from '../session.ts';

const ran = (startedAt: number, stdout: string, rest: Partial<ExecResult> = {}): ExecResult => ({
  argv: ['vtysh', '-c', 'show bgp'],
  container: 'r1',
  stdout,
  stderr: '',
  exitCode: 0,
  startedAt,
  durationMs: 0,
  ...rest,
});

describe('evidence of a step', () => {
  it('is the commands as they would be typed, and what they printed', () => {
    const evidence = new Evidence(1000);
    evidence.record(ran(1250, 'empty\n'));
    evidence.record(
      ran(3500, '', { argv: ['curl', 'http://[2001:db8::1]/'], container: undefined, stderr: 'curl: (28) late\n', exitCode: 28 }),
    );
    expect(evidence.drain()).toBe(
      "# at 0.250 s\n$ docker exec r1 vtysh -c 'show bgp'\nempty\n\n# at 2.500 s\n$ curl http://[2001:db8::1]/\ncurl: (28) late\n[exit status 28]\n",
    );
    expect(evidence.drain()).toBe('');
  });

  it('tells what was the same again and again once', () => {
    const evidence = new Evidence(0);
    for (const at of [0, 250, 500]) evidence.record(ran(at, 'empty\n'));
    evidence.record(ran(750, 'full\n'));
    expect(evidence.drain()).toBe(
      "# 3 times the same, from 0.000 s to 0.500 s\n$ docker exec r1 vtysh -c 'show bgp'\nempty\n\n# at 0.750 s\n$ docker exec r1 vtysh -c 'show bgp'\nfull\n",
    );
  });

  it('keeps the first and the last of what is always different', () => {
    const evidence = new Evidence(0);
    for (let index = 0; index < 20; index++) evidence.record(ran(index, `${index}\n`));
    const text = evidence.drain();
    expect(text).toContain("… 12 more times, with other output each: docker exec r1 vtysh -c 'show bgp'");
    expect(text.split('\n').filter((line) => /^\d+$/.test(line))).toEqual(['0', '1', '2', '3', '16', '17', '18', '19']);
  });

  it('comes from every command of a lab', async () => {
    const never = () => Promise.reject(new Error('not part of this test'));
    const lab: Lab = {
      driver: 'simulator',
      clock: { now: () => 0, sleep: async () => {} },
      exec: async (argv) => ran(0, 'host\n', { argv, container: undefined }),
      execIn: async (container, argv) => ran(0, 'inside\n', { argv, container }),
      up: never,
      down: never,
      reset: never,
      status: never,
    };
    const evidence = new Evidence(0);
    const recorded = recordingLab(lab, evidence);
    await recorded.exec(['ls']);
    await recorded.execIn('r1', ['ls']);
    expect(evidence.drain()).toBe('# at 0.000 s\n$ ls\nhost\n\n# at 0.000 s\n$ docker exec r1 ls\ninside\n');
  });
});

describe('the lab of plain cucumber-js', () => {
  it('is the clone on the driver that fits, unless somebody says otherwise', () => {
    expect(readOptions({}, {}, '/clone')).toEqual({ directory: '/clone', driver: 'auto', seed: 1 });
    expect(readOptions({ driver: 'live', seed: 7, lab: '/other' }, {}, '/clone')).toEqual({ directory: '/other', driver: 'live', seed: 7 });
    expect(readOptions({ seed: 7 }, { OUTPOST_SEED: '9', OUTPOST_DRIVER: 'simulator' }, '/clone')).toEqual({
      directory: '/clone',
      driver: 'simulator',
      seed: 9,
    });
  });

  it.each([
    [{ driver: 'vm' }, 'driver must be auto, live or simulator, not "vm"'],
    [{ seed: 'x' }, 'seed must be a whole number'],
  ])('is refused: %j', (parameters, message) => expect(() => readOptions(parameters, {}, '/clone')).toThrow(message));
});
