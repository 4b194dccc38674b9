import { describe, expect, it } from 'vitest';
import { type Edit, gradeEdited } from './broken-lab.ts';

// Each lab under examples/ holds as it stands, and fails where the real lab would when one of its files is wrong.

interface Example {
  /** Folder under examples/. */
  readonly name: string;
  readonly broken: readonly {
    readonly name: string;
    readonly edits: readonly Edit[];
    /** Tasks that do not pass, in the order of the lab; none when the lab cannot be set up at all. */
    readonly fails: string;
    /** 1: a check did not hold (the default); 4: the content itself is refused. */
    readonly exitCode?: 4;
  }[];
}

const bgp = 'lab/manifests/bgp.yaml';

/** No pod CIDR reaches the router: in native routing the ships lose what runs on other nodes. */
const noPodRoutes = 'bgp reach-pod hubble announce-bgp announce-l2 egress-policy';
/** The pod CIDR of one worker is missing; it runs half of the Death Star and some of the ships. */
const oneWorkerLost = 'bgp reach-pod hubble announce-bgp egress-policy';

const examples: readonly Example[] = [
  {
    name: 'bgp-v2',
    broken: [
      {
        name: 'the advertisement carries another label than the families select',
        edits: [{ file: bgp, from: '  labels:\n    advertise: bgp', to: '  labels:\n    advertise: all' }],
        fails: noPodRoutes,
      },
      {
        name: 'the families name no advertisement',
        edits: [{ file: bgp, from: '\n      advertisements:\n        matchLabels:\n          advertise: bgp', to: '' }],
        fails: noPodRoutes,
      },
      {
        name: 'one node refers to a peer configuration that does not exist: its peer is left out',
        edits: [{ file: bgp, from: /(fd00:10:0:2::1\n\s+peerASN: 65000\n\s+peerConfigRef:\n\s+name: )top-of-rack/, to: '$1rack' }],
        fails: oneWorkerLost,
      },
      {
        name: 'the service advertisement has no selector: it selects nothing',
        edits: [{ file: bgp, from: '\n      selector:\n        matchLabels:\n          announced: bgp', to: '' }],
        fails: 'announce-bgp',
      },
      {
        name: 'the IPv6 family is missing',
        edits: [{ file: bgp, from: /\n {4}- afi: ipv6\n.*\n.*\n.*\n.*/, to: '' }],
        fails: 'bgp reach-pod announce-bgp',
      },
      {
        // No ship that must show its own address to the outpost runs on this worker.
        name: 'two cluster configurations select one node: the first keeps it, and the other node has no session',
        edits: [{ file: bgp, from: 'kubernetes.io/hostname: kind-worker2', to: 'kubernetes.io/hostname: kind-worker' }],
        fails: 'bgp reach-pod hubble announce-bgp',
      },
      {
        name: 'the peer address has a mask, as in a peering policy: the API server refuses it',
        edits: [{ file: bgp, from: 'peerAddress: fd00:10:0:1::1', to: 'peerAddress: fd00:10:0:1::1/128' }],
        fails: '',
        exitCode: 4,
      },
      {
        name: 'Cilium 1.17 serves no cilium.io/v2 for these kinds',
        edits: [{ file: 'lab/lab.yaml', from: 'version: 1.18.0', to: 'version: 1.17.0' }],
        fails: '',
        exitCode: 4,
      },
    ],
  },
  {
    name: 'ipv4-only',
    broken: [
      {
        name: 'a node peers with an address that the router does not have',
        edits: [{ file: bgp, from: 'peerAddress: 10.64.2.1', to: 'peerAddress: 10.64.2.9' }],
        fails: 'sessions pods service',
      },
    ],
  },
  {
    name: 'ipv6-only',
    broken: [
      {
        name: 'a node has neither an IPv4 address nor an override that gives it a router id',
        edits: [{ file: bgp, from: '  name: v6-worker\n', to: '  name: v6-worker9\n' }],
        fails: 'sessions pods service',
      },
    ],
  },
  {
    name: 'leaf-spine',
    broken: [
      {
        name: 'a node carries the label of a rack that no configuration selects',
        edits: [{ file: 'lab/cluster.yaml', from: 'rack=rack1', to: 'rack=rack2' }],
        fails: 'sessions spread service',
      },
    ],
  },
  {
    name: 'service-ecmp',
    broken: [
      {
        name: 'the second service has the policy Cluster as well: every node announces it',
        edits: [{ file: 'lab/manifests/local.yaml', from: 'externalTrafficPolicy: Local', to: 'externalTrafficPolicy: Cluster' }],
        fails: 'local lost',
      },
    ],
  },
];

describe.concurrent.each(examples)('examples/$name', ({ name, broken }) => {
  it('holds from end to end', async () => {
    const edits = [{ file: 'lab/lab.yaml', from: /^name: .*/, to: 'name: copied' }];
    expect(await gradeEdited(edits, 1, `examples/${name}`)).toMatchObject({ exitCode: 0, failedTasks: [] });
  });

  it.each(broken)('fails where the real lab would: $name', async ({ edits, fails, exitCode = 1 }) => {
    const outcome = await gradeEdited(edits, 1, `examples/${name}`);
    expect({ exitCode: outcome.exitCode, fails: outcome.failedTasks.map((task) => task.split('/')[1]).join(' ') }).toEqual({
      exitCode,
      fails,
    });
  });
});
