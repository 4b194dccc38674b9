import { Reader, Writer } from './bytes.ts';
import type { BgpFamily } from './types.ts';

/** What an OPEN offers (IANA "Capability Codes"); codes that nobody here knows are kept as bytes. */
export type Capability =
  | { readonly kind: 'multiprotocol'; readonly family: BgpFamily }
  | { readonly kind: 'route-refresh' | 'route-refresh-cisco' | 'enhanced-route-refresh' | 'extended-message' }
  | { readonly kind: 'extended-next-hop'; readonly families: readonly { readonly family: BgpFamily; readonly nextHopAfi: number }[] }
  | { readonly kind: 'four-octet-as'; readonly asn: number }
  | {
      readonly kind: 'graceful-restart';
      /** R and N bits (RFC 4724, RFC 8538). */
      readonly flags: number;
      readonly restartTimeSeconds: number;
      readonly families: readonly { readonly family: BgpFamily; readonly isPreserved: boolean }[];
    }
  | {
      readonly kind: 'add-path';
      /** 1 receive, 2 send, 3 both. */ readonly families: readonly { readonly family: BgpFamily; readonly mode: number }[];
    }
  | {
      readonly kind: 'long-lived-graceful-restart';
      readonly families: readonly { readonly family: BgpFamily; readonly flags: number; readonly staleTimeSeconds: number }[];
    }
  | { readonly kind: 'fqdn'; readonly hostname: string; readonly domain: string }
  | { readonly kind: 'unknown'; readonly code: number; readonly value: Uint8Array };

const afis: Readonly<Record<BgpFamily, number>> = { 'ipv4-unicast': 1, 'ipv6-unicast': 2 };

export function afiOf(family: BgpFamily): number {
  return afis[family];
}

/** Undefined for a family that is not modelled. */
export function familyOf(afi: number, safi: number): BgpFamily | undefined {
  if (safi !== 1) return undefined;
  return afi === 1 ? 'ipv4-unicast' : afi === 2 ? 'ipv6-unicast' : undefined;
}

export function writeCapability(writer: Writer, capability: Capability): void {
  const value = new Writer();
  let code: number;
  switch (capability.kind) {
    case 'multiprotocol':
      code = 1;
      value.u16(afiOf(capability.family)).u8(0).u8(1);
      break;
    case 'route-refresh':
      code = 2;
      break;
    case 'extended-next-hop':
      code = 5;
      for (const { family, nextHopAfi } of capability.families) value.u16(afiOf(family)).u16(1).u16(nextHopAfi);
      break;
    case 'extended-message':
      code = 6;
      break;
    case 'graceful-restart':
      code = 64;
      value.u16((capability.flags << 12) | capability.restartTimeSeconds);
      for (const { family, isPreserved } of capability.families)
        value
          .u16(afiOf(family))
          .u8(1)
          .u8(isPreserved ? 0x80 : 0);
      break;
    case 'four-octet-as':
      code = 65;
      value.u32(capability.asn);
      break;
    case 'add-path':
      code = 69;
      for (const { family, mode } of capability.families) value.u16(afiOf(family)).u8(1).u8(mode);
      break;
    case 'enhanced-route-refresh':
      code = 70;
      break;
    case 'long-lived-graceful-restart':
      code = 71;
      for (const { family, flags, staleTimeSeconds } of capability.families) {
        value
          .u16(afiOf(family))
          .u8(1)
          .u8(flags)
          .u8(staleTimeSeconds >>> 16)
          .u16(staleTimeSeconds & 0xffff);
      }
      break;
    case 'fqdn': {
      code = 73;
      const encoder = new TextEncoder();
      for (const name of [capability.hostname, capability.domain]) {
        const bytes = encoder.encode(name).slice(0, 64);
        value.u8(bytes.length).bytes(bytes);
      }
      break;
    }
    case 'route-refresh-cisco':
      code = 128;
      break;
    case 'unknown':
      code = capability.code;
      value.bytes(capability.value);
      break;
  }
  writer.u8(code).u8(value.length).bytes(value.finish());
}

function perFamily<T>(reader: Reader, size: number, read: (afi: number, safi: number) => T | undefined): T[] {
  const list: T[] = [];
  while (reader.remaining >= size) {
    const afi = reader.u16();
    const value = read(afi, reader.u8());
    if (value !== undefined) list.push(value);
  }
  return list;
}

export function readCapability(code: number, bytes: Uint8Array): Capability {
  const unknown: Capability = { kind: 'unknown', code, value: bytes.slice() };
  const reader = new Reader(bytes, () => new RangeError('capability is too short'));
  try {
    switch (code) {
      case 1: {
        const afi = reader.u16();
        reader.u8();
        const family = familyOf(afi, reader.u8());
        return family === undefined ? unknown : { kind: 'multiprotocol', family };
      }
      case 2:
        return { kind: 'route-refresh' };
      case 5: {
        const families: { family: BgpFamily; nextHopAfi: number }[] = [];
        while (reader.remaining >= 6) {
          const family = familyOf(reader.u16(), reader.u16());
          const nextHopAfi = reader.u16();
          if (family !== undefined) families.push({ family, nextHopAfi });
        }
        return { kind: 'extended-next-hop', families };
      }
      case 6:
        return { kind: 'extended-message' };
      case 64: {
        const head = reader.u16();
        const families = perFamily(reader, 4, (afi, safi) => {
          const flags = reader.u8();
          const family = familyOf(afi, safi);
          return family === undefined ? undefined : { family, isPreserved: (flags & 0x80) !== 0 };
        });
        return { kind: 'graceful-restart', flags: head >>> 12, restartTimeSeconds: head & 0xfff, families };
      }
      case 65:
        return { kind: 'four-octet-as', asn: reader.u32() };
      case 69:
        return {
          kind: 'add-path',
          families: perFamily(reader, 4, (afi, safi) => {
            const mode = reader.u8();
            const family = familyOf(afi, safi);
            return family === undefined ? undefined : { family, mode };
          }),
        };
      case 70:
        return { kind: 'enhanced-route-refresh' };
      case 71:
        return {
          kind: 'long-lived-graceful-restart',
          families: perFamily(reader, 7, (afi, safi) => {
            const flags = reader.u8();
            const staleTimeSeconds = reader.u8() * 0x10000 + reader.u16();
            const family = familyOf(afi, safi);
            return family === undefined ? undefined : { family, flags, staleTimeSeconds };
          }),
        };
      case 73: {
        const decoder = new TextDecoder();
        const hostname = decoder.decode(reader.bytes(reader.u8()));
        const domain = reader.remaining > 0 ? decoder.decode(reader.bytes(reader.u8())) : '';
        return { kind: 'fqdn', hostname, domain };
      }
      case 128:
        return { kind: 'route-refresh-cisco' };
      default:
        return unknown;
    }
  } catch (error) {
    if (error instanceof RangeError) return unknown;
    throw error;
  }
}
