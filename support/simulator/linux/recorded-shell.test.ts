import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createTestbed } from './testbed.ts';

interface Recording {
  readonly recorded: string;
  readonly files: Readonly<Record<string, string>>;
  readonly cases: readonly { readonly script: string; readonly stdout: string; readonly stderr: string; readonly exitCode: number }[];
}

function recording(name: string): Recording {
  return JSON.parse(readFileSync(new URL(`../../testdata/sessions/shell/${name}.json`, import.meta.url), 'utf8')) as Recording;
}

/** A script's own line numbers are those of `bash -c`; a terminal has none. */
function withoutLine(text: string): string {
  return text.replace(/^(?:\/bin\/)?bash: (?:-c: )?(?:line \d+: )?/gm, 'bash: ');
}

describe.each(['jq', 'bash'])('what the real programs said: %s', (name) => {
  const { recorded, files, cases } = recording(name);
  it(`has cases (${recorded})`, () => expect(cases.length).toBeGreaterThan(50));
  it.each(cases)('$script', async ({ script, stdout, stderr, exitCode }) => {
    const testbed = createTestbed();
    await testbed.type('mkdir -p /tmp/run; cd /tmp/run');
    for (const [file, content] of Object.entries(files)) testbed.host.files.write(`/tmp/run/${file}`, content);
    const result = await testbed.type(script, { isTerminal: false });
    expect({ ...result, stderr: withoutLine(result.stderr) }).toEqual({ stdout, stderr: withoutLine(stderr), exitCode });
  });
});
