import { beforeAll, describe, expect, it } from 'vitest';
import { createRoutedTestbed, type Testbed } from '../testbed.ts';

describe('ping and traces across a router', () => {
  let testbed: Testbed;
  beforeAll(async () => {
    testbed = await createRoutedTestbed();
    // neighbours are known from now on, so that round trips are alike
    await testbed.exec('left', ['ping', '-c', '1', '203.0.113.2']);
    await testbed.exec('left', ['ping', '-c', '1', '2001:db8:2::2']);
  });

  // forms as recorded with iputils 20221126
  it.each([
    {
      name: 'IPv4',
      on: 'left',
      line: 'ping -c 2 203.0.113.2',
      stdout: `PING 203.0.113.2 (203.0.113.2) 56(84) bytes of data.
64 bytes from 203.0.113.2: icmp_seq=1 ttl=63 time=0.080 ms
64 bytes from 203.0.113.2: icmp_seq=2 ttl=63 time=0.080 ms

--- 203.0.113.2 ping statistics ---
2 packets transmitted, 2 received, 0% packet loss, time 1000ms
rtt min/avg/max/mdev = 0.080/0.080/0.080/0.000 ms
`,
    },
    {
      name: 'IPv6',
      on: 'left',
      line: 'ping -c 1 -q 2001:db8:2::2',
      stdout: `PING 2001:db8:2::2(2001:db8:2::2) 56 data bytes

--- 2001:db8:2::2 ping statistics ---
1 packets transmitted, 1 received, 0% packet loss, time 0ms
rtt min/avg/max/mdev = 0.080/0.080/0.080/0.000 ms
`,
    },
    {
      name: 'a blackhole on the way',
      on: 'left',
      line: 'ping -c 2 -W 1 192.0.2.9',
      stdout: `PING 192.0.2.9 (192.0.2.9) 56(84) bytes of data.

--- 192.0.2.9 ping statistics ---
2 packets transmitted, 0 received, 100% packet loss, time 1000ms

`,
      exitCode: 1,
    },
    {
      name: 'an unreachable route on the way',
      on: 'left',
      line: 'ping -c 1 -W 1 192.0.2.130',
      stdout: `PING 192.0.2.130 (192.0.2.130) 56(84) bytes of data.
From 198.51.100.1 icmp_seq=1 Destination Host Unreachable

--- 192.0.2.130 ping statistics ---
1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms

`,
      exitCode: 1,
    },
    {
      name: 'a prohibit route on the way',
      on: 'left',
      line: 'ping -c 1 -W 1 192.0.2.200',
      stdout: `PING 192.0.2.200 (192.0.2.200) 56(84) bytes of data.
From 198.51.100.1 icmp_seq=1 Packet filtered

--- 192.0.2.200 ping statistics ---
1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms

`,
      exitCode: 1,
    },
    {
      name: 'no IPv6 route on the way',
      on: 'left',
      line: 'ping -c 1 -W 1 2001:db9::',
      stdout: `PING 2001:db9::(2001:db9::) 56 data bytes
From 2001:db8:1::1 icmp_seq=1 Destination unreachable: No route

--- 2001:db9:: ping statistics ---
1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms

`,
      exitCode: 1,
    },
    {
      name: 'nobody at the address',
      on: 'left',
      line: 'ping -c 1 -W 5 203.0.113.77',
      stdout: `PING 203.0.113.77 (203.0.113.77) 56(84) bytes of data.
From 198.51.100.1 icmp_seq=1 Destination Host Unreachable

--- 203.0.113.77 ping statistics ---
1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms

`,
      exitCode: 1,
    },
    { name: 'its own blackhole', on: 'router', line: 'ping -c 1 -W 1 192.0.2.9', stderr: 'ping: connect: Invalid argument\n', exitCode: 2 },
    {
      name: 'its own blackhole, IPv6',
      on: 'router',
      line: 'ping -c 1 -W 1 2001:db8:b::1',
      stderr: 'ping: connect: Invalid argument\n',
      exitCode: 2,
    },
    { name: 'no route', on: 'router', line: 'ping -c 1 10.1.1.25', stderr: 'ping: connect: Network is unreachable\n', exitCode: 2 },
    {
      name: 'an unknown name',
      on: 'left',
      line: 'ping -c 1 web.example',
      stderr: 'ping: web.example: Name or service not known\n',
      exitCode: 2,
    },
    {
      name: 'no end',
      on: 'left',
      line: 'ping 203.0.113.2',
      stderr: 'ping: not simulated: without -c COUNT it would run until it is interrupted\n',
      exitCode: 2,
    },
    {
      name: 'a time limit',
      on: 'left',
      line: 'timeout 2.5 ping 192.0.2.9',
      stdout: 'PING 192.0.2.9 (192.0.2.9) 56(84) bytes of data.\n',
      exitCode: 124,
    },
    {
      name: 'traceroute',
      on: 'left',
      line: 'traceroute -n 203.0.113.2',
      stdout:
        'traceroute to 203.0.113.2 (203.0.113.2), 30 hops max, 60 byte packets\n 1  198.51.100.1  0.040 ms  0.040 ms  0.040 ms\n 2  203.0.113.2  0.080 ms  0.080 ms  0.080 ms\n',
    },
    {
      // the router drops before it looks at the TTL
      name: 'traceroute into a blackhole',
      on: 'left',
      line: 'traceroute -m 2 -q 2 -w 1 192.0.2.9',
      stdout: 'traceroute to 192.0.2.9 (192.0.2.9), 2 hops max, 60 byte packets\n 1  * *\n 2  * *\n',
    },
    {
      name: 'tracepath',
      on: 'left',
      line: 'tracepath -n 203.0.113.2',
      stdout: ` 1?: [LOCALHOST]                      pmtu 1500
 1:  198.51.100.1                                          0.040ms 
 2:  203.0.113.2                                           0.080ms reached
     Resume: pmtu 1500 hops 2 back 2 
`,
    },
  ])('$name', async ({ on, line, stdout = '', stderr = '', exitCode = 0 }) => {
    expect(await testbed.exec(on, line.split(' '))).toEqual({ stdout, stderr, exitCode });
  });
});
