import type { Ip, Prefix } from '../net/types.ts';
import { addressBytes, MessageError, Reader, readAddress, readPrefix, Writer, writePrefix } from './bytes.ts';
import { afiOf, familyOf } from './capabilities.ts';
import type { BgpFamily, Origin, PathAttributes } from './types.ts';

const flag = { optional: 0x80, transitive: 0x40, partial: 0x20, extendedLength: 0x10 } as const;
const type = {
  origin: 1,
  asPath: 2,
  nextHop: 3,
  med: 4,
  localPref: 5,
  atomicAggregate: 6,
  aggregator: 7,
  communities: 8,
  originatorId: 9,
  clusterList: 10,
  mpReach: 14,
  mpUnreach: 15,
  as4Path: 17,
  largeCommunities: 32,
} as const;
const asTrans = 23456;
const origins: readonly Origin[] = ['igp', 'egp', 'incomplete'];

export interface MpReach {
  readonly family: BgpFamily;
  readonly nextHop: Ip;
  readonly linkLocalNextHop?: Ip;
  readonly nlri: readonly Prefix[];
}

export interface MpUnreach {
  readonly family: BgpFamily;
  readonly withdrawn: readonly Prefix[];
}

/** The attributes as they stand on the wire: the next hop may be in MP_REACH_NLRI or in its own attribute. */
export interface WireAttributes {
  readonly attributes: Omit<PathAttributes, 'nextHop' | 'linkLocalNextHop'> | undefined;
  readonly nextHop: Ip | undefined;
  readonly mpReach: MpReach | undefined;
  readonly mpUnreach: MpUnreach | undefined;
}

/** How implementations lay out what RFC 4271 leaves open (recorded: order of attributes, extended length bits). */
export interface AttributeStyle {
  readonly isMpFirst: boolean;
  readonly usesExtendedLength: boolean;
  readonly isFourOctetAs: boolean;
}

function emit(writer: Writer, flags: number, code: number, value: Uint8Array, extended = false): void {
  const isLong = extended || value.length > 255;
  writer.u8(isLong ? flags | flag.extendedLength : flags).u8(code);
  if (isLong) writer.u16(value.length);
  else writer.u8(value.length);
  writer.bytes(value);
}

function asPathBytes(path: PathAttributes['asPath'], isFourOctetAs: boolean): Uint8Array {
  const writer = new Writer();
  const asn = (value: number) => (isFourOctetAs ? writer.u32(value) : writer.u16(value > 0xffff ? asTrans : value));
  let index = 0;
  while (index < path.length) {
    const item = path[index];
    if (item !== undefined && typeof item !== 'number') {
      writer.u8(1).u8(item.set.length);
      for (const value of item.set) asn(value);
      index++;
      continue;
    }
    let end = index;
    while (end < path.length && typeof path[end] === 'number' && end - index < 255) end++;
    writer.u8(2).u8(end - index);
    for (; index < end; index++) asn(path[index] as number);
  }
  return writer.finish();
}

function mpReachBytes(reach: MpReach): Uint8Array {
  const writer = new Writer();
  const nextHop = addressBytes(reach.nextHop);
  if (reach.linkLocalNextHop !== undefined) nextHop.push(...addressBytes(reach.linkLocalNextHop));
  writer.u16(afiOf(reach.family)).u8(1).u8(nextHop.length).bytes(nextHop).u8(0);
  for (const nlri of reach.nlri) writePrefix(writer, nlri);
  return writer.finish();
}

export function writeAttributes(wire: WireAttributes, style: AttributeStyle): Uint8Array {
  const writer = new Writer();
  const { attributes } = wire;
  const mp = () => {
    if (wire.mpReach !== undefined) emit(writer, flag.optional, type.mpReach, mpReachBytes(wire.mpReach), style.usesExtendedLength);
  };
  if (style.isMpFirst) mp();
  if (attributes !== undefined) {
    emit(writer, flag.transitive, type.origin, Uint8Array.of(origins.indexOf(attributes.origin)));
    emit(writer, flag.transitive, type.asPath, asPathBytes(attributes.asPath, style.isFourOctetAs), style.usesExtendedLength);
    if (wire.nextHop !== undefined) emit(writer, flag.transitive, type.nextHop, Uint8Array.from(addressBytes(wire.nextHop)));
    if (attributes.med !== undefined) emit(writer, flag.optional, type.med, new Writer().u32(attributes.med).finish());
    if (attributes.localPref !== undefined) emit(writer, flag.transitive, type.localPref, new Writer().u32(attributes.localPref).finish());
    if (attributes.atomicAggregate === true) emit(writer, flag.transitive, type.atomicAggregate, new Uint8Array());
    if (attributes.aggregator !== undefined) {
      const value = new Writer();
      if (style.isFourOctetAs) value.u32(attributes.aggregator.asn);
      else value.u16(attributes.aggregator.asn > 0xffff ? asTrans : attributes.aggregator.asn);
      emit(writer, flag.optional | flag.transitive, type.aggregator, value.bytes(addressBytes(attributes.aggregator.routerId)).finish());
    }
    if (attributes.communities !== undefined && attributes.communities.length > 0) {
      const value = new Writer();
      for (const community of attributes.communities) value.u32(community);
      emit(writer, flag.optional | flag.transitive, type.communities, value.finish(), style.usesExtendedLength);
    }
    if (attributes.originatorId !== undefined)
      emit(writer, flag.optional, type.originatorId, Uint8Array.from(addressBytes(attributes.originatorId)));
    if (attributes.clusterList !== undefined && attributes.clusterList.length > 0) {
      const value = new Writer();
      for (const cluster of attributes.clusterList) value.bytes(addressBytes(cluster));
      emit(writer, flag.optional, type.clusterList, value.finish());
    }
    if (!style.isFourOctetAs && attributes.asPath.some((item) => typeof item === 'number' && item > 0xffff)) {
      emit(writer, flag.optional | flag.transitive, type.as4Path, asPathBytes(attributes.asPath, true));
    }
    if (attributes.largeCommunities !== undefined && attributes.largeCommunities.length > 0) {
      const value = new Writer();
      for (const parts of attributes.largeCommunities) for (const part of parts) value.u32(part);
      emit(writer, flag.optional | flag.transitive, type.largeCommunities, value.finish(), style.usesExtendedLength);
    }
  }
  if (!style.isMpFirst) mp();
  if (wire.mpUnreach !== undefined) {
    const value = new Writer();
    value.u16(afiOf(wire.mpUnreach.family)).u8(1);
    for (const nlri of wire.mpUnreach.withdrawn) writePrefix(value, nlri);
    emit(writer, flag.optional, type.mpUnreach, value.finish(), style.usesExtendedLength);
  }
  return writer.finish();
}

function readAsPath(reader: Reader, isFourOctetAs: boolean): (number | { set: number[] })[] {
  const path: (number | { set: number[] })[] = [];
  while (reader.remaining > 0) {
    const kind = reader.u8();
    const count = reader.u8();
    const list: number[] = [];
    for (let index = 0; index < count; index++) list.push(isFourOctetAs ? reader.u32() : reader.u16());
    if (kind === 1) path.push({ set: list });
    else if (kind === 2) path.push(...list);
    else throw new MessageError(3, 11, `segment type ${kind}`);
  }
  return path;
}

function all<T>(reader: Reader, read: () => T): T[] {
  const list: T[] = [];
  while (reader.remaining > 0) list.push(read());
  return list;
}

/** @throws MessageError UPDATE Message Error with the subcode of RFC 4271 §6.3 */
export function readAttributes(bytes: Uint8Array, isFourOctetAs: boolean): WireAttributes {
  const reader = new Reader(bytes, () => new MessageError(3, 1, 'attributes run over the end'));
  const seen = new Set<number>();
  let origin: Origin | undefined;
  let asPath: PathAttributes['asPath'] | undefined;
  let as4Path: PathAttributes['asPath'] | undefined;
  let nextHop: Ip | undefined;
  let mpReach: MpReach | undefined;
  let mpUnreach: MpUnreach | undefined;
  const rest: { -readonly [Key in keyof PathAttributes]?: PathAttributes[Key] } = {};
  while (reader.remaining > 0) {
    const flags = reader.u8();
    const code = reader.u8();
    const value = reader.bytes((flags & flag.extendedLength) !== 0 ? reader.u16() : reader.u8());
    if (seen.has(code)) throw new MessageError(3, 1, `attribute ${code} comes twice`);
    seen.add(code);
    const inner = new Reader(value, () => new MessageError(3, 5, `attribute ${code} is too short`, value));
    switch (code) {
      case type.origin:
        origin = origins[inner.u8()];
        if (origin === undefined) throw new MessageError(3, 6, 'unknown origin', value);
        break;
      case type.asPath:
        asPath = readAsPath(inner, isFourOctetAs);
        break;
      case type.as4Path:
        as4Path = readAsPath(inner, true);
        break;
      case type.nextHop:
        nextHop = readAddress(inner.bytes(4), 4);
        break;
      case type.med:
        rest.med = inner.u32();
        break;
      case type.localPref:
        rest.localPref = inner.u32();
        break;
      case type.atomicAggregate:
        rest.atomicAggregate = true;
        break;
      case type.aggregator:
        rest.aggregator = { asn: isFourOctetAs ? inner.u32() : inner.u16(), routerId: readAddress(inner.bytes(4), 4) };
        break;
      case type.communities:
        rest.communities = all(inner, () => inner.u32());
        break;
      case type.originatorId:
        rest.originatorId = readAddress(inner.bytes(4), 4);
        break;
      case type.clusterList:
        rest.clusterList = all(inner, () => readAddress(inner.bytes(4), 4));
        break;
      case type.largeCommunities:
        rest.largeCommunities = all(inner, () => [inner.u32(), inner.u32(), inner.u32()] as const);
        break;
      case type.mpReach: {
        const family = familyOf(inner.u16(), inner.u8());
        const length = inner.u8();
        const hop = inner.bytes(length);
        inner.u8();
        if (family === undefined) break;
        if (length !== 4 && length !== 16 && length !== 32) throw new MessageError(3, 9, `next hop of ${length} bytes`, value);
        const nlri = all(inner, () => readPrefix(inner, family === 'ipv4-unicast' ? 4 : 6));
        mpReach = {
          family,
          nextHop: readAddress(hop, length === 4 ? 4 : 6),
          ...(length === 32 ? { linkLocalNextHop: readAddress(hop.subarray(16), 6) } : {}),
          nlri,
        };
        break;
      }
      case type.mpUnreach: {
        const family = familyOf(inner.u16(), inner.u8());
        if (family === undefined) break;
        mpUnreach = { family, withdrawn: all(inner, () => readPrefix(inner, family === 'ipv4-unicast' ? 4 : 6)) };
        break;
      }
      default:
        if ((flags & flag.optional) === 0) throw new MessageError(3, 2, `unknown well-known attribute ${code}`, value);
    }
  }
  const path =
    !isFourOctetAs && as4Path !== undefined && asPath !== undefined && as4Path.length <= asPath.length
      ? [...asPath.slice(0, asPath.length - as4Path.length), ...as4Path]
      : asPath;
  const attributes =
    origin === undefined && path === undefined ? undefined : { origin: origin ?? 'incomplete', asPath: path ?? [], ...rest };
  return { attributes, nextHop, mpReach, mpUnreach };
}

export { origins };
