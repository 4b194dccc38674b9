import { describe, expect, it } from 'vitest';
import { ContentProblem, formatContentPath } from '../../port/content-problem.ts';
import { splitWords } from './shell-words.ts';
import { containerName, parseTopology } from './topology.ts';

const minimal = {
  name: 'lab',
  topology: {
    nodes: { r1: { kind: 'linux', image: 'alpine' }, r2: { kind: 'linux', image: 'alpine' } },
    links: [{ endpoints: ['r1:eth1', 'r2:eth1'] }],
  },
};

describe('a topology', () => {
  it('merges defaults, kind, group and node, the most special last', () => {
    const topology = parseTopology({
      name: 'lab',
      topology: {
        defaults: { kind: 'linux', image: 'default', env: { A: 'default', B: 'default' }, exec: ['echo default'] },
        kinds: { linux: { image: 'kind', env: { B: 'kind', C: 'kind' } } },
        groups: { spine: { env: { C: 'group' }, exec: ['echo group'], labels: { role: 'spine' } } },
        nodes: { r1: { group: 'spine', env: { D: 'node' }, exec: ['echo node'] } },
      },
    });
    expect(topology.nodes[0]).toMatchObject({
      name: 'r1',
      kind: 'linux',
      image: 'kind',
      env: { A: 'default', B: 'kind', C: 'group', D: 'node' },
      exec: ['echo default', 'echo group', 'echo node'],
      labels: { role: 'spine' },
    });
  });

  it('reads both forms of links', () => {
    const topology = parseTopology({
      name: 'lab',
      topology: {
        nodes: minimal.topology.nodes,
        links: [
          { endpoints: ['r1:eth1', 'r2:eth1'], mtu: 9000 },
          {
            type: 'veth',
            endpoints: [
              { node: 'r1', interface: 'eth2', mac: 'aa:c1:ab:00:00:01' },
              { node: 'r2', interface: 'eth2' },
            ],
          },
          { type: 'host', endpoint: { node: 'r1', interface: 'eth3' }, 'host-interface': 'r1-eth3' },
          { type: 'mgmt-net', endpoint: { node: 'r2', interface: 'eth3' }, 'host-interface': 'r2-eth3' },
          { type: 'dummy', endpoint: { node: 'r1', interface: 'dummy0' } },
        ],
      },
    });
    expect(topology.links).toEqual([
      { a: { node: 'r1', interfaceName: 'eth1' }, b: { node: 'r2', interfaceName: 'eth1' }, mtu: 9000 },
      { a: { node: 'r1', interfaceName: 'eth2', mac: 'aa:c1:ab:00:00:01' }, b: { node: 'r2', interfaceName: 'eth2' }, mtu: 9500 },
      { a: { node: 'r1', interfaceName: 'eth3' }, b: { node: 'host', interfaceName: 'r1-eth3' }, mtu: 9500 },
      { a: { node: 'r2', interfaceName: 'eth3' }, b: { node: 'mgmt-net', interfaceName: 'r2-eth3' }, mtu: 9500 },
      { a: { node: 'r1', interfaceName: 'dummy0' }, b: undefined, mtu: 9500 },
    ]);
  });

  it.each([
    { prefix: undefined, expected: 'clab-lab-r1' },
    { prefix: '', expected: 'r1' },
    { prefix: '__lab-name', expected: 'lab-r1' },
    { prefix: 'x', expected: 'x-lab-r1' },
  ])('names containers with prefix $prefix as $expected', ({ prefix, expected }) => {
    const topology = parseTopology(prefix === undefined ? minimal : { ...minimal, prefix });
    expect(containerName(topology, 'r1')).toBe(expected);
  });

  it.each([
    {
      name: 'a link to a node that does not exist',
      file: { ...minimal, topology: { ...minimal.topology, links: [{ endpoints: ['r1:eth1', 'r3:eth1'] }] } },
      at: 'topology.links[0].endpoints[1]',
      says: 'the link names node "r3", which the topology does not have',
    },
    {
      name: 'an unknown kind',
      file: { name: 'lab', topology: { nodes: { r1: { kind: 'linus' } } } },
      at: 'topology.nodes.r1.kind',
      says: 'node "r1": unknown kind "linus"',
    },
    {
      name: 'a kind outside the model',
      file: { name: 'lab', topology: { nodes: { r1: { kind: 'ceos' } } } },
      at: 'topology.nodes.r1.kind',
      says: 'node "r1": kind "ceos" is not simulated',
    },
    {
      name: 'an unknown field of a node',
      file: { name: 'lab', topology: { nodes: { r1: { kind: 'linux', imaeg: 'x' } } } },
      at: 'topology.nodes.r1.imaeg',
      says: 'unknown field "imaeg"',
    },
    { name: 'an unknown field at the top', file: { ...minimal, topolgy: {} }, at: 'topolgy', says: 'unknown field "topolgy"' },
    {
      name: 'an endpoint without an interface',
      file: { ...minimal, topology: { ...minimal.topology, links: [{ endpoints: ['r1', 'r2:eth1'] }] } },
      at: 'topology.links[0].endpoints[0]',
      says: '"r1" is no endpoint',
    },
    {
      name: 'one endpoint in two links',
      file: {
        ...minimal,
        topology: { ...minimal.topology, links: [{ endpoints: ['r1:eth1', 'r2:eth1'] }, { endpoints: ['r1:eth1', 'r2:eth2'] }] },
      },
      at: 'topology.links[1]',
      says: 'duplicate endpoint r1:eth1',
    },
    { name: 'no name', file: { topology: minimal.topology }, at: '', says: 'the file lacks "name"' },
    { name: 'no nodes', file: { name: 'lab', topology: {} }, at: 'topology', says: 'the topology has no nodes' },
    { name: 'text in place of the file', file: 'lab', at: '', says: 'the file must be a mapping (key: value), not "lab"' },
  ])('refuses $name, and says where', ({ file, at, says }) => {
    let problem: unknown;
    try {
      parseTopology(file);
    } catch (error) {
      problem = error;
    }
    expect(problem).toBeInstanceOf(ContentProblem);
    expect({ at: formatContentPath((problem as ContentProblem).path), says: (problem as ContentProblem).message }).toEqual({ at, says });
  });
});

describe('the words of an exec line', () => {
  it.each([
    { line: 'ip route add blackhole 192.0.2.0/24', words: ['ip', 'route', 'add', 'blackhole', '192.0.2.0/24'] },
    { line: "vtysh -c 'conf t'   -c 'router bgp 64496'", words: ['vtysh', '-c', 'conf t', '-c', 'router bgp 64496'] },
    { line: 'sh -c "echo \\"$HOME\\" | wc"', words: ['sh', '-c', 'echo "$HOME" | wc'] },
    { line: "echo it\\'s ''", words: ['echo', "it's", ''] },
    { line: '', words: [] },
  ])('$line', ({ line, words }) => {
    expect(splitWords(line)).toEqual(words);
  });
});
