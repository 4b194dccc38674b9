/** What a drawing of a lab shows: boxes, some of them in the frame of a cluster, and the links between their interfaces. */
export interface Picture {
  readonly title: string;
  readonly nodes: readonly PictureNode[];
  readonly links: readonly PictureLink[];
  /** Frames around nodes, by name. */
  readonly groups: readonly string[];
}

export interface PictureNode {
  readonly id: string;
  readonly kind: 'router' | 'kube-node' | 'host';
  readonly as: number | undefined;
  /** Small print: address on a loopback, other containers that live in the same network namespace. */
  readonly details: readonly string[];
  readonly group: string | undefined;
}

export interface PictureEnd {
  readonly node: string;
  readonly interfaceName: string;
  readonly addresses: readonly string[];
}

export interface PictureLink {
  readonly a: PictureEnd;
  readonly b: PictureEnd;
  /** Of the BGP session between the two ends, when there is one. */
  readonly session: SessionState | undefined;
}

/** `established`, or what the session is at. */
export type SessionState = 'established' | (string & {});
