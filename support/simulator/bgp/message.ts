import type { Ip, Prefix } from '../net/types.ts';
import { type AttributeStyle, type MpReach, type MpUnreach, readAttributes, writeAttributes } from './attributes.ts';
import { addressBytes, MessageError, Reader, readAddress, readPrefix, Writer, writePrefix } from './bytes.ts';
import { afiOf, type Capability, familyOf, readCapability, writeCapability } from './capabilities.ts';
import type { BgpFamily, BgpImplementation, PathAttributes } from './types.ts';

export { MessageError } from './bytes.ts';
export type { Capability } from './capabilities.ts';

export interface OpenMessage {
  readonly type: 'open';
  readonly version: number;
  /** 2-byte field; AS_TRANS (23456) for a number that needs four. */
  readonly asn: number;
  readonly holdTimeSeconds: number;
  readonly routerId: Ip;
  /** Capabilities by optional parameter: FRR sends one in each, gobgp all in one. */
  readonly parameters: readonly (readonly Capability[])[];
}

export interface UpdateMessage {
  readonly type: 'update';
  readonly withdrawn: readonly Prefix[];
  readonly attributes: Omit<PathAttributes, 'nextHop' | 'linkLocalNextHop'> | undefined;
  /** Of `nlri`. */
  readonly nextHop: Ip | undefined;
  readonly nlri: readonly Prefix[];
  readonly mpReach: MpReach | undefined;
  readonly mpUnreach: MpUnreach | undefined;
}

export interface NotificationMessage {
  readonly type: 'notification';
  readonly code: number;
  readonly subcode: number;
  readonly data: Uint8Array;
}

export interface KeepaliveMessage {
  readonly type: 'keepalive';
}

export interface RouteRefreshMessage {
  readonly type: 'route-refresh';
  readonly family: BgpFamily | undefined;
}

export type Message = OpenMessage | UpdateMessage | NotificationMessage | KeepaliveMessage | RouteRefreshMessage;

const headerLength = 19;
const maximumLength = 4096;
const types = ['open', 'update', 'notification', 'keepalive', 'route-refresh'] as const;
const minimumLengths = [29, 23, 21, 19, 23] as const;

export interface CodecOptions {
  readonly implementation: BgpImplementation;
  /** Both sides offered four-octet AS numbers (RFC 6793). */
  readonly isFourOctetAs: boolean;
}

function styleOf(options: CodecOptions): AttributeStyle {
  const isFrr = options.implementation === 'frr';
  return { isMpFirst: isFrr, usesExtendedLength: isFrr, isFourOctetAs: options.isFourOctetAs };
}

export function encode(message: Message, options: CodecOptions): Uint8Array {
  const body = new Writer();
  switch (message.type) {
    case 'open': {
      const parameters = new Writer();
      for (const capabilities of message.parameters) {
        const value = new Writer();
        for (const capability of capabilities) writeCapability(value, capability);
        parameters.u8(2).u8(value.length).bytes(value.finish());
      }
      body.u8(message.version).u16(message.asn).u16(message.holdTimeSeconds).bytes(addressBytes(message.routerId));
      body.u8(parameters.length).bytes(parameters.finish());
      break;
    }
    case 'update': {
      const withdrawn = new Writer();
      for (const value of message.withdrawn) writePrefix(withdrawn, value);
      const attributes = writeAttributes(message, styleOf(options));
      body.u16(withdrawn.length).bytes(withdrawn.finish()).u16(attributes.length).bytes(attributes);
      for (const value of message.nlri) writePrefix(body, value);
      break;
    }
    case 'notification':
      body.u8(message.code).u8(message.subcode).bytes(message.data);
      break;
    case 'keepalive':
      break;
    case 'route-refresh':
      body
        .u16(message.family === undefined ? 0 : afiOf(message.family))
        .u8(0)
        .u8(1);
      break;
  }
  const writer = new Writer();
  for (let index = 0; index < 16; index++) writer.u8(0xff);
  return writer
    .u16(headerLength + body.length)
    .u8(types.indexOf(message.type) + 1)
    .bytes(body.finish())
    .finish();
}

function decodeOpen(reader: Reader): OpenMessage {
  const version = reader.u8();
  const asn = reader.u16();
  const holdTimeSeconds = reader.u16();
  const routerId = readAddress(reader.bytes(4), 4);
  const optional = reader.part(reader.u8());
  const parameters: Capability[][] = [];
  while (optional.remaining > 0) {
    const kind = optional.u8();
    const value = optional.part(optional.u8());
    if (kind !== 2) throw new MessageError(2, 4, `optional parameter ${kind}`);
    const capabilities: Capability[] = [];
    while (value.remaining > 0) {
      const code = value.u8();
      capabilities.push(readCapability(code, value.bytes(value.u8())));
    }
    parameters.push(capabilities);
  }
  return { type: 'open', version, asn, holdTimeSeconds, routerId, parameters };
}

function decodeUpdate(reader: Reader, isFourOctetAs: boolean): UpdateMessage {
  const withdrawnPart = reader.part(reader.u16());
  const withdrawn: Prefix[] = [];
  while (withdrawnPart.remaining > 0) withdrawn.push(readPrefix(withdrawnPart, 4));
  const wire = readAttributes(reader.bytes(reader.u16()), isFourOctetAs);
  const nlri: Prefix[] = [];
  while (reader.remaining > 0) nlri.push(readPrefix(reader, 4));
  if (nlri.length > 0 && wire.nextHop === undefined) throw new MessageError(3, 3, 'no next hop', Uint8Array.of(3));
  return { type: 'update', withdrawn, nlri, ...wire };
}

/** @param bytes one whole message, header included */
export function decode(bytes: Uint8Array, options: { readonly isFourOctetAs: boolean }): Message {
  const kind = (bytes[18] ?? 0) - 1;
  const overrun: readonly MessageError[] = [];
  const subcode = kind === 0 ? [2, 0] : [3, 1];
  const reader = new Reader(
    bytes,
    () => overrun[0] ?? new MessageError(subcode[0] as number, subcode[1] as number, 'message runs over its end'),
    headerLength,
  );
  switch (types[kind]) {
    case 'open':
      return decodeOpen(reader);
    case 'update':
      return decodeUpdate(reader, options.isFourOctetAs);
    case 'notification':
      return { type: 'notification', code: reader.u8(), subcode: reader.u8(), data: reader.bytes(reader.remaining).slice() };
    case 'keepalive':
      return { type: 'keepalive' };
    case 'route-refresh': {
      const afi = reader.u16();
      reader.u8();
      return { type: 'route-refresh', family: familyOf(afi, reader.u8()) };
    }
    default:
      throw new MessageError(1, 3, `message type ${kind + 1}`, Uint8Array.of(kind + 1));
  }
}

/** Cuts a byte stream into messages. */
export class MessageStream {
  #pending: Uint8Array = new Uint8Array();

  push(bytes: Uint8Array): void {
    if (this.#pending.length === 0) {
      this.#pending = bytes;
      return;
    }
    const joined = new Uint8Array(this.#pending.length + bytes.length);
    joined.set(this.#pending);
    joined.set(bytes, this.#pending.length);
    this.#pending = joined;
  }

  /**
   * The next whole message, or undefined while more bytes are needed.
   * @throws MessageError Message Header Error (RFC 4271 §6.1)
   */
  next(): Uint8Array | undefined {
    const bytes = this.#pending;
    if (bytes.length < headerLength) return undefined;
    for (let index = 0; index < 16; index++) if (bytes[index] !== 0xff) throw new MessageError(1, 1, 'marker');
    const length = ((bytes[16] as number) << 8) | (bytes[17] as number);
    const kind = (bytes[18] as number) - 1;
    const minimum = minimumLengths[kind];
    if (minimum === undefined) throw new MessageError(1, 3, `message type ${kind + 1}`, bytes.slice(18, 19));
    if (length < minimum || length > maximumLength) throw new MessageError(1, 2, `length ${length}`, bytes.slice(16, 18));
    if (bytes.length < length) return undefined;
    this.#pending = bytes.subarray(length);
    return bytes.subarray(0, length);
  }
}

/** Names of NOTIFICATION codes and subcodes, as FRR prints them. */
const codeNames = [
  '',
  'Message Header Error',
  'OPEN Message Error',
  'UPDATE Message Error',
  'Hold Timer Expired',
  'Neighbor Events Error',
  'Cease',
  'CAPABILITY Message Error',
  'ROUTE-REFRESH Message Error',
];
const subcodeNames: Readonly<Record<number, readonly string[]>> = {
  1: ['/Unspecific', '/Connection Not Synchronized', '/Bad Message Length', '/Bad Message Type'],
  2: [
    '/Unspecific',
    '/Unsupported Version Number',
    '/Bad Peer AS',
    '/Bad BGP Identifier',
    '/Unsupported Optional Parameter',
    '/Authentication Failure',
    '/Unacceptable Hold Time',
    '/Unsupported Capability',
    '',
    '',
    '',
    '/Role Mismatch',
  ],
  3: [
    '/Unspecific',
    '/Malformed Attribute List',
    '/Unrecognized Well-known Attribute',
    '/Missing Well-known Attribute',
    '/Attribute Flags Error',
    '/Attribute Length Error',
    '/Invalid ORIGIN Attribute',
    '/AS Routing Loop',
    '/Invalid NEXT_HOP Attribute',
    '/Optional Attribute Error',
    '/Invalid Network Field',
    '/Malformed AS_PATH',
  ],
  5: [
    '/Unspecific',
    '/Receive Unexpected Message in OpenSent State',
    '/Receive Unexpected Message in OpenConfirm State',
    '/Receive Unexpected Message in Established State',
  ],
  6: [
    '/Unspecific',
    '/Maximum Number of Prefixes Reached',
    '/Administrative Shutdown',
    '/Peer De-configured',
    '/Administrative Reset',
    '/Connection Rejected',
    '/Other Configuration Change',
    '/Connection Collision Resolution',
    '/Out of Resources',
    '/Hard Reset',
  ],
};

/** `OPEN Message Error/Bad Peer AS`, as in FRR's `show bgp neighbors`. */
export function notificationText(code: number, subcode: number): string {
  return `${codeNames[code] ?? 'Unrecognized Error Code'}${subcodeNames[code]?.[subcode] ?? ''}`;
}
