import type { CiliumVersion } from '../../types.ts';
import { isBefore } from '../../version.ts';

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
  /** The deletion of a pool with several blocks ends the operator's process: it goes through a slice that it shortens. Mended in mid 2025. */
  readonly panicsOnDeletion: boolean;
  /** How the error texts of the operator begin. */
  readonly hasCapitalErrors: boolean;
}

export function quirksOf(version: CiliumVersion): Quirks {
  return {
    reassignsOnChange: isBefore(version, 18, 2),
    countsOneByOne: isBefore(version, 18, 2),
    forgetsSharedEarly: isBefore(version, 16, 1),
    importsSharingKeys: !isBefore(version, 16, 3),
    panicsOnDeletion: isBefore(version, 16, 12) || (version.minor === 17 && isBefore(version, 17, 6)),
    hasCapitalErrors: isBefore(version, 17, 0),
  };
}
