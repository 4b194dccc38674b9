import { beforeEach, describe, expect, it } from 'vitest';
import { createRoutedTestbed, createTestbed, type Testbed } from '../../testbed.ts';

/** What `ip` prints for a line, as one text with its exit status. */
async function ip(testbed: Testbed, container: string, line: string): Promise<string> {
  const { stdout, stderr, exitCode } = await testbed.exec(container, ['ip', ...line.split(' ')]);
  return `${stdout}${stderr}${exitCode === 0 ? '' : `[${exitCode}]\n`}`;
}

describe('ip on a router', () => {
  let testbed: Testbed;
  beforeEach(async () => {
    testbed = await createRoutedTestbed();
  });

  // forms as recorded with iproute2 6.1 in containers with veth links
  it('shows addresses with the peers of veth pairs', async () => {
    expect(
      await ip(testbed, 'router', 'addr'),
    ).toBe(`1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
    inet 127.0.0.1/8 scope host lo
       valid_lft forever preferred_lft forever
    inet6 ::1/128 scope host 
       valid_lft forever preferred_lft forever
2: net0@if2: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default qlen 1000
    link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff link-netnsid 0
    inet 198.51.100.1/24 scope global net0
       valid_lft forever preferred_lft forever
    inet6 2001:db8:1::1/64 scope global 
       valid_lft forever preferred_lft forever
    inet6 fe80::ff:fe00:1/64 scope link 
       valid_lft forever preferred_lft forever
3: net1@if2: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default qlen 1000
    link/ether 02:00:00:00:00:03 brd ff:ff:ff:ff:ff:ff link-netnsid 1
    inet 203.0.113.1/24 scope global net1
       valid_lft forever preferred_lft forever
    inet6 2001:db8:2::1/64 scope global 
       valid_lft forever preferred_lft forever
    inet6 fe80::ff:fe00:3/64 scope link 
       valid_lft forever preferred_lft forever
`);
  });

  it('shows a dummy that was never up, as after `ip link add` and `ip addr add`', async () => {
    await ip(testbed, 'left', 'link add net1 type dummy');
    await ip(testbed, 'left', 'link set net1 address 42:1e:36:1f:8e:e9');
    await ip(testbed, 'left', 'addr add 192.0.2.42/24 dev net1');
    expect(await ip(testbed, 'left', 'a show net1')).toBe(`3: net1: <BROADCAST,NOARP> mtu 1500 qdisc noop state DOWN group default qlen 1000
    link/ether 42:1e:36:1f:8e:e9 brd ff:ff:ff:ff:ff:ff
    inet 192.0.2.42/24 scope global net1
       valid_lft forever preferred_lft forever
`);
  });

  it('shows IPv4 routes in the order of the kernel', async () => {
    expect(await ip(testbed, 'router', 'route')).toBe(`blackhole 192.0.2.0/25 
unreachable 192.0.2.128/26 
prohibit 192.0.2.192/26 
198.51.100.0/24 dev net0 proto kernel scope link src 198.51.100.1 
203.0.113.0/24 dev net1 proto kernel scope link src 203.0.113.1 
`);
  });

  it('shows IPv6 routes with the longer prefix before the one around it, the default last', async () => {
    await ip(testbed, 'left', '-6 route add 2001:db8::/32 via 2001:db8:1::1');
    expect(await ip(testbed, 'left', '-6 route')).toBe(`2001:db8:1::/64 dev net0 proto kernel metric 256 pref medium
2001:db8::/32 via 2001:db8:1::1 dev net0 metric 1024 pref medium
fe80::/64 dev net0 proto kernel metric 256 pref medium
default via 2001:db8:1::1 dev net0 metric 1024 pref medium
`);
    expect(await ip(testbed, 'router', '-6 r show 2001:db8:b::/48')).toBe('blackhole 2001:db8:b::/48 dev lo metric 1024 pref medium\n');
  });

  it('shows several next hops on lines of their own', async () => {
    await ip(testbed, 'router', 'route add 192.0.2.254/32 nexthop via 198.51.100.2 weight 1 nexthop via 203.0.113.2 weight 2');
    await ip(testbed, 'router', 'route add 192.0.2.253/32 via inet6 2001:db8:2::2 dev net1');
    expect(await ip(testbed, 'router', 'route show 192.0.2.254')).toBe(
      '192.0.2.254 \n\tnexthop via 198.51.100.2 dev net0 weight 1 \n\tnexthop via 203.0.113.2 dev net1 weight 2 \n',
    );
    expect(await ip(testbed, 'router', 'route show 192.0.2.253')).toBe('192.0.2.253 via inet6 2001:db8:2::2 dev net1 \n');
  });

  it.each([
    { line: 'route get 203.0.113.2', prints: '203.0.113.2 dev net1 src 203.0.113.1 uid 0 \n    cache \n' },
    { line: 'route get 198.51.100.1', prints: 'local 198.51.100.1 dev lo src 198.51.100.1 uid 0 \n    cache <local> \n' },
    { line: 'route get 192.0.2.1', prints: 'RTNETLINK answers: Invalid argument\n[2]\n' },
    { line: 'route get 192.0.2.130', prints: 'RTNETLINK answers: No route to host\n[2]\n' },
    { line: 'route get 192.0.2.200', prints: 'RTNETLINK answers: Permission denied\n[2]\n' },
    { line: 'route get 10.0.0.1', prints: 'RTNETLINK answers: Network is unreachable\n[2]\n' },
    {
      line: '-6 route get 2001:db8:2::2',
      prints: '2001:db8:2::2 from :: dev net1 proto kernel src 2001:db8:2::1 metric 256 pref medium\n',
    },
    { line: '-6 route get 2001:db8:b::1', prints: 'RTNETLINK answers: Invalid argument\n[2]\n' },
    { line: '-6 route get 2001:db9::', prints: 'RTNETLINK answers: Network is unreachable\n[2]\n' },
    {
      line: 'route add 198.51.100.0/24 dev net0 proto kernel scope link src 198.51.100.1',
      prints: 'RTNETLINK answers: File exists\n[2]\n',
    },
    { line: 'route add 10.0.0.0/8 via 10.9.9.9', prints: 'Error: Nexthop has invalid gateway.\n[2]\n' },
    { line: 'route add 10.0.0.0/8 dev net9', prints: 'Cannot find device "net9"\n[1]\n' },
    { line: 'route del 10.0.0.0/8', prints: 'RTNETLINK answers: No such process\n[2]\n' },
    { line: 'route add 10.0.0/8 dev net0', prints: 'Error: any valid prefix is expected rather than "10.0.0/8".\n[1]\n' },
    { line: 'addr add 198.51.100.1/24 dev net0', prints: 'RTNETLINK answers: File exists\n[2]\n' },
    { line: 'addr add 10.0.0.1/24', prints: 'Not enough information: "dev" argument is required.\n[1]\n' },
    { line: 'addr del 10.0.0.1/24 dev net0', prints: 'RTNETLINK answers: Cannot assign requested address\n[2]\n' },
    { line: 'addr show dev net9', prints: 'Device "net9" does not exist.\n[1]\n' },
    { line: 'link set net9 up', prints: 'Cannot find device "net9"\n[1]\n' },
    { line: 'link add net0 type dummy', prints: 'RTNETLINK answers: File exists\n[2]\n' },
    { line: 'link add x type nonsense', prints: 'Error: Unknown device type.\n[2]\n' },
    { line: 'link add x type vlan id 5', prints: 'Error: not simulated: ip link add type vlan\n[2]\n' },
    { line: 'nonsense', prints: 'Object "nonsense" is unknown, try "ip help".\n[1]\n' },
    { line: '-z addr', prints: 'Option "-z" is unknown, try "ip -help".\n[255]\n' },
    { line: 'addr nonsense', prints: 'Command "nonsense" is unknown, try "ip address help".\n[255]\n' },
    { line: 'rule', prints: '0:\tfrom all lookup local\n32766:\tfrom all lookup main\n32767:\tfrom all lookup default\n' },
    { line: '-6 rule', prints: '0:\tfrom all lookup local\n32766:\tfrom all lookup main\n' },
    { line: '-br link show net0', prints: 'net0@if2         UP             02:00:00:00:00:01 <BROADCAST,MULTICAST,UP,LOWER_UP> \n' },
    { line: '-br addr show net0', prints: 'net0@if2         UP             198.51.100.1/24 2001:db8:1::1/64 fe80::ff:fe00:1/64 \n' },
    {
      line: '-o -4 addr show net0',
      prints: '2: net0    inet 198.51.100.1/24 scope global net0\\       valid_lft forever preferred_lft forever\n',
    },
  ])('ip $line', async ({ line, prints }) => {
    expect(await ip(testbed, 'router', line)).toBe(prints);
  });

  it('adds, shows and deletes rules', async () => {
    expect(await ip(testbed, 'router', 'rule add fwmark 0x200/0xf00 table 2004 priority 9')).toBe('');
    expect(await ip(testbed, 'router', 'rule add from 198.51.100.0/24 lookup 100')).toBe('');
    expect(await ip(testbed, 'router', 'rule')).toBe(
      '0:\tfrom all lookup local\n8:\tfrom 198.51.100.0/24 lookup 100\n9:\tfrom all fwmark 0x200/0xf00 lookup 2004\n32766:\tfrom all lookup main\n32767:\tfrom all lookup default\n',
    );
    expect(await ip(testbed, 'router', 'rule del from 198.51.100.0/24 lookup 100')).toBe('');
  });

  it('takes the routes of a link that goes down, and leaves the state to see', async () => {
    await ip(testbed, 'right', 'link set net0 down');
    expect(await ip(testbed, 'router', 'link show net1')).toBe(
      '3: net1@if2: <NO-CARRIER,BROADCAST,MULTICAST,UP> mtu 1500 qdisc noqueue state LOWERLAYERDOWN mode DEFAULT group default qlen 1000\n    link/ether 02:00:00:00:00:03 brd ff:ff:ff:ff:ff:ff link-netnsid 1\n',
    );
    expect(await ip(testbed, 'router', 'route show dev net1')).toBe('203.0.113.0/24 proto kernel scope link src 203.0.113.1 linkdown \n');
  });

  it('moves an interface to another namespace by the id of a process in it', async () => {
    const pid = testbed.engine.findContainer('right')?.pid ?? 0;
    await ip(testbed, 'left', 'link add v0 type veth peer name v1');
    expect(await ip(testbed, 'left', `link set v1 netns ${pid}`)).toBe('');
    expect(await ip(testbed, 'left', 'link set v0 name uplink0')).toBe('');
    expect((await ip(testbed, 'right', '-br link')).split('\n').map((line) => line.split(' ')[0])).toEqual([
      'lo',
      'net0@if3',
      'v1@if4',
      '',
    ]);
    expect(await ip(testbed, 'left', 'link set uplink0 netns 99999')).toBe(
      'Error: argument "99999" is wrong: Invalid "netns" value\n\n[255]\n',
    );
  });

  it('prints JSON', async () => {
    const { stdout } = await testbed.exec('left', ['ip', '-j', 'route']);
    expect(stdout).toBe(
      '[{"dst":"default","gateway":"198.51.100.1","dev":"net0","flags":[]},{"dst":"198.51.100.0/24","dev":"net0","protocol":"kernel","scope":"link","prefsrc":"198.51.100.2","flags":[]}]\n',
    );
    const address = await testbed.exec('left', ['ip', '-json', '-4', 'addr', 'show', 'dev', 'net0']);
    expect(JSON.parse(address.stdout)).toEqual([
      {
        ifindex: 2,
        link_index: 2,
        ifname: 'net0',
        flags: ['BROADCAST', 'MULTICAST', 'UP', 'LOWER_UP'],
        mtu: 1500,
        qdisc: 'noqueue',
        operstate: 'UP',
        group: 'default',
        txqlen: 1000,
        link_netnsid: 0,
        addr_info: [
          {
            family: 'inet',
            local: '198.51.100.2',
            prefixlen: 24,
            scope: 'global',
            label: 'net0',
            valid_life_time: 4294967295,
            preferred_life_time: 4294967295,
          },
        ],
      },
    ]);
  });

  it('shows neighbours, and forgets them on request', async () => {
    await testbed.exec('left', ['ping', '-c', '1', '198.51.100.1']);
    expect(await ip(testbed, 'left', 'neigh show 198.51.100.1')).toBe('198.51.100.1 dev net0 lladdr 02:00:00:00:00:01 REACHABLE \n');
    await ip(testbed, 'left', 'neigh flush dev net0');
    await ip(testbed, 'left', 'neigh replace 198.51.100.9 lladdr 02:00:00:00:00:09 dev net0');
    expect(await ip(testbed, 'left', '-4 neigh')).toBe('198.51.100.9 dev net0 lladdr 02:00:00:00:00:09 PERMANENT \n');
  });
});

describe('ip in a container of a docker network', () => {
  it('shows what docker sets up: no queue length, a broadcast address, nodad', async () => {
    const testbed = createTestbed();
    testbed.engine.createNetwork({ name: 'lab', subnets: ['198.51.100.0/24', '2001:db8:1::/64'] });
    testbed.engine.createContainer({ name: 'web', image: 'alpine', networkMode: 'lab' }).start();
    testbed.clock.advance(2000);
    expect(
      await ip(testbed, 'web', 'a show eth0'),
    ).toBe(`4: eth0@if5: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default 
    link/ether 02:42:c6:33:64:02 brd ff:ff:ff:ff:ff:ff link-netnsid 0
    inet 198.51.100.2/24 brd 198.51.100.255 scope global eth0
       valid_lft forever preferred_lft forever
    inet6 2001:db8:1::2/64 scope global nodad 
       valid_lft forever preferred_lft forever
    inet6 fe80::42:c6ff:fe33:6402/64 scope link 
       valid_lft forever preferred_lft forever
`);
  });
});
