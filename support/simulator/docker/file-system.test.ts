import { describe, expect, it } from 'vitest';
import { MemoryFileSystem, resolvePath } from './file-system.ts';

describe('the files of a container', () => {
  it('has folders where files are, and keeps them', () => {
    const files = new MemoryFileSystem({ '/srv/a/b.txt': 'text' });
    expect([files.list('/srv'), files.list('/srv/a'), files.list('/srv/a/b.txt'), files.list('/nope')]).toEqual([
      ['a'],
      ['b.txt'],
      undefined,
      undefined,
    ]);
    expect([files.read('/srv/a/b.txt'), files.read('/srv/a'), files.read('/srv/../srv/a/./b.txt')]).toEqual(['text', undefined, 'text']);
    expect([files.remove('/srv/a/b.txt'), files.remove('/srv/a/b.txt'), files.isDirectory('/srv/a')]).toEqual([true, false, true]);
  });

  it('computes virtual files and lists them', () => {
    const files = new MemoryFileSystem();
    let text = 'one';
    files.addVirtualFile('/etc/made', {
      read: () => text,
      write: (content) => {
        text = content;
      },
    });
    files.addVirtualFolder('/proc/sys', {
      read: (path) => (path === 'a' ? '1\n' : undefined),
      write: () => {},
      list: (path) => (path === '' ? ['a'] : undefined),
    });
    files.write('/etc/made', 'two');
    expect([files.read('/etc/made'), files.list('/etc'), files.read('/proc/sys/a'), files.list('/proc'), files.list('/proc/sys')]).toEqual([
      'two',
      ['made'],
      '1\n',
      ['sys'],
      ['a'],
    ]);
  });

  it.each([
    ['/a', 'b', '/a/b'],
    ['/a', '../b', '/b'],
    ['/a', '/b//c/', '/b/c'],
    ['/', '..', '/'],
  ])('%s + %s = %s', (cwd, path, full) => expect(resolvePath(cwd, path)).toBe(full));
});
