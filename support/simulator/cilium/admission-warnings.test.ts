import { expect, it } from 'vitest';
import { unmodelledParts } from './admission-warnings.ts';

it.each<{ name: string; kind: string; spec: Readonly<Record<string, unknown>>; said: readonly string[] }>([
  { name: 'an ordinary pool', kind: 'CiliumLoadBalancerIPPool', spec: { blocks: [] }, said: [] },
  {
    name: 'a pool of pod addresses that selects its pods',
    kind: 'CiliumPodIPPool',
    spec: { podSelector: {} },
    said: ['not simulated: podSelector of a CiliumPodIPPool; pods choose by annotation'],
  },
  {
    name: 'a neighbor with another family',
    kind: 'CiliumBGPPeeringPolicy',
    spec: {
      virtualRouters: [
        {
          neighbors: [
            {
              families: [
                { afi: 'ipv4', safi: 'unicast' },
                { afi: 'l2vpn', safi: 'evpn' },
              ],
            },
          ],
        },
      ],
    },
    said: ['not simulated: address family l2vpn/evpn'],
  },
  {
    name: 'an advertisement of interfaces and aggregates',
    kind: 'CiliumBGPAdvertisement',
    spec: {
      advertisements: [{ advertisementType: 'Interface' }, { advertisementType: 'Service', service: { aggregationLengthIPv4: 24 } }],
    },
    said: [],
  },
])('$name', ({ kind, spec, said }) => {
  expect(unmodelledParts({ apiVersion: 'cilium.io/v2alpha1', kind, metadata: { name: 'x' }, spec })).toEqual(said);
});
