import { createInterface } from 'node:readline';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { LineReader } from './line-reader.ts';

describe('lines of a terminal', () => {
  it('are kept while nobody reads, and end', async () => {
    const input = new PassThrough();
    const lines = new LineReader(createInterface({ input, output: new PassThrough() }));
    const first = lines.read('$ ');
    input.write('one\ntwo\nthree\n');
    expect(await first).toEqual({ text: 'one' });
    expect(await lines.read('$ ')).toEqual({ text: 'two' });
    input.end();
    expect(await lines.read('$ ')).toEqual({ text: 'three' });
    expect(await lines.read('$ ')).toBe('end');
    expect(await lines.read('$ ')).toBe('end');
  });

  it('are dropped by Ctrl-C', async () => {
    const input = createInterface({ input: new PassThrough(), output: new PassThrough(), terminal: true });
    const lines = new LineReader(input);
    const first = lines.read('$ ');
    input.emit('SIGINT');
    expect(await first).toBe('interrupt');
  });
});
