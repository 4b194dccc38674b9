import type { OtherEngine } from './engine-context.ts';

/** What the doctor's probes saw. Each part is undefined where it could not be seen from here; nothing is concluded from that. */
export interface Facts {
  readonly platform: 'linux' | 'darwin' | 'other';
  readonly arch: 'amd64' | 'arm64';
  readonly docker:
    | { readonly answers: false; readonly reason: string }
    | {
        readonly answers: true;
        readonly version: string;
        readonly cgroupVersion: string | undefined;
        readonly memoryBytes: number | undefined;
        /** Whether the engine runs on this machine's own kernel; elsewhere (Docker Desktop) this machine's settings are not its own. */
        readonly isHere: boolean;
      };
  /** Version of each tool; null for one that is not there. */
  readonly tools: Readonly<Record<string, string | null>>;
  /** What the lab asks for. */
  readonly lab: {
    readonly cluster: string;
    readonly nodes: number;
    readonly hasTopology: boolean;
    readonly hasCilium: boolean;
    readonly isDual: boolean;
    /** Prefixes that the lab uses, each with what for. */
    readonly prefixes: readonly { readonly prefix: string; readonly use: string }[];
  };
  readonly kernel:
    | { readonly release: string; readonly isWsl: boolean; readonly config: Readonly<Record<string, boolean>> | undefined }
    | undefined;
  readonly sysctls: Readonly<Record<string, string | undefined>>;
  readonly memoryBytes: number | undefined;
  readonly freeDiskBytes: number | undefined;
  /** The engine of the docker command, where that is another one. */
  readonly otherEngine?: OtherEngine | undefined;
  /** Networks of the engine and routes of this machine that are not the lab's. */
  readonly foreignPrefixes: readonly {
    readonly prefix: string;
    readonly owner: string;
    readonly isRoute?: boolean;
    readonly fix?: string;
  }[];
  /** Of the nodes' network: the prefix of which the lab writes addresses, and those that it has. */
  readonly nodePrefix?: { readonly wanted: string; readonly is: readonly string[] } | undefined;
  /** Clusters of kind on the engine that are not the lab's, and whether the lab's own was made by somebody else. */
  readonly clusters?: { readonly others: readonly string[]; readonly isForeign: boolean } | undefined;
  /** Rules of the machine's firewall that drop what is forwarded, as iptables prints them. */
  readonly droppingRules: readonly string[] | undefined;
  readonly clab:
    | {
        readonly lostLinks: readonly string[];
        readonly stopped: readonly string[];
        /** Containers that should be there. */
        readonly missing: readonly string[];
      }
    | undefined;
  readonly nodes:
    | {
        readonly stopped: readonly string[];
        /** Addresses at the end of `up`, and now. */
        readonly moved: readonly { readonly node: string; readonly was: readonly string[]; readonly is: readonly string[] }[];
      }
    | undefined;
  /** The context of kubectl, where the lab is up. */
  readonly kubeContext: string | undefined;
  readonly isUp: boolean;
}

export interface Finding {
  readonly code: string;
  /** `broken`: the lab cannot work; `risk`: it may not. */
  readonly severity: 'broken' | 'risk';
  /** What is so. */
  readonly problem: string;
  /** What shows it. */
  readonly evidence: string;
  /** A command, or what to do. */
  readonly fix: string;
  /** The words of the mend, where the doctor can do it by itself without asking. */
  readonly mend?: readonly (readonly string[])[];
}
