import { describe, expect, it } from 'vitest';
import type { CommandContext } from '../docker/types.ts';
import { yq } from './yq.ts';

const files = new Map([
  [
    '/root/pool.yaml',
    '# addresses\nspec:\n  blocks:\n    - cidr: "192.0.2.0/24"   # documentation\n    - cidr: 2001:db8::/64\n  flags: {a: \'true\', b: no}\n',
  ],
  ['/root/two.yaml', 'a: 1\n---\na: 2\n'],
]);
const context = (stdin?: string) =>
  ({
    cwd: '/root',
    stdin: stdin ?? '',
    hasStdin: stdin !== undefined,
    files: { read: (path: string) => files.get(path) },
  }) as unknown as CommandContext;

describe('yq', () => {
  it.each([
    {
      name: 'prints a file with its comments and quotes',
      args: ['pool.yaml'],
      out: '# addresses\nspec:\n  blocks:\n    - cidr: "192.0.2.0/24" # documentation\n    - cidr: 2001:db8::/64\n  flags: {a: \'true\', b: no}\n',
    },
    { name: 'follows a path into a list', args: ['.spec.blocks[1].cidr', 'pool.yaml'], out: '2001:db8::/64\n' },
    {
      name: 'indents lists below their key',
      args: ['.spec'],
      stdin: 'spec:\n  routers:\n  - asn: 64496\n    peers:\n    - ip: a\n',
      out: 'routers:\n  - asn: 64496\n    peers:\n      - ip: a\n',
    },
    { name: 'prints a list', args: ['.a'], stdin: 'a:\n- x: 1\n  y:\n  - z\n', out: '- x: 1\n  y:\n    - z\n' },
    { name: 'iterates', args: ['.a[].x'], stdin: 'a:\n- x: 1\n- x: two\n', out: '1\ntwo\n' },
    { name: 'says null for what is not there', args: ['.b.c'], stdin: 'a: 1\n', out: 'null\n' },
    { name: 'writes JSON', args: ['-o', 'json', '.a'], stdin: 'a: [1, x]\n', out: '[\n  1,\n  "x"\n]\n' },
    { name: 'keeps documents apart', args: ['.a', 'two.yaml'], out: '1\n---\n2\n' },
  ])('$name', async ({ args, stdin, out }) => {
    expect(await yq(args, context(stdin))).toEqual({ stdout: out, stderr: '', exitCode: 0 });
  });

  it('names a file that is missing', async () => {
    expect(await yq(['.', 'none.yaml'], context())).toEqual({
      stdout: '',
      stderr: 'Error: open none.yaml: no such file or directory\n',
      exitCode: 1,
    });
  });
});
