import { beforeAll, describe, expect, it } from 'vitest';
import { ip } from '../../net/address.ts';
import { serveHttp } from '../../net/http.ts';
import { createRoutedTestbed, type Testbed } from '../testbed.ts';

// the layout and the refusals are those of iproute2 6.1 between two namespaces with the same sockets (a listener of nc has a backlog of 1)
describe('ss with a listener and two connections', () => {
  let testbed: Testbed;
  beforeAll(async () => {
    testbed = await createRoutedTestbed();
    const namespaceOf = (name: string): NonNullable<ReturnType<typeof testbed.engine.findContainer>>['namespace'] => {
      const container = testbed.engine.findContainer(name);
      if (container === undefined) throw new Error(name);
      return container.namespace;
    };
    serveHttp(namespaceOf('right'), { port: 8080, program: 'web' }, () => ({ status: 200, body: 'ok\n' }));
    for (const address of ['203.0.113.2', '2001:db8:2::2'])
      namespaceOf('left').sockets.connect({ destination: { ip: ip(address), port: 8080 }, handlers: {} });
    testbed.clock.advance(1000);
  });

  const run = async (line: string): Promise<string> => {
    const { stdout, stderr, exitCode } = await testbed.exec('right', ['sh', '-c', line]);
    const text = stdout.replace(/\b[3-6]\d{4}\b/g, 'EPHEM') + stderr;
    return `${text}${exitCode === 0 ? '' : `[exit ${exitCode}]\n`}`;
  };

  const wide = `State  Recv-Q Send-Q   Local Address:Port    Peer Address:Port Process
ESTAB  0      0          203.0.113.2:8080    198.51.100.2:EPHEM       
LISTEN 0      4096                 *:8080               *:*           
ESTAB  0      0      [2001:db8:2::2]:8080 [2001:db8:1::2]:EPHEM       
`;
  const four = `State Recv-Q Send-Q Local Address:Port Peer Address:Port Process
ESTAB 0      0        203.0.113.2:8080 198.51.100.2:EPHEM       
`;

  it.each([
    ['ss -tan', wide],
    ['ss -tan dst 198.51.100.2', four],
    ['ss -tan dst 198.51.100.0/24 and sport = :8080', four],
    ['ss -tan src 203.0.113.2:8080', four],
    ["ss -tan '( dport = :80 or dst 198.51.100.2 )'", four],
    ['ss -4tn', four],
    ['ss -4tn state established', four.replace('State ', '').replace('ESTAB ', '')],
    ['ss -tn state listening | wc -l', '2\n'],
    ['ss -tHn exclude established exclude listening', ''],
    [
      'ss -tl',
      'State  Recv-Q Send-Q Local Address:Port     Peer Address:PortProcess\nLISTEN 0      4096               *:http-alt            *:*          \n',
    ],
    [
      'ss -tlnp',
      'State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess                    \nLISTEN 0      4096               *:8080            *:*    users:(("web",pid=1,fd=3))\n',
    ],
    ['ss -w', 'State Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\n'],
    [
      'ss -s',
      `Total: 3
TCP:   3 (estab 2, closed 0, orphaned 0, timewait 0)

Transport Total     IP        IPv6
RAW\t  0         0         0        
UDP\t  0         0         0        
TCP\t  3         1         2        
INET\t  3         1         2        
FRAG\t  0         0         0        

`,
    ],
    ['ss -V', 'ss utility, iproute2-6.1.0\n'],
    ['ss state foo', 'ss: wrong state name: foo\n[exit 255]\n'],
    ['ss -tan foo', 'Error: an inet prefix is expected rather than "foo".\nCannot parse dst/src address.\n[exit 1]\n'],
    [
      'ss -tan dst 2001:db8:1::2',
      'Error: an inet prefix is expected rather than "2001:db8:1:".\nCannot parse dst/src address.\n[exit 1]\n',
    ],
    ['ss -tan sport = :foo', 'Error: "foo" does not look like a port.\nCannot parse dst/src address.\n[exit 1]\n'],
    ['ss --foo', "ss: unrecognized option '--foo'\nUsage: ss [ OPTIONS ]\n[exit 255]\n"],
    ['ss -A foo', 'ss: "foo" is illegal socket table id\nUsage: ss [ OPTIONS ]\n[exit 255]\n'],
  ])('%s', async (line, expected) => {
    expect(await run(line)).toBe(expected);
  });
});
