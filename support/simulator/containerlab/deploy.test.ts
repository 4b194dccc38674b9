import { describe, expect, it } from 'vitest';
import { frrCommands, frrImages } from '../frr/image.ts';
import { createTestbed } from '../linux/testbed.ts';
import { deployTopology } from './deploy.ts';
import { parseTopology } from './topology.ts';

function machine() {
  const testbed = createTestbed();
  for (const image of frrImages) testbed.engine.images.add(image);
  for (const [name, command] of frrCommands) testbed.engine.commands.set(name, command);
  return testbed;
}

describe('what a deployment says of files that have no effect', () => {
  const conf = `interface eth1
 ip address 192.0.2.1/24
!
router ospf
 network 192.0.2.0/24 area 0
exit
!
ip route 203.0.113.0/24 Null0
`;

  it('names a block of frr.conf that is not simulated once, and reads on behind it', async () => {
    const { engine } = machine();
    const topology = parseTopology({
      name: 'x',
      topology: { nodes: { r1: { kind: 'linux', image: 'frrouting/frr:v8.4.4', binds: ['frr.conf:/etc/frr/frr.conf'] } } },
    });
    const lab = await deployTopology(topology, engine, { path: '/lab/x.clab.yml', files: new Map([['frr.conf', conf]]) });
    expect(lab.warnings).toEqual(['r1: not simulated: /etc/frr/frr.conf line 4: router ospf']);
    engine.clock.advance(100);
    const routes = await engine.shell.exec(engine.findContainer('clab-x-r1') as never, ['ip', 'route', 'show', '203.0.113.0/24']);
    expect(routes.stdout.replace(/nhid \d+ /, '')).toBe('blackhole 203.0.113.0/24 proto static metric 20 \n');
  });

  it.each([
    { name: 'the file that the cluster is made from', clusterFile: '/lab/cluster.yaml', warnings: [] },
    {
      name: 'another file',
      clusterFile: '/lab/other.yaml',
      warnings: ['k01: startup-config has no effect on a node of kind k8s-kind'],
    },
  ])('a startup-config of a k8s-kind node: $name', async ({ clusterFile, warnings }) => {
    const { engine } = machine();
    const node = engine.createContainer({ name: 'k01-control-plane', image: 'kindest/node', labels: { 'io.x-k8s.kind.cluster': 'k01' } });
    node.start();
    const topology = parseTopology({
      name: 'x',
      topology: {
        nodes: {
          k01: { kind: 'k8s-kind', 'startup-config': './cluster.yaml', extras: { k8s_kind: { deploy: { wait: '0s' } } } },
          'k01-control-plane': { kind: 'ext-container', exec: ['ip link add d0 type dummy'] },
        },
      },
    });
    const lab = await deployTopology(topology, engine, { path: '/lab/x.clab.yml', files: new Map(), clusterFile });
    expect(lab.warnings).toEqual(warnings);
    expect(node.namespace.getInterface('d0')?.kind).toBe('dummy');
  });
});

describe('an image that cannot be pulled by its name', () => {
  it.each([
    ['$FRR_IMAGE', 'set the variable, or give it a default: ${NAME:=image}'],
    ['nope:a:b', 'write it as name:tag'],
  ])('%s: says where, which and how to mend it', async (image, fix) => {
    const topology = parseTopology({ name: 'x', topology: { nodes: { r1: { kind: 'linux', image } } } });
    await expect(deployTopology(topology, machine().engine, { path: '/lab/x.clab.yml', files: new Map() })).rejects.toMatchObject({
      message: 'invalid reference format',
      path: ['topology', 'nodes', 'r1', 'image'],
      hint: `the image of node "r1" is "${image}"`,
      fix,
    });
  });
});
