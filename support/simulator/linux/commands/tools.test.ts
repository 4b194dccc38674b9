import { beforeEach, describe, expect, it } from 'vitest';
import { ip } from '../../net/address.ts';
import { serveHttp } from '../../net/http.ts';
import { createRoutedTestbed, type Testbed } from '../testbed.ts';

describe('tools of a container', () => {
  let testbed: Testbed;
  beforeEach(async () => {
    testbed = await createRoutedTestbed();
    const right = testbed.engine.findContainer('right');
    if (right !== undefined) serveHttp(right.namespace, { port: 80, program: 'web' }, () => ({ status: 200, body: 'ok\n' }));
  });

  it.each([
    { on: 'router', line: 'sysctl net.ipv4.ip_forward', stdout: 'net.ipv4.ip_forward = 1\n' },
    { on: 'router', line: 'sysctl -n net/ipv4/ip_forward', stdout: '1\n' },
    { on: 'router', line: 'sysctl -w net.ipv4.ip_forward=0', stdout: 'net.ipv4.ip_forward = 0\n' },
    { on: 'router', line: 'sysctl -qw net.ipv4.ip_forward=0', stdout: '' },
    {
      on: 'router',
      line: 'sysctl net.ipv4.nope',
      stderr: 'sysctl: cannot stat /proc/sys/net/ipv4/nope: No such file or directory\n',
      exitCode: 1,
    },
    {
      on: 'router',
      line: 'sysctl -w net.ipv4.ip_forward',
      stderr: 'sysctl: "net.ipv4.ip_forward" must be of the form name=value\n',
      exitCode: 1,
    },
    { on: 'left', line: 'nc -zv 203.0.113.2 80', stderr: 'Connection to 203.0.113.2 80 port [tcp/http] succeeded!\n' },
    {
      on: 'left',
      line: 'nc -zv 203.0.113.2 81',
      stderr: 'nc: connect to 203.0.113.2 port 81 (tcp) failed: Connection refused\n',
      exitCode: 1,
    },
    {
      on: 'left',
      line: 'nc -zv -w 2 192.0.2.1 80',
      stderr: 'nc: connect to 192.0.2.1 port 80 (tcp) timed out: Operation now in progress\n',
      exitCode: 1,
    },
    {
      on: 'right',
      line: 'ss -tln',
      stdout:
        'State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\nLISTEN 0      4096               *:80              *:*          \n',
    },
    {
      on: 'right',
      line: 'netstat -tln',
      stdout:
        'Active Internet connections (only servers)\nProto Recv-Q Send-Q Local Address           Foreign Address         State      \ntcp6       0      0 :::80                   :::*                    LISTEN     \n',
    },
    { on: 'left', line: 'hostname -I', stdout: '198.51.100.2 2001:db8:1::2 \n' },
    { on: 'left', line: 'uname -sr', stdout: 'Linux 6.8.0-45-generic\n' },
    { on: 'left', line: 'id -u', stdout: '0\n' },
    { on: 'left', line: 'ps', stdout: 'PID   USER     TIME  COMMAND\n    1 root      0:00 sleep infinity\n' },
    {
      on: 'left',
      line: 'systemctl status',
      stderr: "System has not been booted with systemd as init system (PID 1). Can't operate.\nFailed to connect to bus: Host is down\n",
      exitCode: 1,
    },
    { on: 'left', line: 'getent hosts nope.example', exitCode: 2 },
    {
      on: 'left',
      line: 'arping -c 1 198.51.100.1',
      stdout:
        'ARPING 198.51.100.1 from 198.51.100.2 net0\nUnicast reply from 198.51.100.1 [02:00:00:00:00:01]  0.040ms\nSent 1 probes (1 broadcast(s))\nReceived 1 response(s)\n',
    },
    {
      on: 'left',
      line: 'ethtool net0',
      stdout:
        'Settings for net0:\n\tSpeed: 10000Mb/s\n\tDuplex: Full\n\tPort: Twisted Pair\n\tPHYAD: 0\n\tTransceiver: internal\n\tAuto-negotiation: off\n\tLink detected: yes\n',
    },
    { on: 'left', line: 'tcpdump -n -i nope', stderr: 'tcpdump: nope: No such device exists\n(No such device exists)\n', exitCode: 1 },
    {
      on: 'left',
      line: 'tc qdisc add dev net0 root tbf rate 1mbit',
      stderr: 'tc: not simulated: queueing disciplines other than netem\n',
      exitCode: 1,
    },
    { on: 'left', line: 'sleep infinity', stderr: 'sleep: not simulated: sleep infinity in the foreground would never end\n', exitCode: 1 },
  ])('$line', async ({ on, line, stdout = '', stderr = '', exitCode = 0 }) => {
    expect(await testbed.exec(on, line.split(' '))).toEqual({ stdout, stderr, exitCode });
  });

  it('delays and loses packets by tc', async () => {
    expect(await testbed.exec('left', 'tc qdisc add dev net0 root netem delay 100ms'.split(' '))).toEqual({
      stdout: '',
      stderr: '',
      exitCode: 0,
    });
    await testbed.exec('left', ['ping', '-c', '1', '203.0.113.2']);
    expect((await testbed.exec('left', ['ping', '-c', '1', '203.0.113.2'])).stdout).toContain('time=100 ms\n');
    expect((await testbed.exec('left', 'tc qdisc show dev net0'.split(' '))).stdout).toBe(
      'qdisc netem 8001: root refcnt 2 limit 1000 delay 100ms\n',
    );
    // the layout of q_netem.c: two blanks before the jitter
    await testbed.exec('left', 'tc qdisc change dev net0 root netem limit 200 delay 50ms 10ms loss 0.5%'.split(' '));
    expect((await testbed.exec('left', 'tc qdisc show dev net0'.split(' '))).stdout).toBe(
      'qdisc netem 8001: root refcnt 2 limit 200 delay 50ms  10ms loss 0.5%\n',
    );
    await testbed.exec('left', 'tc qdisc change dev net0 root netem delay 50ms 10ms'.split(' '));
    const { stdout } = await testbed.exec('left', 'ping -i 0.2 -c 9 203.0.113.2'.split(' '));
    const times = [...stdout.matchAll(/time=([\d.]+)/g)].map((match) => Number(match[1]));
    expect(times.every((time) => time >= 40 && time < 60.2) && new Set(times).size).toBeGreaterThan(5);
    await testbed.exec('left', 'tc qdisc change dev net0 root netem loss 100%'.split(' '));
    expect((await testbed.exec('left', ['ping', '-c', '1', '-W', '1', '203.0.113.2'])).exitCode).toBe(1);
    await testbed.exec('left', 'tc qdisc del dev net0 root'.split(' '));
    expect((await testbed.exec('left', ['ping', '-c', '1', '-W', '1', '203.0.113.2'])).exitCode).toBe(0);
    expect(await testbed.exec('left', 'tc qdisc del dev net0 root'.split(' '))).toEqual({
      stdout: '',
      stderr: 'Error: Cannot delete qdisc with handle of zero.\n',
      exitCode: 2,
    });
  });

  it('captures what passes while the clock runs', async () => {
    const left = testbed.engine.findContainer('left');
    testbed.clock.schedule(500, () =>
      left?.namespace.sockets.ping({ destination: ip('198.51.100.1'), identifier: 7, sequence: 1, onReply: () => {}, onError: () => {} }),
    );
    const { stdout, stderr, exitCode } = await testbed.exec('left', ['tcpdump', '-n', '-i', 'net0', '-c', '2', 'icmp']);
    expect(stdout.replace(/^\S+ /gm, '')).toBe(
      'IP 198.51.100.2 > 198.51.100.1: ICMP echo request, id 7, seq 1, length 64\nIP 198.51.100.1 > 198.51.100.2: ICMP echo reply, id 7, seq 1, length 64\n',
    );
    expect([stderr.split('\n')[2], exitCode]).toEqual(['2 packets captured', 0]);
  });
});

describe('iptables', () => {
  it('filters what is forwarded, and prints its rules', async () => {
    const testbed = await createRoutedTestbed();
    const router = (line: string) => testbed.exec('router', line.split(' '));
    const reach = async (): Promise<number> => (await testbed.exec('left', ['ping', '-c', '1', '-W', '1', '203.0.113.2'])).exitCode;
    expect(await reach()).toBe(0);
    for (const line of [
      'iptables -P FORWARD DROP',
      'iptables -N LAB',
      'iptables -A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT',
      'iptables -A FORWARD -j LAB',
      'iptables -A LAB -s 198.51.100.0/24 ! -i net1 -p tcp -m tcp --dport 80:81 -m comment --comment web -j ACCEPT',
      'iptables -t nat -A POSTROUTING -s 198.51.100.0/24 -o net1 -j SNAT --to-source 203.0.113.1',
    ]) {
      expect([line, await router(line)]).toEqual([line, { stdout: '', stderr: '', exitCode: 0 }]);
    }
    expect(await reach()).toBe(1);
    await router('iptables -I LAB 1 -p icmp -j ACCEPT');
    expect(await reach()).toBe(0);
    expect((await router('iptables -S')).stdout).toBe(`-P INPUT ACCEPT
-P FORWARD DROP
-P OUTPUT ACCEPT
-N LAB
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -j LAB
-A LAB -p icmp -j ACCEPT
-A LAB -s 198.51.100.0/24 ! -i net1 -p tcp -m tcp --dport 80:81 -m comment --comment web -j ACCEPT
`);
    expect((await router('iptables -L FORWARD -n')).stdout).toBe(`Chain FORWARD (policy DROP)
target     prot opt source               destination         
ACCEPT     0    --  0.0.0.0/0            0.0.0.0/0            ctstate RELATED,ESTABLISHED
LAB        0    --  0.0.0.0/0            0.0.0.0/0           
`);
    expect((await router('iptables -t nat -S POSTROUTING')).stdout).toBe(
      '-P POSTROUTING ACCEPT\n-A POSTROUTING -s 198.51.100.0/24 -o net1 -j SNAT --to-source 203.0.113.1\n',
    );
    expect((await router('iptables -C LAB -p icmp -j ACCEPT')).exitCode).toBe(0);
    expect((await router('iptables -D LAB 1')).exitCode).toBe(0);
    expect(await router('iptables -D LAB -p icmp -j ACCEPT')).toEqual({
      stdout: '',
      stderr: 'iptables: Bad rule (does a matching rule exist in that chain?).\n',
      exitCode: 1,
    });
    expect(await router('iptables -A NOPE -j ACCEPT')).toEqual({
      stdout: '',
      stderr: 'iptables: No chain/target/match by that name.\n',
      exitCode: 1,
    });
    expect(await router('iptables -A FORWARD -m owner --uid-owner 0 -j ACCEPT')).toEqual({
      stdout: '',
      stderr: 'iptables: not simulated: -m owner\n',
      exitCode: 2,
    });
    expect(await router('ip6tables -S FORWARD')).toEqual({ stdout: '-P FORWARD ACCEPT\n', stderr: '', exitCode: 0 });
  });
});
