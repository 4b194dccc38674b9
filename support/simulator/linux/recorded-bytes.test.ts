import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { encodeRaw } from '../docker/byte-text.ts';
import { createTestbed, type Testbed } from './testbed.ts';

interface Case {
  readonly script: string;
  readonly exitCode: number;
  /** Text; base64 where it is none. */
  readonly stdout?: string;
  readonly bytes?: string;
  readonly stderr?: string;
  readonly stderrBytes?: string;
}

const { recorded, cases } = JSON.parse(readFileSync(new URL('../../testdata/sessions/shell/bytes.json', import.meta.url), 'utf8')) as {
  readonly recorded: string;
  readonly cases: readonly Case[];
};

/** As latin1, so that a difference can be read. */
function bytesOf(text: string | undefined, base64: string | undefined): string {
  return (base64 === undefined ? Buffer.from(encodeRaw(text ?? '')) : Buffer.from(base64, 'base64')).toString('latin1');
}

describe(`bytes that are no text, as recorded from ${recorded}`, () => {
  let testbed: Testbed;
  beforeAll(() => {
    testbed = createTestbed();
    testbed.engine
      .createContainer({ name: 'box', image: 'nicolaka/netshoot', command: ['sleep', 'infinity'], networkMode: 'none' })
      .start();
  });

  it.each(cases)('$script', async ({ script, exitCode, stdout, bytes, stderr, stderrBytes }) => {
    const result = await testbed.exec('box', ['bash', '-c', `mkdir -p /tmp/run; cd /tmp/run; rm -f *\n${script}`]);
    expect([bytesOf(result.stdout, undefined), bytesOf(result.stderr, undefined), result.exitCode]).toEqual([
      bytesOf(stdout, bytes),
      bytesOf(stderr?.replace(/^bash: line \d+: /gm, 'bash: '), stderrBytes),
      exitCode,
    ]);
  });
});

describe('between programs and containers', () => {
  it('passes bytes through standard input, files and docker', async () => {
    const testbed = createTestbed();
    for (const name of ['one', 'two'])
      testbed.engine.createContainer({ name, image: 'nicolaka/netshoot', command: ['sleep', 'infinity'], networkMode: 'none' }).start();
    const type = async (script: string) => (await testbed.type(script)).stdout;
    expect(await type('printf "\\xff\\0a" | docker exec -i one od -An -tx1')).toBe(' ff 00 61\n');
    expect(await type('printf "\\xfe\\xff" | docker exec -i one sh -c "cat > /tmp/f"; docker exec one base64 /tmp/f')).toBe('/v8=\n');
    expect(await type('docker cp one:/tmp/f f >/dev/null; docker cp f two:/tmp/g >/dev/null; docker exec two cat /tmp/g | base64')).toBe(
      '/v8=\n',
    );
    const { stdout } = await testbed.exec('one', ['base64', '-d'], { stdin: '/wD+QQ==' });
    expect([...encodeRaw(stdout)]).toEqual([0xff, 0, 0xfe, 0x41]);
  });
});
