import { describe, expect, it } from 'vitest';
import { ageOf, civilOf, humanDuration, millisecondsOf, rfc1123, rfc3339 } from './age.ts';
import { labelFor } from './describe/generic.ts';
import { tabulate } from './describe/writer.ts';
import { unifiedDiff } from './diff-text.ts';
import { parseDuration } from './flags.ts';
import { threeWayPatch } from './patches.ts';
import { cellText, formatTable, TableWriter } from './table.ts';

describe('ages', () => {
  const day = 86_400;
  it.each([
    [-5, '<invalid>'],
    [-1, '0s'],
    [0, '0s'],
    [119, '119s'],
    [120, '2m'],
    [121, '2m1s'],
    [475, '7m55s'],
    [600, '10m'],
    [601, '10m'],
    [10_740, '179m'],
    [10_800, '3h'],
    [10_860, '3h1m'],
    [28_740, '7h59m'],
    [28_800, '8h'],
    [169_200, '47h'],
    [2 * day, '2d'],
    [2 * day + 10_800, '2d3h'],
    [8 * day, '8d'],
    [729 * day, '729d'],
    [730 * day, '2y'],
    [731 * day, '2y1d'],
    [8 * 365 * day, '8y'],
  ])('%d seconds: %s', (seconds, text) => {
    expect(humanDuration(seconds * 1000)).toBe(text);
  });

  it('reads and writes timestamps', () => {
    const epoch = 1_735_689_600_000;
    expect(millisecondsOf('2025-01-01T00:00:00Z')).toBe(epoch);
    expect(millisecondsOf('2025-01-01T01:00:00.500+01:00')).toBe(epoch + 500);
    expect(rfc3339(epoch)).toBe('2025-01-01T00:00:00Z');
    expect(rfc1123('2024-02-29T23:59:58Z')).toBe('Thu, 29 Feb 2024 23:59:58 +0000');
    expect(civilOf(epoch)).toEqual({ year: 2025, month: 1, day: 1, hour: 0, minute: 0, second: 0, weekday: 3 });
    expect(ageOf(undefined, epoch)).toBe('<unknown>');
  });

  it.each([
    ['1m30s', 90_000],
    ['250ms', 250],
    ['1.5h', 5_400_000],
    ['0', 0],
    ['-1s', -1000],
    ['30', undefined],
    ['3x', undefined],
  ])('duration %s', (text, value) => {
    expect(parseDuration(text)).toBe(value);
  });
});

describe('tables', () => {
  it('pads by runes, to six at least, and never the last cell', () => {
    expect(formatTable([['A', 'NAME', 'X'], ['日本', 'some-long-name', ''], ['a']])).toBe(
      'A     NAME             X\n日本    some-long-name   \na\n',
    );
  });
  it('remembers the widths of a watch', () => {
    const writer = new TableWriter({ isRemembering: true });
    const lines = [
      ['NAME', 'READY'],
      ['aaa', '1/1'],
      ['a-long-name', '0/1'],
      ['b', '1/1'],
    ];
    const flushed = lines.map((line) => {
      writer.add(line);
      return writer.flush();
    });
    expect(flushed).toEqual(['NAME   READY\n', 'aaa    1/1\n', 'a-long-name   0/1\n', 'b             1/1\n']);
  });
  it.each<[unknown, string]>([
    ['one\ntwo', 'one...'],
    [null, ''],
    [['p', 'q'], '[p q]'],
    [true, 'true'],
    [5, '5'],
  ])('cell %j', (value, text) => {
    expect(cellText(value)).toBe(text);
  });
  it('aligns only consecutive lines of describe', () => {
    expect(tabulate('IP:\t1\nIPs:\n  IP:\t1\n  Long title:\t2\n', 2)).toBe('IP:  1\nIPs:\n  IP:          1\n  Long title:  2\n');
  });
});

describe('labels of describe', () => {
  it.each([
    ['peerASN', 'Peer ASN'],
    ['eBGPMultihopTTL', 'E BGP Multihop TTL'],
    ['exportPodCIDR', 'Export Pod CIDR'],
    ['apiURL', 'API URL'],
    ['ipv4', 'ipv4'],
    ['uid', 'UID'],
    ['HTTPServer', 'HTTP Server'],
  ])('%s', (field, label) => {
    expect(labelFor(field)).toBe(label);
  });
});

describe('patches', () => {
  it('deletes only what was applied before, by merge key', () => {
    const original = { spec: { ports: [{ port: 80 }], selector: { a: 'b' } } };
    const current = { spec: { ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }], selector: { a: 'b' }, clusterIP: '192.0.2.1' } };
    const modified = { spec: { ports: [{ port: 8080 }], selector: { a: 'b' } } };
    expect(threeWayPatch('strategic', original, modified, current, 'Service')).toEqual({
      spec: {
        $setElementOrder: undefined,
        '$setElementOrder/ports': [{ port: 8080 }],
        ports: [{ port: 8080 }, { $patch: 'delete', port: 80 }],
      },
    });
    expect(threeWayPatch('strategic', original, original, current, 'Service')).toEqual({});
  });
  it('is a merge patch for a custom resource', () => {
    expect(
      threeWayPatch(
        'merge',
        { spec: { a: 1, b: 2 } },
        { spec: { a: 1, list: [1] } },
        { spec: { a: 1, b: 2, c: 3, list: [2] }, status: {} },
        'Widget',
      ),
    ).toEqual({ spec: { b: null, list: [1] } });
  });
});

describe('unified diffs', () => {
  const lines = (...numbers: readonly (number | string)[]): string => numbers.map((number) => `${number}\n`).join('');
  it.each([
    ['a change', lines(1, 2, 3, 4, 5, 6, 7, 8, 9), lines(1, 2, 3, 4, 'x', 6, 7, 8, 9), '@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+x\n 6\n 7\n 8\n'],
    ['a new file', '', lines(1, 2), '@@ -0,0 +1,2 @@\n+1\n+2\n'],
    ['an end', lines(1, 2), lines(1), '@@ -1,2 +1 @@\n 1\n-2\n'],
    ['no change', lines(1), lines(1), ''],
  ])('%s', (_, before, after, text) => {
    expect(unifiedDiff(before, after)).toBe(text);
  });
});
