import type { CiliumVersion } from '../types.ts';
import { isAtLeast, isBefore } from '../version.ts';
import type { HelmValues } from './chart-defaults.ts';

export type Scalar = string | number | boolean;

/** A list as the template joins it; a text stands for itself. */
export const joined = (value: readonly Scalar[] | string | null, by = ' '): string =>
  typeof value === 'string' ? value : (value ?? []).join(by);

/** Where the sections of the template write to: `data` of the ConfigMap, whose values are texts. */
export class ConfigWriter {
  readonly data: Record<string, string> = {};
  readonly values: HelmValues;
  readonly version: CiliumVersion;
  /** Minor release of Kubernetes: the chart of 1.16 raises the clients' limits from 1.27 on. */
  readonly kubeMinor: number;
  /** `kubeProxyReplacement`, whose default is false. */
  readonly replacesKubeProxy: boolean;
  readonly chainingMode: string;

  constructor(values: HelmValues, version: CiliumVersion, kubeMinor: number) {
    this.values = values;
    this.version = version;
    this.kubeMinor = kubeMinor;
    this.replacesKubeProxy = String(values.kubeProxyReplacement) === 'true';
    this.chainingMode = values.cni.chainingMode ?? (values.cni.chainingTarget === null ? 'none' : 'generic-veth');
  }

  /** The chart is that of 1.`minor` or later. */
  since(minor: number): boolean {
    return isAtLeast(this.version, minor);
  }

  /** The chart is that of 1.`minor`.`patch` or later; what came in a patch of several lines is asked for once a line. */
  sincePatch(minor: number, patch: number): boolean {
    return !isBefore(this.version, minor, patch);
  }

  set(key: string, value: Scalar): void {
    this.data[key] = String(value);
  }

  /** The template's `hasKey` and `not (kindIs "invalid" …)`: nothing is written for what nobody set. */
  setIfGiven(key: string, value: Scalar | null): void {
    if (value !== null) this.set(key, value);
  }

  /** The template's `if`: nought, an empty text, false and nothing are not written. */
  setIfTrue(key: string, value: Scalar | null): void {
    if (value !== null && value !== '' && value !== 0 && value !== false) this.set(key, value);
  }
}
