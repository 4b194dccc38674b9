import type { Secret } from '../../kubernetes/objects.ts';
import type { ApiClient, ObjectInput } from '../../kubernetes/types.ts';
import { ciliumNamespace } from '../objects.ts';

export interface HelmRelease {
  readonly name: string;
  readonly version: string;
}

const name = 'cilium';

/**
 * The Secret in which Helm keeps a release: JSON in base64 (Kubernetes encodes it once more). Helm packs it with gzip,
 * but also reads it unpacked, which is what is written here.
 */
export function releaseSecret(version: string, values: unknown, revision: number): ObjectInput {
  const release = {
    name,
    info: { status: 'deployed' },
    chart: { metadata: { name, version, appVersion: version } },
    config: values ?? {},
    version: revision,
    namespace: ciliumNamespace,
  };
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'helm.sh/release.v1',
    metadata: {
      name: `sh.helm.release.v1.${name}.v${revision}`,
      namespace: ciliumNamespace,
      labels: { name, owner: 'helm', status: 'deployed', version: String(revision) },
    },
    data: { release: btoa(encode(JSON.stringify(release))) },
  };
}

/** Base64 of a text's UTF-8 bytes. */
const encode = (text: string) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));
const decode = (text: string) => new TextDecoder().decode(Uint8Array.from(atob(text), (char) => char.charCodeAt(0)));

/** The deployed release, as `helm list` and `cilium status` find it. */
export function readRelease(api: ApiClient): HelmRelease | undefined {
  const secrets = api.list<Secret>('secrets', {
    namespace: ciliumNamespace,
    labels: { matchLabels: { name, owner: 'helm', status: 'deployed' } },
  });
  const data = secrets.at(-1)?.data?.['release'];
  if (data === undefined) return undefined;
  const parsed = JSON.parse(decode(atob(data))) as { readonly chart: { readonly metadata: { readonly version: string } } };
  return { name, version: parsed.chart.metadata.version };
}
