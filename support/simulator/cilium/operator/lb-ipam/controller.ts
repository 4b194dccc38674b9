import { type Condition, type Service, timestamp } from '../../../kubernetes/objects.ts';
import { type LoadBalancerIpPool, resources } from '../../objects.ts';
import { createTrigger } from '../../trigger.ts';
import { isAtLeast } from '../../version.ts';
import type { OperatorContext, OperatorPart } from '../operator-context.ts';
import { LbIpam, serviceConditionType } from './lb-ipam.ts';

/** Watches services and pools for {@link LbIpam} and writes what it decides. */
export function startLbIpam({ api, clock, config, version, log, panic }: OperatorContext): OperatorPart {
  const isOn = (key: string, fallback = false) => (config.get(key) ?? String(fallback)) === 'true';
  if (isAtLeast(version, 17) && !isOn('enable-lb-ipam', true)) return { stop() {} };
  const lbIpam = new LbIpam(
    {
      version,
      hasIpv4: isOn('enable-ipv4', true),
      hasIpv6: isOn('enable-ipv6'),
      hasBgp: isOn('enable-bgp-control-plane'),
      hasL2Announcements: isOn('enable-l2-announcements'),
      comparesProtocols: isAtLeast(version, 19) || (isAtLeast(version, 17) && isOn('bpf-lb-proto-diff', true)),
      isDefault: (config.get('default-lb-service-ipam') ?? 'lbipam') === 'lbipam',
    },
    () => timestamp(clock.now()),
    (level, message, fields) => log(level, message, { subsys: 'lbipam', ...fields }),
  );
  lbIpam.start(api.list<Service>(resources.service), byCreation(api.list<LoadBalancerIpPool>(resources.pool)));

  const writeAll = (): void => {
    for (const write of lbIpam.takeWrites()) {
      if (write.kind === 'pool') {
        if (api.get(resources.pool, write.name) === undefined) continue;
        api.patch(resources.pool, write.name, undefined, { status: { conditions: write.conditions } }, { subresource: 'status' });
        continue;
      }
      const service = api.get<Service>(resources.service, write.name, write.namespace);
      if (service === undefined) continue;
      const others = (service.status.conditions ?? []).filter(({ type }) => type !== serviceConditionType);
      const conditions: readonly Condition[] = write.condition === undefined ? others : [...others, write.condition];
      api.patch(
        resources.service,
        write.name,
        write.namespace,
        {
          status: {
            conditions: conditions.length > 0 ? conditions : null,
            loadBalancer: { ingress: write.ingress.length > 0 ? write.ingress.map((address) => ({ ip: address })) : null },
          },
        },
        { subresource: 'status' },
      );
    }
  };
  const flush = createTrigger(clock, 0, writeAll);
  flush.fire();
  const stopServices = api.watch<Service>(resources.service, ({ type, object }) => {
    if (type === 'DELETED') lbIpam.deleteService(`${object.metadata.namespace}/${object.metadata.name}`);
    else lbIpam.upsertService(object);
    flush.fire();
  });
  const stopPools = api.watch<LoadBalancerIpPool>(resources.pool, ({ type, object }) => {
    if (type === 'DELETED' && lbIpam.panicsOnDeletion(object.metadata.name)) {
      writeAll();
      panic();
      return;
    }
    if (type === 'DELETED') lbIpam.deletePool(object.metadata.name);
    else lbIpam.upsertPool(object);
    flush.fire();
  });
  return {
    stop() {
      stopServices();
      stopPools();
      flush.stop();
    },
  };
}

/** Cilium's order after a restart is that of its cache; the simulator takes the order of creation. */
function byCreation(pools: readonly LoadBalancerIpPool[]): readonly LoadBalancerIpPool[] {
  return pools.toSorted((a, b) =>
    a.metadata.creationTimestamp < b.metadata.creationTimestamp ? -1 : a.metadata.creationTimestamp > b.metadata.creationTimestamp ? 1 : 0,
  );
}
