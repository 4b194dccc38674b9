import type { Lab } from '../port/lab.ts';
import { Cilium } from './cilium.ts';
import { Curl } from './curl.ts';
import { Hubble } from './hubble.ts';
import { Ip } from './ip.ts';
import { Kubectl } from './kubectl.ts';
import { Vtysh } from './vtysh.ts';

export interface Readers {
  readonly kubectl: Kubectl;
  readonly cilium: Cilium;
  readonly vtysh: Vtysh;
  readonly curl: Curl;
  readonly ip: Ip;
  readonly hubble: Hubble;
}

/** One reader a tool, all on the same lab. */
export function openReaders(lab: Lab): Readers {
  return {
    kubectl: new Kubectl(lab),
    cilium: new Cilium(lab),
    vtysh: new Vtysh(lab),
    curl: new Curl(lab),
    ip: new Ip(lab),
    hubble: new Hubble(lab),
  };
}
