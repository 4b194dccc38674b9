import { expect, it } from 'vitest';
import { readOutput } from './output.ts';

const bytes = (...values: number[]) => new Uint8Array(values);

it.each([
  ['text', bytes(0x61, 0xc3, 0xa4), bytes(), { stdout: 'aä', stderr: '' }],
  ['output that is no text', bytes(0xff, 0x61), bytes(0x62), { stdout: '\uFFFDa', stderr: 'b', bytes: { stdout: bytes(0xff, 0x61) } }],
  ['error output that is no text', bytes(), bytes(0xc3), { stdout: '', stderr: '\uFFFD', bytes: { stderr: bytes(0xc3) } }],
])('reads %s', (_name, stdout, stderr, expected) => expect(readOutput(stdout, stderr)).toEqual(expected));
