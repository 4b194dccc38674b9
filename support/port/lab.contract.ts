import { beforeAll, describe, expect, it } from 'vitest';
import { EnvironmentError } from '../verdict/errors.ts';
import type { Lab } from './lab.ts';

/** What the suite needs of the lab that it is given: a running container, and one that does not exist. */
export interface LabUnderTest {
  readonly lab: Lab;
  /** A running container with a shell and `cat`. */
  readonly container: string;
}

function errorCode(error: unknown): string {
  return error instanceof EnvironmentError ? error.code : String(error);
}

/** What every driver of the port promises alike. Each driver's own tests run this suite. */
export function labContract(name: string, makeLab: () => Promise<LabUnderTest>): void {
  describe(`${name} as a lab`, () => {
    let lab: Lab;
    let container = '';
    beforeAll(async () => {
      ({ lab, container } = await makeLab());
    }, 120_000);

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
        'says 127 on the lab host, too',
        async () => {
          // A reader takes both for a tool that is missing.
          const said = await lab.exec(['no-such-program']).then(({ exitCode }) => exitCode, errorCode);
          expect([127, 'exec/not-run']).toContain(said);
        },
      ],
      [
        'passes standard input of any size, and none at all',
        async () => {
          const text = `${'0123456789abcdef'.repeat(20_000)}\n`;
          expect((await lab.execIn(container, ['cat'], { stdin: text })).stdout).toBe(text);
          expect((await lab.execIn(container, ['cat'], { stdin: '' })).stdout).toBe('');
          expect((await lab.execIn(container, ['cat'])).stdout).toBe('');
        },
      ],
      [
        'does not wait for a program to read its input',
        async () =>
          void expect(await lab.execIn(container, ['true'], { stdin: 'x'.repeat(300_000) })).toMatchObject({ exitCode: 0, stdout: '' }),
      ],
      [
        'keeps every letter of every language, in words, input and output',
        async () => {
          const text = 'Grüße, 世界 ☃ \u{1f6f0}';
          expect((await lab.execIn(container, ['echo', text])).stdout).toBe(`${text}\n`);
          expect((await lab.execIn(container, ['cat'], { stdin: text })).stdout).toBe(text);
        },
      ],
      [
        'keeps bytes that are no text',
        async () => {
          const result = await lab.execIn(container, ['base64', '-d'], { stdin: '/wD+QQ==' });
          expect(result.stdout).toBe('\ufffd\0\ufffdA');
          expect([...(result.bytes?.stdout ?? [])]).toEqual([0xff, 0, 0xfe, 0x41]);
        },
      ],
      [
        'keeps every line of a long answer, in order',
        async () => {
          const result = await lab.execIn(container, ['seq', '1', '90000']);
          expect(result.stdout).toBe(Array.from({ length: 90_000 }, (_, index) => `${index + 1}\n`).join(''));
        },
      ],
      [
        'passes an exit code as it is, up to the highest',
        async () => {
          for (const code of [0, 1, 2, 28, 255]) expect((await lab.execIn(container, ['sh', '-c', `exit ${code}`])).exitCode).toBe(code);
        },
      ],
      [
        'says 128 and the signal for a program that was killed',
        async () => void expect((await lab.execIn(container, ['sh', '-c', 'kill -KILL $$'])).exitCode).toBe(137),
      ],
      [
        'waits for a program that prints nothing',
        async () => {
          const result = await lab.execIn(container, ['sh', '-c', 'sleep 1; exit 4'], { timeoutMs: 20_000 });
          expect(result).toMatchObject({ stdout: '', stderr: '', exitCode: 4 });
          expect(result.durationMs).toBeGreaterThanOrEqual(999);
        },
      ],
      [
        'gives up on a program that takes too long, and leaves nothing of it behind',
        async () => {
          await expect(lab.execIn(container, ['sh', '-c', 'sleep 61; echo'], { timeoutMs: 1000 })).rejects.toMatchObject({
            code: 'exec/timeout',
            fault: 'environment',
          });
          expect((await lab.execIn(container, ['sh', '-c', 'ps -ef | grep "[s]leep 61"'])).stdout).toBe('');
          await expect(lab.exec(['sleep', '61'], { timeoutMs: 500 })).rejects.toMatchObject({ code: 'exec/timeout', fault: 'environment' });
        },
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

    it.each(tests)('%s', (_title, run) => run());
  });
}
