import { describe, expect, it } from 'vitest';
import { SimulatedClock } from '../clock/clock.ts';
import { Random } from '../clock/random.ts';
import type { CommandContext, CommandResult, Container } from '../docker/types.ts';
import { ip } from '../net/address.ts';
import { createNetwork } from '../net/network.ts';
import { frrCommands, frrImages, frrOf } from './image.ts';
import { configFile } from './router.ts';

class Box {
  readonly clock = new SimulatedClock(1_700_000_000_000);
  readonly files = new Map<string, string>();
  readonly container: Container;

  constructor(files: Readonly<Record<string, string>> = { '/etc/frr/daemons': 'bgpd=yes\n' }) {
    const network = createNetwork({ clock: this.clock, random: new Random('box') });
    const namespace = network.createNamespace('r1');
    namespace.setSysctl('net.ipv4.ip_forward', '1');
    namespace.setSysctl('net.ipv6.conf.all.forwarding', '1');
    const other = network.createNamespace('other');
    const [here, there] = network.createVeth({ namespace, name: 'eth1' }, { namespace: other, name: 'eth1' });
    here.setUp();
    there.setUp();
    here.addAddress(ip('192.0.2.1'), 24);
    for (const [path, content] of Object.entries({ ...frrImages[0]?.files, ...files })) this.files.set(path, content);
    const store = {
      read: (path: string) => this.files.get(path),
      write: (path: string, content: string) => void this.files.set(path, content),
      remove: (path: string) => this.files.delete(path),
      list: () => undefined,
      isDirectory: () => false,
    };
    this.container = {
      id: 'b0b0',
      name: 'r1',
      hostname: 'r1',
      imageReference: 'frrouting/frr:v8.4.1',
      namespace,
      programs: [],
      background: new Set(),
      files: store,
      writeLog: () => undefined,
    } as unknown as Container;
  }

  start(): this {
    frrOf(this.container).start();
    return this;
  }

  run(name: string, args: readonly string[], stdin = ''): CommandResult {
    const command = frrCommands.get(name);
    if (command === undefined) throw new Error(`no command ${name}`);
    return command(args, {
      container: this.container,
      files: this.container.files,
      clock: this.clock,
      stdin,
      hasStdin: stdin !== '',
      isTerminal: false,
      env: new Map(),
      cwd: '/',
    } as unknown as CommandContext) as CommandResult;
  }

  vtysh(...lines: readonly string[]): CommandResult {
    return this.run(
      'vtysh',
      lines.flatMap((line) => ['-c', line]),
    );
  }
}

const bgp = ['conf t', 'router bgp 64500'];

describe('vtysh', () => {
  it.each([
    { name: 'an unknown command', lines: ['show nonsense'], stdout: '% Unknown command: show nonsense\n', exitCode: 1 },
    { name: 'an incomplete command', lines: ['show'], stdout: '% Command incomplete: show\n', exitCode: 1 },
    { name: 'a trailing blank', lines: ['show bgp ipv6 '], stdout: 'Default BGP instance not found\n', exitCode: 0 },
    { name: 'abbreviations', lines: ['sh bgp sum'], stdout: '% BGP instance not found\n', exitCode: 0 },
    {
      name: 'a neighbor without remote-as',
      lines: [...bgp, 'neighbor 192.0.2.2 activate'],
      stdout: '% Specify remote-as or peer-group commands first\n',
      exitCode: 1,
    },
    {
      name: 'a group that is not there',
      lines: [...bgp, 'neighbor 192.0.2.2 peer-group G'],
      stdout: '% Configure the peer-group first\n',
      exitCode: 1,
    },
    {
      name: 'the router itself',
      lines: [...bgp, 'neighbor 192.0.2.1 remote-as 64501'],
      stdout: '% Can not configure the local system as neighbor\n',
      exitCode: 1,
    },
    {
      name: 'a second AS',
      lines: [...bgp, 'end', 'conf t', 'router bgp 64501'],
      stdout: 'BGP is already running; AS is 64500\n',
      exitCode: 1,
    },
    {
      name: 'a typing error inside router bgp',
      lines: [...bgp, 'neigbor 192.0.2.2 remote-as 64501'],
      stdout: '% Unknown command: neigbor 192.0.2.2 remote-as 64501\n',
      exitCode: 1,
    },
    {
      name: 'a line of the place above',
      lines: [...bgp, 'ip prefix-list P permit 198.51.100.0/24', 'do show ip prefix-list P'],
      stdout:
        'ZEBRA: ip prefix-list P: 1 entries\n   seq 5 permit 198.51.100.0/24\nBGP: ip prefix-list P: 1 entries\n   seq 5 permit 198.51.100.0/24\n',
      exitCode: 0,
    },
  ])('answers $name', ({ lines, stdout, exitCode }) => {
    expect(new Box().start().vtysh(...lines)).toEqual({ stdout, stderr: '', exitCode });
  });

  it('says what is not simulated', () => {
    const box = new Box().start();
    expect(box.vtysh(...bgp, 'bgp confederation identifier 64496')).toEqual({
      stdout: '',
      stderr: 'vtysh: not simulated: bgp confederation identifier 64496\n',
      exitCode: 1,
    });
    expect(box.vtysh('show ip ospf')).toEqual({ stdout: '', stderr: 'vtysh: not simulated: show ip ospf\n', exitCode: 1 });
  });

  it('stops at the first line that fails', () => {
    const box = new Box().start();
    expect(box.vtysh(...bgp, 'nonsense', 'bgp router-id 192.0.2.9').exitCode).toBe(1);
    expect(box.vtysh('show running-config').stdout).not.toContain('router-id');
  });

  it('has nobody to talk to before FRR runs, and no bgpd where the file says so', () => {
    const box = new Box({});
    expect(box.vtysh('show bgp ipv6')).toEqual({ stdout: '', stderr: 'Exiting: failed to connect to any daemons.\n', exitCode: 1 });
    box.start();
    expect(box.vtysh('show bgp ipv6')).toEqual({ stdout: '', stderr: 'bgpd is not running\n', exitCode: 1 });
    expect(box.vtysh(...bgp)).toEqual({ stdout: '', stderr: 'bgpd is not running\n', exitCode: 1 });
    expect(box.run('frrinit.sh', ['status'])).toEqual({
      stdout: 'Status of watchfrr: running\nStatus of zebra: running\nStatus of staticd: running\n',
      stderr: '',
      exitCode: 0,
    });
  });

  it('prints, saves and reads a configuration alike', () => {
    const lines = [
      'hostname edge',
      'ip route 203.0.113.0/24 blackhole',
      'ip prefix-list OWN seq 5 permit 198.51.100.0/24 le 32',
      'bgp community-list standard C seq 5 permit 64500:1',
      'route-map OUT permit 10',
      'match ip address prefix-list OWN',
      'set as-path prepend 64500 64500',
      'exit',
      ...bgp.slice(1),
      'bgp router-id 192.0.2.1',
      'no bgp default ipv4-unicast',
      'bgp bestpath as-path multipath-relax',
      'timers bgp 3 9',
      'neighbor FABRIC peer-group',
      'neighbor FABRIC remote-as external',
      'neighbor 192.0.2.2 remote-as 64501',
      'neighbor 2001:db8::2 peer-group FABRIC',
      'neighbor 192.0.2.2 description the other side',
      'neighbor 192.0.2.2 ebgp-multihop 3',
      'neighbor 192.0.2.2 password secret',
      'neighbor 192.0.2.2 timers 1 3',
      'address-family ipv4 unicast',
      'network 198.51.100.0/24',
      'redistribute connected route-map OUT',
      'neighbor 192.0.2.2 activate',
      'neighbor 192.0.2.2 route-map OUT out',
      'maximum-paths 4',
      'exit-address-family',
    ];
    const box = new Box().start();
    expect(box.vtysh('conf t', ...lines)).toEqual({ stdout: '', stderr: '', exitCode: 0 });
    expect(box.vtysh('write memory').stdout).toContain('[OK]\n');
    const saved = box.files.get(configFile);
    expect(saved).toBe(`frr version 8.4.1
frr defaults traditional
hostname edge
service integrated-vtysh-config
!
ip route 203.0.113.0/24 blackhole
!
router bgp 64500
 bgp router-id 192.0.2.1
 no bgp default ipv4-unicast
 bgp bestpath as-path multipath-relax
 timers bgp 3 9
 neighbor FABRIC peer-group
 neighbor FABRIC remote-as external
 neighbor 2001:db8::2 peer-group FABRIC
 neighbor 192.0.2.2 remote-as 64501
 neighbor 192.0.2.2 description the other side
 neighbor 192.0.2.2 password secret
 neighbor 192.0.2.2 ebgp-multihop 3
 neighbor 192.0.2.2 timers 1 3
 !
 address-family ipv4 unicast
  network 198.51.100.0/24
  redistribute connected route-map OUT
  neighbor 192.0.2.2 activate
  neighbor 192.0.2.2 route-map OUT out
  maximum-paths 4
 exit-address-family
exit
!
ip prefix-list OWN seq 5 permit 198.51.100.0/24 le 32
!
bgp community-list standard C seq 5 permit 64500:1
!
route-map OUT permit 10
 match ip address prefix-list OWN
 set as-path prepend 64500 64500
exit
!
`);
    const again = new Box({ '/etc/frr/daemons': 'bgpd=yes\n', [configFile]: saved ?? '' }).start();
    expect(again.vtysh('show running-config').stdout).toBe(`Building configuration...\n\nCurrent configuration:\n!\n${saved}end\n`);
    box.run('frrinit.sh', ['restart']);
    expect(box.vtysh('show running-config').stdout).toBe(`Building configuration...\n\nCurrent configuration:\n!\n${saved}end\n`);
  });

  it('reads lines from standard input', () => {
    const box = new Box().start();
    const { stdout, exitCode } = box.run('vtysh', [], 'conf t\nhostname edge\nend\nshow version\nexit\n');
    expect(stdout).toContain('FRRouting 8.4.1 (edge) on Linux(');
    expect(exitCode).toBe(0);
  });

  it('puts static routes into the kernel and networks into BGP when they exist', () => {
    const box = new Box().start();
    box.vtysh(
      'conf t',
      'ip route 203.0.113.0/24 192.0.2.2',
      'ip route 198.51.100.0/24 Null0',
      'router bgp 64500',
      'address-family ipv4 unicast',
      'network 203.0.113.0/24',
      'network 10.99.0.0/16',
    );
    box.clock.advance(1000);
    expect(
      box.container.namespace.routes.list({ family: 4, table: 254 }).map((route) => [route.destination.text, route.type, route.protocol]),
    ).toContainEqual(['203.0.113.0/24', 'unicast', 'static']);
    expect(box.vtysh('show ip route static').stdout.split('\n').slice(-3)).toEqual([
      'S>* 198.51.100.0/24 [1/0] unreachable (blackhole), weight 1, 00:00:01',
      'S>* 203.0.113.0/24 [1/0] via 192.0.2.2, eth1, weight 1, 00:00:01',
      '',
    ]);
    const table = box.vtysh('show bgp ipv4').stdout;
    expect(table).toContain('*> 203.0.113.0/24   0.0.0.0                  0         32768 i\n');
    expect(table).not.toContain('10.99.0.0');
  });
});
