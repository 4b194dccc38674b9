import { type Condition, type Lease, type Service, timestamp } from '../../../kubernetes/objects.ts';
import { compareIps } from '../../../net/address.ts';
import type { Ip, NetworkInterface } from '../../../net/types.ts';
import { type Election, joinElection } from '../../lease-election.ts';
import { type CiliumNode, ciliumNamespace, type L2AnnouncementPolicy, resources } from '../../objects.ts';
import { parseGoDuration } from '../../time.ts';
import { createTrigger } from '../../trigger.ts';
import type { AgentContext, AgentPart } from '../../types.ts';
import { isAtLeast } from '../../version.ts';
import { type ActivePolicy, activate, announcedAddresses, leaseTiming, matchesInterface, type PolicyProblem } from './selection.ts';

/** In the order in which a policy is looked at. */
const checks: readonly PolicyProblem['type'][] = [
  'io.cilium/bad-node-selector',
  'io.cilium/bad-interface-regex',
  'io.cilium/bad-service-selector',
];
const leasePrefix = 'cilium-l2announce-';
const sweepPeriodMs = 60_000;
/** Agents hear of a service at the same instant in the simulator; the first by name is the quickest. */
const headStartMs = 5;

export interface L2Announcer extends AgentPart {
  /** The `l2-announce` table: one row for an address on a device, only on the holder. */
  readonly table: readonly { readonly ip: Ip; readonly device: string }[];
  /** The same rows, the one written last at the end. */
  readonly writes: readonly { readonly ip: Ip; readonly device: string }[];
  /** The map from which ARP requests are answered. */
  readonly responder: readonly { readonly ip: Ip; readonly ifindex: number; readonly responsesSent: number }[];
}

interface Entry {
  readonly ip: Ip;
  readonly device: NetworkInterface;
  readonly origins: Set<string>;
}

/** Answers neighbour requests for service addresses on the node that holds the service's lease (section 2 of the reference). */
export function createL2Announcer(context: AgentContext, devices: () => readonly NetworkInterface[]): L2Announcer {
  const { api, clock, node, cluster, config, version, log } = context;
  const isEnabled = config.get('enable-l2-announcements') === 'true';
  const answersIpv6 = isAtLeast(version, 19);
  const duration = (key: string) => {
    const text = config.get(key);
    return text === undefined ? undefined : parseGoDuration(text);
  };
  const timing = leaseTiming({
    durationMs: duration('l2-announcements-lease-duration'),
    renewDeadlineMs: duration('l2-announcements-renew-deadline'),
    retryPeriodMs: duration('l2-announcements-retry-period'),
  });
  const ownDelayMs =
    headStartMs *
    Math.max(
      0,
      cluster.nodes
        .map(({ name }) => name)
        .toSorted()
        .indexOf(node.name),
    );

  let policies: readonly ActivePolicy[] = [];
  const elections = new Map<string, Election>();
  const entries = new Map<string, Entry>();
  /** How many requests for an address were answered on a device. */
  const responding = new Map<NetworkInterface, Map<Ip, number>>();
  const dirty = new Set<string>();
  let isAllDirty = true;
  let deviceNames = '';
  let stops: (() => void)[] = [];
  let isStopped = false;

  const serviceOf = (key: string) => api.get<Service>(resources.service, key.slice(key.indexOf('/') + 1), key.slice(0, key.indexOf('/')));

  const respond = ({ ip, device }: Entry) => {
    if (ip.family === 6 && !answersIpv6) return;
    if (ip.family === 4 && !device.addresses.some((address) => address.ip.family === 4)) {
      log('error', 'Failed to send gratuitous ARP', {
        subsys: 'l2-announcer',
        interface: device.name,
        ip: ip.text,
        error: 'no IPv4 address on the interface',
      });
      return;
    }
    const answered = responding.get(device) ?? new Map<Ip, number>();
    if (!responding.has(device)) {
      responding.set(device, answered);
      device.neighbourResponder = (target) => {
        const sent = answered.get(target);
        if (sent === undefined) return false;
        answered.set(target, sent + 1);
        return true;
      };
    }
    answered.set(ip, 0);
    device.announceNeighbour(ip);
  };

  const stopResponding = ({ ip, device }: Entry) => {
    const answered = responding.get(device);
    answered?.delete(ip);
    if (answered?.size === 0) {
      responding.delete(device);
      device.neighbourResponder = undefined;
    }
  };

  /** Brings the table's rows of one service in line with the policies, the service's addresses and the devices. */
  const announce = (key: string) => {
    const wanted = new Map<string, { ip: Ip; device: NetworkInterface }>();
    const service = elections.get(key)?.isLeader === true ? serviceOf(key) : undefined;
    if (service !== undefined) {
      const available = devices();
      for (const policy of policies) {
        for (const ip of announcedAddresses(policy, service)) {
          for (const device of available)
            if (matchesInterface(policy, device.name)) wanted.set(`${ip.text} ${device.name}`, { ip, device });
        }
      }
    }
    for (const [row, entry] of [...entries]) {
      if (wanted.has(row) || !entry.origins.delete(key) || entry.origins.size > 0) continue;
      entries.delete(row);
      stopResponding(entry);
    }
    for (const [row, { ip, device }] of wanted) {
      const known = entries.get(row);
      if (known !== undefined) {
        if (known.origins.has(key)) continue;
        known.origins.add(key);
        entries.delete(row);
        entries.set(row, known);
        continue;
      }
      const entry = { ip, device, origins: new Set([key]) };
      entries.set(row, entry);
      respond(entry);
    }
  };

  const look = (key: string) => {
    const service = serviceOf(key);
    const isSelected = service !== undefined && policies.some((policy) => announcedAddresses(policy, service).length > 0);
    const election = elections.get(key);
    if (isSelected && election === undefined) {
      elections.set(
        key,
        joinElection(
          {
            api,
            clock,
            random: context.random.stream(`l2/${key}`),
            leaseName: `${leasePrefix}${key.replace('/', '-')}`,
            identity: node.name,
            ...timing,
            isAbleToWork: () => node.container.state === 'running',
            onStarted: () => announce(key),
            onStopped: () => announce(key),
          },
          ownDelayMs,
        ),
      );
    } else if (!isSelected && election !== undefined) {
      elections.delete(key);
      election.stop(true);
    }
    announce(key);
  };

  const readPolicies = () => {
    const own = api.get<CiliumNode>(resources.node, node.name);
    if (own === undefined) return;
    const before = new Map(policies.map((policy) => [policy.name, policy]));
    const active: ActivePolicy[] = [];
    for (const policy of api.list<L2AnnouncementPolicy>(resources.l2Policy)) {
      const result = activate(policy, own);
      const problem = result !== undefined && 'problem' in result ? result.problem : undefined;
      tellProblem(policy, problem, result === undefined);
      if (result === undefined) continue;
      // What cannot be used does not replace what was in force: upsertPolicy returns with the error before it does.
      const inForce = 'problem' in result ? before.get(policy.metadata.name) : result;
      if (inForce !== undefined) active.push(inForce);
    }
    policies = active;
  };

  /**
   * A policy without fault has no conditions; after the fix the status turns False and the reason stays. What was not looked at, after a
   * fault or on a node that is not selected, keeps its condition.
   */
  const tellProblem = (policy: L2AnnouncementPolicy, problem: PolicyProblem | undefined, isElsewhere: boolean) => {
    const looked = problem === undefined ? (isElsewhere ? 1 : checks.length) : checks.indexOf(problem.type);
    const old = policy.status?.conditions ?? [];
    const time = timestamp(clock.now());
    const observedGeneration = policy.metadata.generation ?? 1;
    const next: Condition[] = old.map((condition) =>
      checks.slice(0, looked).some((type) => type === condition.type) && condition.status === 'True'
        ? { ...condition, status: 'False', message: '', lastTransitionTime: time, observedGeneration }
        : condition,
    );
    if (problem !== undefined) {
      const index = next.findIndex(({ type }) => type === problem.type);
      const before = next[index];
      if (before?.status !== 'True' || before.message !== problem.message) {
        const condition: Condition = {
          lastTransitionTime: before?.status === 'True' ? (before.lastTransitionTime ?? time) : time,
          message: problem.message,
          observedGeneration,
          reason: 'error',
          status: 'True',
          type: problem.type,
        };
        if (index < 0) next.push(condition);
        else next[index] = condition;
      }
    }
    if (next.length === old.length && next.every((condition, index) => condition === old[index])) return;
    api.patch(resources.l2Policy, policy.metadata.name, undefined, { status: { conditions: next } }, { subresource: 'status' });
  };

  const reconcile = createTrigger(clock, 0, () => {
    if (isAllDirty) {
      isAllDirty = false;
      readPolicies();
      for (const { metadata } of api.list<Service>(resources.service)) dirty.add(`${metadata.namespace}/${metadata.name}`);
      for (const key of elections.keys()) dirty.add(key);
    }
    const keys = [...dirty];
    dirty.clear();
    for (const key of keys) look(key);
  });

  /** A lease without a holder is taken away by a sweep of every agent. */
  const sweep = () => {
    if (isStopped) return;
    for (const { metadata, spec } of api.list<Lease>(resources.lease, { namespace: ciliumNamespace })) {
      if (!metadata.name.startsWith(leasePrefix) || (spec.holderIdentity ?? '') !== '') continue;
      try {
        api.delete(resources.lease, metadata.name, ciliumNamespace);
      } catch {
        // Another agent's sweep was quicker.
      }
    }
    if (isEnabled) clock.schedule(sweepPeriodMs, sweep);
  };

  const all = () => {
    isAllDirty = true;
    reconcile.fire();
  };

  return {
    name: 'l2-announcer',
    get table() {
      return [...entries.values()]
        .map(({ ip, device }) => ({ ip, device: device.name }))
        .toSorted((a, b) => compareIps(a.ip, b.ip) || (a.device < b.device ? -1 : 1));
    },
    get writes() {
      return [...entries.values()].map(({ ip, device }) => ({ ip, device: device.name }));
    },
    get responder() {
      return [...responding].flatMap(([device, answered]) =>
        [...answered].filter(([ip]) => ip.family === 4).map(([ip, responsesSent]) => ({ ip, ifindex: device.index, responsesSent })),
      );
    },
    start() {
      clock.schedule(isEnabled ? sweepPeriodMs : 0, sweep);
      if (!isEnabled) return;
      stops = [
        api.watch<L2AnnouncementPolicy>(resources.l2Policy, ({ object, old }) => {
          if (old === undefined || old.metadata.generation !== object.metadata.generation || object.metadata.generation === undefined)
            all();
        }),
        api.watch<CiliumNode>(resources.node, all, { name: node.name }),
        api.watch<Service>(resources.service, ({ object }) => {
          if (policies.length === 0 && elections.size === 0) return;
          dirty.add(`${object.metadata.namespace}/${object.metadata.name}`);
          reconcile.fire();
        }),
        node.namespace.routes.onChange(() => {
          if (elections.size === 0) return;
          const names = devices()
            .map(({ name }) => name)
            .join();
          if (names === deviceNames) return;
          deviceNames = names;
          all();
        }),
      ];
      all();
    },
    stop(how) {
      isStopped = true;
      for (const stop of stops) stop();
      stops = [];
      reconcile.stop();
      const running = [...elections];
      elections.clear();
      for (const [key, election] of running) {
        election.stop(how === 'graceful');
        announce(key);
      }
    },
  };
}
