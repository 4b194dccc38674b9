import type { Command, CommandContext, Container, ImageDefinition, Program } from '../docker/types.ts';
import { FrrRouter } from './router.ts';
import { makeVtysh } from './vtysh.ts';

/** As the image ships it: only zebra, staticd and watchfrr run until somebody says otherwise. */
const daemonsFile = `# This file tells the frr package which daemons to start.
#
# The watchfrr, zebra and staticd daemons are always started.
#
bgpd=no
ospfd=no
ospf6d=no
ripd=no
ripngd=no
isisd=no
pimd=no
ldpd=no
nhrpd=no
eigrpd=no
babeld=no
sharpd=no
pbrd=no
bfdd=no
fabricd=no
vrrpd=no
pathd=no

vtysh_enable=yes
zebra_options="  -A 127.0.0.1 -s 90000000"
bgpd_options="   -A 127.0.0.1"
staticd_options="-A 127.0.0.1"
`;

const files = { '/etc/frr/daemons': daemonsFile, '/etc/frr/vtysh.conf': 'service integrated-vtysh-config\n' };

const routers = new WeakMap<Container, FrrRouter>();

/** The FRR of a container, made at first use. */
export function frrOf(container: Container): FrrRouter {
  let router = routers.get(container);
  if (router === undefined) {
    router = new FrrRouter(container, container.namespace.network.clock);
    routers.set(container, router);
  }
  return router;
}

function program(container: Container): Program {
  return frrOf(container);
}

const vtysh = makeVtysh((context: CommandContext) => frrOf(context.container));

const frrinit: Command = (args, context) => {
  const router = frrOf(context.container);
  const daemons = (): string[] => ['zebra', ...(router.bgpd === undefined ? [] : ['bgpd']), 'staticd'];
  const done = (stdout: string, exitCode = 0) => ({ stdout, stderr: '', exitCode });
  switch (args[0]) {
    case 'start':
      router.start();
      return done('Started watchfrr\n');
    case 'stop':
      router.stop();
      return done('Stopped watchfrr\n');
    case 'restart':
    case 'force-reload':
      router.stop();
      router.start();
      return done('Stopped watchfrr\nStarted watchfrr\n');
    case 'status':
      if (!router.isRunning) return done('Status of watchfrr: FAILED\n', 1);
      return done(
        `Status of watchfrr: running\n${daemons()
          .map((daemon) => `Status of ${daemon}: running\n`)
          .join('')}`,
      );
    case 'reload':
      return { stdout: '', stderr: 'frrinit.sh: not simulated: reload\n', exitCode: 1 };
    default:
      return done(`Usage: frrinit.sh {start|stop|status|restart|force-reload|reload}\n`, 1);
  }
};

const dockerStart: Command = (_args, context) => {
  frrOf(context.container).start();
  return { stdout: 'Started watchfrr\n', stderr: '', exitCode: 0 };
};

function image(name: string): ImageDefinition {
  return {
    name,
    // docker/alpine/Dockerfile: tini is process 1 of every one of its containers
    command: ['/sbin/tini', '--', '/usr/lib/frr/docker-start'],
    entrypoint: ['/sbin/tini', '--'],
    programs: [program],
    commands: [
      'vtysh',
      'frrinit.sh',
      '/usr/lib/frr/frrinit.sh',
      'docker-start',
      '/usr/lib/frr/docker-start',
      'watchfrr',
      // the package stands on Alpine's whole iproute2 (alpine/APKBUILD.in)
      'ss',
      'tc',
      'bridge',
      'iptables',
      'ip6tables',
      'iptables-save',
      'iptables-restore',
      'ip6tables-save',
      'ip6tables-restore',
    ],
    shell: 'bash',
    env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/frr' },
    files,
  };
}

export const frrImages: readonly ImageDefinition[] = [
  image('frrouting/frr'),
  image('quay.io/frrouting/frr'),
  image('docker.io/frrouting/frr'),
];

export const frrCommands: ReadonlyMap<string, Command> = new Map<string, Command>([
  ['vtysh', vtysh],
  ['frrinit.sh', frrinit],
  ['/usr/lib/frr/frrinit.sh', frrinit],
  ['docker-start', dockerStart],
  ['/usr/lib/frr/docker-start', dockerStart],
]);
