import fc from 'fast-check';
import { IPv4, IPv6 } from 'ip-num';
import { describe, expect, it } from 'vitest';
import {
  compareIps,
  comparePrefixes,
  contains,
  hostPrefix,
  ip,
  ipFromValue,
  isLinkLocal,
  isLoopback,
  isMulticast,
  isUnspecified,
  lastAddress,
  parseIp,
  parsePrefix,
  prefix,
} from './address.ts';

describe('addresses', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['0.0.0.0', '0.0.0.0'],
    ['255.255.255.255', '255.255.255.255'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['2001:DB8::1', '2001:db8::1'],
    ['2001:db8:0:0:0:0:0:1', '2001:db8::1'],
    ['2001:0db8:0000:0001:0000:0000:0000:0001', '2001:db8:0:1::1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
    ['::ffff:c000:201', '::ffff:192.0.2.1'],
    ['64:ff9b::192.0.2.1', '64:ff9b::c000:201'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['::2:3:4:5:6:7:8', '0:2:3:4:5:6:7:8'],
  ])('%s reads as %s (RFC 5952)', (text, canonical) => expect(ip(text).text).toBe(canonical));

  it.each([
    '',
    '1.2.3',
    '1.2.3.4.5',
    '256.0.0.1',
    '01.2.3.4',
    '1.2.3.4 ',
    ' 1.2.3.4',
    '1.2.3.-4',
    '0x1.2.3.4',
    '1..2.3',
    ':',
    ':::',
    '1::2::3',
    '12345::',
    'g::',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '::1.2.3',
    '1.2.3.4::',
    'fe80::1%eth0',
    '1:',
    ':1',
  ])('%j is no address', (text) => {
    expect(parseIp(text)).toBeUndefined();
    expect(() => ip(text)).toThrow(RangeError);
  });

  it('interns: equal addresses are one object', () => {
    expect(ip('2001:db8::1')).toBe(ip('2001:DB8:0::0:1'));
    expect(ip('192.0.2.1')).toBe(ipFromValue(4, 3221225985n));
    expect(prefix('192.0.2.77/24')).toBe(prefix('192.0.2.0/24'));
  });

  it('agrees with ip-num on every value, and reads its own text back', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, (1n << 128n) - 1n), (value) => {
        const address = ipFromValue(6, value);
        const groups = value.toString(16).padStart(32, '0').match(/.{4}/g) ?? [];
        expect(address).toBe(ip(groups.join(':')));
        expect(address.value).toBe(value);
        expect(parseIp(address.text)).toBe(address);
        expect(new IPv6(groups.join(':')).getValue()).toBe(value);
      }),
    );
    fc.assert(
      fc.property(fc.nat(0xffff_ffff), (value) => {
        const address = ipFromValue(4, BigInt(value));
        expect(new IPv4(address.text).getValue()).toBe(address.value);
        expect(address.value).toBe(BigInt(value));
      }),
    );
  });

  it('orders by number, IPv4 first', () => {
    const sorted = ['2001:db8::', '192.0.2.10', '::1', '192.0.2.9', '9.0.0.0'].map(ip).sort(compareIps);
    expect(sorted.map(({ text }) => text)).toEqual(['9.0.0.0', '192.0.2.9', '192.0.2.10', '::1', '2001:db8::']);
  });

  it.each([
    ['169.254.1.1', { isLinkLocal: true }],
    ['fe80::1', { isLinkLocal: true }],
    ['febf::1', { isLinkLocal: true }],
    ['fec0::1', {}],
    ['224.0.0.5', { isMulticast: true }],
    ['ff02::1', { isMulticast: true }],
    ['127.9.9.9', { isLoopback: true }],
    ['::1', { isLoopback: true }],
    ['::', { isUnspecified: true }],
    ['0.0.0.0', { isUnspecified: true }],
    ['192.0.2.1', {}],
  ])('%s is of its kind', (text, kinds) => {
    const address = ip(text);
    const none = { isLinkLocal: false, isMulticast: false, isLoopback: false, isUnspecified: false };
    expect({
      isLinkLocal: isLinkLocal(address),
      isMulticast: isMulticast(address),
      isLoopback: isLoopback(address),
      isUnspecified: isUnspecified(address),
    }).toEqual({ ...none, ...kinds });
  });
});

describe('prefixes', () => {
  it.each([
    ['192.0.2.77/24', '192.0.2.0/24', '192.0.2.255'],
    ['192.0.2.77/32', '192.0.2.77/32', '192.0.2.77'],
    ['192.0.2.77/0', '0.0.0.0/0', '255.255.255.255'],
    ['192.0.2.77/31', '192.0.2.76/31', '192.0.2.77'],
    ['2001:db8:1:2:3:4:5:6/48', '2001:db8:1::/48', '2001:db8:1:ffff:ffff:ffff:ffff:ffff'],
    ['2001:db8::ff/124', '2001:db8::f0/124', '2001:db8::ff'],
    ['2001:db8::1/128', '2001:db8::1/128', '2001:db8::1'],
    ['ffff::/0', '::/0', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ])('%s is %s and ends with %s', (text, canonical, last) => {
    expect(prefix(text).text).toBe(canonical);
    expect(lastAddress(prefix(text)).text).toBe(last);
  });

  it.each(['192.0.2.0', '192.0.2.0/33', '192.0.2.0/-1', '192.0.2.0/024', '2001:db8::/129', '/24', 'x/24', '192.0.2.0/', '192.0.2.0/24/24'])(
    '%j is no prefix',
    (text) => {
      expect(parsePrefix(text)).toBeUndefined();
      expect(() => prefix(text)).toThrow(RangeError);
    },
  );

  it('contains what its bits say', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, (1n << 128n) - 1n), fc.bigInt(0n, (1n << 128n) - 1n), fc.nat(128), (a, b, length) => {
        const shift = BigInt(128 - length);
        expect(contains(prefix(`${ipFromValue(6, a).text}/${length}`), ipFromValue(6, b))).toBe(a >> shift === b >> shift);
      }),
    );
    expect(contains(prefix('0.0.0.0/0'), ip('::1'))).toBe(false);
  });

  it('sorts by address, then the shorter first', () => {
    const sorted = ['10.0.0.0/16', '10.0.0.0/8', '9.0.0.0/8', '::/0', '10.0.0.0/24'].map(prefix).sort(comparePrefixes);
    expect(sorted.map(({ text }) => text)).toEqual(['9.0.0.0/8', '10.0.0.0/8', '10.0.0.0/16', '10.0.0.0/24', '::/0']);
    expect(hostPrefix(ip('2001:db8::1')).text).toBe('2001:db8::1/128');
  });
});
