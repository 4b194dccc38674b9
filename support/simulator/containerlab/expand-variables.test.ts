import { describe, expect, it } from 'vitest';
import { expandVariables } from './expand-variables.ts';

// the rules of github.com/hellt/envsubst 0.2.0 (parse/lex.go, parse/node.go), which containerlab 0.68 calls with noDigit and noReplace
describe('variables of a topology file', () => {
  const env = new Map([
    ['IMG', 'alpine'],
    ['EMPTY', ''],
  ]);

  it.each([
    ['image: $IMG', 'image: alpine'],
    ['image: ${IMG}:3', 'image: alpine:3'],
    ['image: ${IMG:=busybox}', 'image: alpine'],
    ['image: ${NONE:=busybox:1.36}', 'image: busybox:1.36'],
    ['image: ${NONE:-quay.io/a-b/c@sha256}', 'image: quay.io/a-b/c@sha256'],
    ['image: ${EMPTY:-busybox}', 'image: busybox'],
    ['image: ${EMPTY-busybox}', 'image: '],
    ['image: ${NONE=busybox}', 'image: busybox'],
    ['image: ${NONE:-$IMG}', 'image: alpine'],
    ['x: ${IMG:+set}${NONE+set}', 'x: set'],
    ['a: ${NONE} $NONE $EMPTY', 'a: $NONE $NONE $EMPTY'],
    ['exec: echo $1 ${1} $? $(pwd) $$HOME 5$', 'exec: echo $1 ${1} $? $(pwd) $HOME 5$'],
    ['{ image: ${NONE:=a}, kind: linux }', '{ image: a, kind: linux }'],
  ])('%s', (text, expanded) => {
    expect(expandVariables(text, env)).toBe(expanded);
  });

  it('wants a brace closed on its line', () => {
    expect(() => expandVariables('image: ${IMG\nkind: linux', env)).toThrow('closing brace expected');
  });
});
