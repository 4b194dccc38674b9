import { describe, expect, it } from 'vitest';
import { parseSimpleScript } from './simple-script.ts';

describe('a script without a shell', () => {
  it.each([
    { script: 'ip addr', commands: [{ argv: ['ip', 'addr'], after: 'always' }] },
    { script: "vtysh -c 'show bgp ipv6 '", commands: [{ argv: ['vtysh', '-c', 'show bgp ipv6 '], after: 'always' }] },
    {
      script: 'a 1 && b "2 3" || c\nd; e\n',
      commands: [
        { argv: ['a', '1'], after: 'always' },
        { argv: ['b', '2 3'], after: 'success' },
        { argv: ['c'], after: 'failure' },
        { argv: ['d'], after: 'always' },
        { argv: ['e'], after: 'always' },
      ],
    },
    { script: 'docker exec web \\\n  ip a', commands: [{ argv: ['docker', 'exec', 'web', 'ip', 'a'], after: 'always' }] },
    { script: 'sysctl -w a=b', commands: [{ argv: ['sysctl', '-w', 'a=b'], after: 'always' }] },
  ])('$script', ({ script, commands }) => expect(parseSimpleScript(script)).toEqual(commands));

  it.each([
    'a | b',
    'a > b',
    'echo $X',
    'X=1',
    'X=1 a',
    'a & b',
    'a `b`',
    'ls *',
    'a &&',
    '&& a',
    '(a)',
    '{ a; }',
    '! a',
    'a # b',
    'a "b',
    '~/x',
    'echo "$X"',
    'curl http://[2001:db8::1]/',
    '',
  ])('%s needs one', (script) => expect(parseSimpleScript(script)).toBeUndefined());
});
