import type { PathAttributes } from './types.ts';

/** A speaker whose attributes keep changing starts over: what is in its tables stays, and is shared no longer. */
const most = 8192;

/** Attributes as tables hold them: those that say the same are one object, as FRR keeps them (bgp_attr.c, `attrhash`). */
export class AttributePool {
  readonly #byKey = new Map<string, PathAttributes>();

  intern(attributes: PathAttributes): PathAttributes {
    const key = keyOf(attributes);
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    if (this.#byKey.size >= most) this.#byKey.clear();
    this.#byKey.set(key, attributes);
    return attributes;
  }
}

function keyOf(attributes: PathAttributes): string {
  const { origin, asPath, nextHop, linkLocalNextHop, med, localPref, atomicAggregate, aggregator } = attributes;
  let key = `${origin} ${nextHop.text} ${linkLocalNextHop?.text ?? ''} ${med ?? ''} ${localPref ?? ''}`;
  for (const item of asPath) key += typeof item === 'number' ? ` ${item}` : ` {${item.set.join()}}`;
  const { communities, largeCommunities, originatorId, clusterList } = attributes;
  if (communities !== undefined) key += ` c${communities.join()}`;
  if (largeCommunities !== undefined) key += ` l${largeCommunities.join(';')}`;
  if (originatorId !== undefined) key += ` o${originatorId.text}`;
  if (clusterList !== undefined) key += ` k${clusterList.map(({ text }) => text).join()}`;
  if (aggregator !== undefined) key += ` a${aggregator.asn} ${aggregator.routerId.text}`;
  return atomicAggregate === undefined ? key : `${key} ${atomicAggregate}`;
}
