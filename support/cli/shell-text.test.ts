import { describe, expect, it } from 'vitest';
import type { ShellSession } from '../simulator/docker/types.ts';
import { completions, isIncomplete } from './shell-text.ts';

describe('a command goes on in the next line', () => {
  it.each([
    ['docker exec r1 \\', true],
    ['echo a\\\\', false],
    ["echo 'it", true],
    ['echo "it', true],
    ['echo "it" # don\'t', false],
    ['X=$(kubectl get', true],
    ['X=$(kubectl get) ; echo $X', false],
    ['kubectl get pods |', true],
    ['for i in 1 2; do', true],
    ['for i in 1 2; do\necho $i\ndone', false],
    ['if true; then', true],
    ['kubectl apply -f - <<EOF', true],
    ['kubectl apply -f - <<EOF\nkind: x\nEOF', false],
    ['kubectl get svc', false],
    ['', false],
  ])('%j: %s', (text, expected) => expect(isIncomplete(text)).toBe(expected));
});

describe('completion', () => {
  const session = (stdout: string): ShellSession & { scripts: string[] } => {
    const scripts: string[] = [];
    const run = async (script: string) => {
      scripts.push(script);
      return { stdout, stderr: '', exitCode: 0 };
    };
    return { scripts, cwd: '/root', env: new Map(), run };
  };

  it('is of commands at the beginning of a command', async () => {
    const shell = session('kubectl\nkind\nkill\n');
    expect(await completions(shell, 'ls | ku')).toEqual([['kubectl '], 'ku']);
    expect(shell.scripts[0]).toMatch(/^compgen -c -- 'ku'/);
  });

  it('is of files elsewhere; a folder stays open', async () => {
    const shell = session('lb-pool.yaml\nlab/\n');
    expect(await completions(shell, 'kubectl apply -f l')).toEqual([['lab/', 'lb-pool.yaml '], 'l']);
    expect(shell.scripts[0]).toMatch(/^for name in 'l'\*; do /);
  });
});
