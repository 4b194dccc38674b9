import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ip, prefix } from '../net/address.ts';
import { fromHex, toHex } from './bytes.ts';
import { type CodecOptions, decode, encode, type Message, MessageError, MessageStream, notificationText } from './message.ts';

/** tshark's bytes of one session between FRR and gobgp (support/testdata/frr/README.md). */
const captured = readFileSync(new URL('../../testdata/frr/11-captures/session-establishment-bgp-payload.tsv', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .slice(1)
  .map((line) => line.split('\t'))
  .map(([, source, , hex]) => ({ source: source as string, hex: hex as string }));

const frr: CodecOptions = { implementation: 'frr', isFourOctetAs: true };
const gobgp: CodecOptions = { implementation: 'gobgp', isFourOctetAs: true };

function split(hex: string): Uint8Array[] {
  const stream = new MessageStream();
  stream.push(fromHex(hex));
  const list: Uint8Array[] = [];
  for (let next = stream.next(); next !== undefined; next = stream.next()) list.push(next);
  return list;
}

describe('messages', () => {
  it('are read and written back as they were captured', () => {
    const router = captured[1]?.source;
    const kinds: string[] = [];
    for (const { source, hex } of captured) {
      for (const raw of split(hex)) {
        const message = decode(raw, { isFourOctetAs: true });
        kinds.push(message.type);
        expect(toHex(encode(message, source === router ? frr : gobgp))).toBe(toHex(raw));
      }
    }
    // The capture cuts off the router's long segment after a few bytes, so only its whole messages are here.
    expect(kinds.slice(0, 6)).toEqual(['open', 'open', 'keepalive', 'keepalive', 'update', 'update']);
  });

  const update = {
    type: 'update',
    withdrawn: [],
    nlri: [],
    attributes: undefined,
    nextHop: undefined,
    mpReach: undefined,
    mpUnreach: undefined,
  } as const;
  it.each<{ readonly name: string; readonly message: Message; readonly codec?: CodecOptions }>([
    { name: 'KEEPALIVE', message: { type: 'keepalive' } },
    { name: 'NOTIFICATION with data', message: { type: 'notification', code: 2, subcode: 2, data: Uint8Array.of(0xfb, 0xf0) } },
    { name: 'ROUTE-REFRESH', message: { type: 'route-refresh', family: 'ipv6-unicast' } },
    { name: 'End-of-RIB of IPv4', message: update },
    { name: 'End-of-RIB of IPv6', message: { ...update, mpUnreach: { family: 'ipv6-unicast', withdrawn: [] } } },
    { name: 'classic withdrawal', message: { ...update, withdrawn: [prefix('192.0.2.0/25'), prefix('0.0.0.0/0')] } },
    {
      name: 'all attributes',
      message: {
        ...update,
        nextHop: ip('192.0.2.1'),
        nlri: [prefix('198.51.100.0/24'), prefix('203.0.113.7/32')],
        attributes: {
          origin: 'incomplete',
          asPath: [64496, 4200000000, { set: [64497, 64498] }, 64499],
          med: 5,
          localPref: 200,
          atomicAggregate: true,
          aggregator: { asn: 64500, routerId: ip('192.0.2.9') },
          communities: [0xfbf00001, 0xffffff01],
          largeCommunities: [[64496, 1, 2]],
          originatorId: ip('192.0.2.8'),
          clusterList: [ip('192.0.2.7')],
        },
      },
    },
    {
      name: 'IPv4 prefix with an IPv6 next hop (RFC 8950) and its link-local companion',
      message: {
        ...update,
        attributes: { origin: 'igp', asPath: [64496] },
        mpReach: { family: 'ipv4-unicast', nextHop: ip('2001:db8::1'), linkLocalNextHop: ip('fe80::1'), nlri: [prefix('198.51.100.0/24')] },
      },
    },
    {
      name: 'two-octet AS numbers with AS4_PATH',
      codec: { implementation: 'frr', isFourOctetAs: false },
      message: {
        ...update,
        nextHop: ip('192.0.2.1'),
        nlri: [prefix('198.51.100.0/24')],
        attributes: { origin: 'igp', asPath: [64496, 4200000000] },
      },
    },
  ])('survive a round trip: $name', ({ message, codec }) => {
    for (const options of codec === undefined ? [frr, gobgp] : [codec])
      expect(decode(encode(message, options), { isFourOctetAs: options.isFourOctetAs })).toEqual(message);
  });

  it('are cut out of a stream wherever its segments end', () => {
    const bytes = encode({ type: 'notification', code: 6, subcode: 2, data: new Uint8Array() }, frr);
    const stream = new MessageStream();
    stream.push(bytes.slice(0, 7));
    expect(stream.next()).toBeUndefined();
    stream.push(bytes.slice(7, 20));
    expect(stream.next()).toBeUndefined();
    stream.push(Uint8Array.from([...bytes.slice(20), ...bytes]));
    expect(toHex(stream.next() ?? new Uint8Array())).toBe(toHex(bytes));
    expect(toHex(stream.next() ?? new Uint8Array())).toBe(toHex(bytes));
  });

  it.each([
    { name: 'a broken marker', hex: `00${'ff'.repeat(15)}001304`, error: [1, 1] },
    { name: 'a bad length', hex: `${'ff'.repeat(16)}001204`, error: [1, 2] },
    { name: 'an unknown type', hex: `${'ff'.repeat(16)}001309`, error: [1, 3] },
  ])('with $name are refused', ({ hex, error }) => {
    const stream = new MessageStream();
    stream.push(fromHex(hex));
    let thrown: unknown;
    try {
      stream.next();
    } catch (caught) {
      thrown = caught;
    }
    expect(thrown).toBeInstanceOf(MessageError);
    expect([(thrown as MessageError).code, (thrown as MessageError).subcode]).toEqual(error);
  });

  it('are named as FRR names them', () => {
    expect([notificationText(2, 2), notificationText(4, 0), notificationText(6, 3)]).toEqual([
      'OPEN Message Error/Bad Peer AS',
      'Hold Timer Expired',
      'Cease/Peer De-configured',
    ]);
  });
});
