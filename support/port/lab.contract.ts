import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EnvironmentError } from '../verdict/errors.ts';
import type { Lab } from './lab.ts';

/** What the suite needs of the lab that it is given: a running container, and one that does not exist. */
export interface LabUnderTest {
  readonly lab: Lab;
  /** A running container with a shell and `cat`. */
  readonly container: string;
}

/** A promise of the port that a driver does not keep, and why. */
export interface Gap {
  readonly test: string;
  readonly reason: string;
}

/** What every driver of the port promises alike. Each driver's own tests run this suite. */
export function labContract(name: string, makeLab: () => Promise<LabUnderTest>, notSupported: readonly Gap[] = []): void {
  describe(`${name} as a lab`, () => {
    let lab: Lab;
    let container = '';
    beforeAll(async () => {
      ({ lab, container } = await makeLab());
    }, 120_000);
    afterAll(() => {
      for (const { test } of notSupported) expect(tests.map(([title]) => title)).toContain(test);
    });

    const tests: [string, () => Promise<void>][] = [
      [
        'tells apart what a program printed, and how it ended',
        async () => {
          const result = await lab.execIn(container, ['sh', '-c', 'echo out; echo err >&2; exit 3']);
          expect(result).toMatchObject({ container, stdout: 'out\n', stderr: 'err\n', exitCode: 3 });
          expect(result.argv).toEqual(['sh', '-c', 'echo out; echo err >&2; exit 3']);
        },
      ],
      [
        'takes every word as it is: no shell reads them',
        async () => void expect((await lab.execIn(container, ['echo', '$HOME', '*', 'a  b'])).stdout).toBe('$HOME * a  b\n'),
      ],
      [
        'passes standard input',
        async () => void expect((await lab.execIn(container, ['cat'], { stdin: 'one\ntwo' })).stdout).toBe('one\ntwo'),
      ],
      [
        'passes variables',
        async () =>
          void expect((await lab.execIn(container, ['sh', '-c', 'echo $GREETING'], { env: { GREETING: 'hello' } })).stdout).toBe('hello\n'),
      ],
      [
        'says 127 for a program that is not there',
        async () => void expect((await lab.execIn(container, ['no-such-program'])).exitCode).toBe(127),
      ],
      [
        'has no verdict on a container that is not there',
        async () => void (await expect(lab.execIn('no-such-container', ['true'])).rejects.toBeInstanceOf(EnvironmentError)),
      ],
      [
        'runs programs on the lab host',
        async () => {
          const result = await lab.exec(['echo', 'a  b']);
          expect(result).toMatchObject({ container: undefined, stdout: 'a  b\n', stderr: '', exitCode: 0 });
        },
      ],
      [
        'gives up on a program that takes too long',
        async () =>
          void (await expect(lab.execIn(container, ['sleep', '5'], { timeoutMs: 1000 })).rejects.toBeInstanceOf(EnvironmentError)),
      ],
      [
        'has a clock that sleep moves',
        async () => {
          const before = lab.clock.now();
          await lab.clock.sleep(250);
          expect(lab.clock.now() - before).toBeGreaterThanOrEqual(249);
        },
      ],
      ['knows that it is up', async () => void expect((await lab.status()).isUp).toBe(true)],
    ];

    for (const [title, run] of tests) {
      const gap = notSupported.find(({ test }) => test === title);
      if (gap === undefined) it(title, run);
      else it.skip(`${title} (${gap.reason})`, run);
    }
  });
}
