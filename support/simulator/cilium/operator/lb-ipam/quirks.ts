import type { CiliumVersion } from '../../types.ts';
import { isAtLeast } from '../../version.ts';

/** Where releases differ in what they do with the same objects; each is a change in upstream's operator/pkg/lbipam. */
export interface Quirks {
  /**
   * A block that changes takes its addresses away before the new block exists, and services without addresses are
   * served before those with: widening a pool may move services. Mended in 1.18.2.
   */
  readonly reassignsOnChange: boolean;
  /** One count of a pool is written per pass. Seen only on pools that cannot be used. Mended in 1.18.2. */
  readonly countsOneByOne: boolean;
  /** A sharing key forgets an address when any of its services leaves, not when the last does. Mended in 1.16.1. */
  readonly forgetsSharedEarly: boolean;
  /** Addresses found on a service at the operator's start belong to its sharing key. 1.16.3. */
  readonly importsSharingKeys: boolean;
  /** How the error texts of the operator begin. */
  readonly hasCapitalErrors: boolean;
}

export function quirksOf(version: CiliumVersion): Quirks {
  const isBefore = (minor: number, patch: number) =>
    !isAtLeast(version, minor) || (version.major === 1 && version.minor === minor && version.patch < patch);
  return {
    reassignsOnChange: isBefore(18, 2),
    countsOneByOne: isBefore(18, 2),
    forgetsSharedEarly: isBefore(16, 1),
    importsSharingKeys: !isBefore(16, 3),
    hasCapitalErrors: isBefore(17, 0),
  };
}
