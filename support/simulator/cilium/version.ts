import { ContentError } from '../../verdict/errors.ts';
import type { CiliumVersion } from './types.ts';

/** Releases whose resources, defaults and texts are known here. */
export const modelledMinors = [16, 17, 18, 19] as const;

/** @throws ContentError when it is no version, or one that is not modelled */
export function parseVersion(text: string): CiliumVersion {
  const match = /^v?(\d+)\.(\d+)\.(\d+)((?:-[0-9A-Za-z.-]+)?)$/.exec(text.trim());
  if (match === null) {
    throw new ContentError('cilium/version', `"${text}" is not a Cilium version`, { fix: 'write it like 1.16.0' });
  }
  const [major, minor, patch] = [Number(match[1]), Number(match[2]), Number(match[3])];
  if (major !== 1 || !modelledMinors.some((known) => known === minor)) {
    throw new ContentError('cilium/version', `Cilium ${text} is not simulated`, {
      hint: `releases 1.${modelledMinors[0]} to 1.${modelledMinors.at(-1)} are`,
    });
  }
  return { major, minor, patch, text: `${major}.${minor}.${patch}${match[4] ?? ''}` };
}

/** Whether `version` is 1.`minor` or later. */
export function isAtLeast(version: CiliumVersion, minor: number): boolean {
  return version.major > 1 || (version.major === 1 && version.minor >= minor);
}

/** A Cilium version is written with three numbers; `v` is part of the image's tag. */
export interface ComponentImages {
  readonly agent: string;
  readonly operator: string;
  readonly relay: string;
  readonly ui: string;
  readonly uiBackend: string;
  readonly envoy: string;
}

/** Repositories, as in `docker images`. */
export const repositories = {
  agent: 'quay.io/cilium/cilium',
  operator: 'quay.io/cilium/operator-generic',
  relay: 'quay.io/cilium/hubble-relay',
  ui: 'quay.io/cilium/hubble-ui',
  uiBackend: 'quay.io/cilium/hubble-ui-backend',
  envoy: 'quay.io/cilium/cilium-envoy',
} as const;

/** Tags and digests that the chart of 1.16.0 pins (its values.yaml). */
const pinned: Readonly<Record<string, ComponentImages>> = {
  '1.16.0': {
    agent: 'v1.16.0@sha256:46ffa4ef3cf6d8885dcc4af5963b0683f7d59daa90d49ed9fb68d3b1627fe058',
    operator: 'v1.16.0@sha256:d6621c11c4e4943bf2998af7febe05be5ed6fdcf812b27ad4388f47022190316',
    relay: 'v1.16.0@sha256:33fca7776fc3d7b2abe08873319353806dc1c5e07e12011d7da4da05f836ce8d',
    ui: 'v0.13.1@sha256:e2e9313eb7caf64b0061d9da0efbdad59c6c461f6ca1752768942bfeda0796c6',
    uiBackend: 'v0.13.1@sha256:0e0eed917653441fded4e7cdb096b7be6a3bddded5a2dd10812a27b1fc6ed95b',
    envoy: 'v1.29.7-39a2a56bbd5b3a591f69dbca51d3e30ef97e0e51@sha256:bd5ff8c66716080028f414ec1cb4f7dc66f40d2fb5a009fff187f4a9b90b566b',
  },
};

/** Full references of a release's images. Of releases without pinned digests the tag alone is given. */
export function imagesOf(version: CiliumVersion): ComponentImages {
  const tags = pinned[version.text];
  const own = `v${version.text}`;
  return {
    agent: `${repositories.agent}:${tags?.agent ?? own}`,
    operator: `${repositories.operator}:${tags?.operator ?? own}`,
    relay: `${repositories.relay}:${tags?.relay ?? own}`,
    ui: `${repositories.ui}:${tags?.ui ?? 'v0.13.2'}`,
    uiBackend: `${repositories.uiBackend}:${tags?.uiBackend ?? 'v0.13.2'}`,
    // Envoy has its own release numbers; the chart's exact build of the other releases is not known here.
    envoy: `${repositories.envoy}:${tags?.envoy ?? own}`,
  };
}

/** Whether `version` is older than 1.`minor`.`patch`. */
export function isBefore(version: CiliumVersion, minor: number, patch: number): boolean {
  return !isAtLeast(version, minor) || (version.major === 1 && version.minor === minor && version.patch < patch);
}
