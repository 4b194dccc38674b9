import type { Topology } from '../containerlab/topology.ts';
import type { Dialogue } from './dialogue.ts';

/** A parsed file of the lab. */
export interface ContentFile {
  readonly file: string;
  readonly documents: readonly unknown[];
}

/** What the simulator boots: the lab's files, already read. support/content's LabDefinition is one. */
export interface LabContent {
  readonly name: string;
  readonly cluster: ContentFile;
  readonly topology: { readonly source: ContentFile; readonly parsed: Topology; readonly files: ReadonlyMap<string, string> } | undefined;
  readonly cilium: { readonly version: string; readonly values: ContentFile | undefined } | undefined;
  readonly homeFiles: ReadonlyMap<string, string>;
  /** What the manifests of the home describe: file (relative to the home), document of the file, type. */
  readonly homeObjects?: readonly {
    readonly file: string;
    readonly document: number;
    readonly apiVersion: string;
    readonly kind: string;
  }[];
  readonly setup: readonly string[];
  readonly images: readonly ContentFile[];
  readonly programs: ReadonlyMap<string, Dialogue>;
}

/** A file of the lab that a simulated tool refused, and what it said: the author's to mend. */
export class RefusedContentError extends Error {
  readonly file: string;
  readonly reason: unknown;
  /** Which `---` document of the file. */
  readonly document: number;

  constructor(file: string, reason: unknown, document = 0) {
    super(reason instanceof Error ? reason.message : String(reason));
    this.name = 'RefusedContentError';
    this.file = file;
    this.reason = reason;
    this.document = document;
  }
}
