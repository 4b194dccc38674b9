import { echoServer, httpd, httpdPage, httpEcho, netexec, nginx, nginxPage, serveHostname, whoami } from './programs/web.ts';
import type { ImageDefinition, ProgramFactory } from './types.ts';

type Extras = Omit<Partial<ImageDefinition>, 'name' | 'command' | 'shell'>;

function image(name: string, command: readonly string[], shell: ImageDefinition['shell'], extras: Extras = {}): ImageDefinition {
  return { name, command, shell, programs: [], commands: [], ...extras };
}

const all = ['*'];
const one = (factory: (container: Parameters<ProgramFactory>[0]) => ReturnType<ProgramFactory>): readonly ProgramFactory[] => [factory];

const agnhost: Extras = { entrypoint: ['/agnhost'], commands: ['curl', 'dig', 'ss', 'iptables'] };

const multitoolPage = 'based on WBITT Network MultiTool (https://github.com/wbitt/Network-MultiTool)\n';

function multitool(name: string, entrypoint: string, page: string): ImageDefinition {
  return image(name, ['/bin/sh', entrypoint, '/usr/sbin/nginx', '-g', 'daemon off;'], 'bash', {
    entrypoint: ['/bin/sh', entrypoint],
    commands: all,
    programs: one((container) => nginx(container)),
    files: { '/usr/share/nginx/html/index.html': page },
  });
}

/** What a whole machine has on its PATH (kindest/node). */
const machineCommands = [
  'curl',
  'ss',
  'iptables',
  'ip6tables',
  'iptables-save',
  'iptables-restore',
  'ip6tables-save',
  'ip6tables-restore',
  'ethtool',
  'tc',
  'bridge',
  'jq',
];

/**
 * Public images that network labs use, with what they do by default (each image's Dockerfile and documentation).
 * FRR is described in frr/; the lab's own images in its `images/` folder.
 */
export const builtinImages: readonly ImageDefinition[] = [
  image('nicolaka/netshoot', ['zsh'], 'bash', { commands: all, exitCode: 0 }),
  image('wbitt/network-multitool', ['nginx', '-g', 'daemon off;'], 'bash', {
    commands: all,
    programs: one((container) => nginx(container, Number(container.env.get('HTTP_PORT') ?? 80))),
    files: { '/usr/share/nginx/html/index.html': 'WBITT Network MultiTool (with NGINX)\n' },
  }),
  // Its offspring and its ancestor (each one's Dockerfile).
  multitool('ghcr.io/srl-labs/network-multitool', '/docker/entrypoint.sh', multitoolPage),
  multitool('ghcr.io/hellt/network-multitool', '/docker/entrypoint.sh', multitoolPage),
  multitool('praqma/network-multitool', '/docker-entrypoint.sh', 'Praqma Network MultiTool (with NGINX)\n'),
  image('curlimages/curl', ['/entrypoint.sh', 'curl'], 'sh', { entrypoint: ['/entrypoint.sh'], commands: ['curl'], exitCode: 2 }),
  image('nginx', ['/docker-entrypoint.sh', 'nginx', '-g', 'daemon off;'], 'bash', {
    entrypoint: ['/docker-entrypoint.sh'],
    commands: ['curl'],
    programs: one((container) => nginx(container)),
    files: { '/usr/share/nginx/html/index.html': nginxPage },
  }),
  image('httpd', ['httpd-foreground'], 'bash', { programs: one(httpd), files: { '/usr/local/apache2/htdocs/index.html': httpdPage } }),
  image('busybox', ['sh'], 'sh', { exitCode: 0 }),
  image('alpine', ['/bin/sh'], 'sh', { exitCode: 0 }),
  image('debian', ['bash'], 'bash', { exitCode: 0 }),
  image('ubuntu', ['/bin/bash'], 'bash', { exitCode: 0 }),
  image('traefik/whoami', ['/whoami'], undefined, {
    entrypoint: ['/whoami'],
    programs: one((container) => whoami(container, Number(container.env.get('WHOAMI_PORT_NUMBER') ?? 80))),
  }),
  image('hashicorp/http-echo', ['/http-echo'], undefined, {
    entrypoint: ['/http-echo'],
    programs: one((container) => httpEcho(container, container.options.command ?? [])),
  }),
  image('ealen/echo-server', ['node', 'webserver'], 'sh', { programs: one(echoServer) }),
  image('registry.k8s.io/e2e-test-images/agnhost', ['/agnhost', 'pause'], 'sh', agnhost),
  image('registry.k8s.io/serve_hostname', ['/serve_hostname'], undefined, { programs: one(serveHostname) }),
  image('registry.k8s.io/e2e-test-images/netexec', ['/netexec'], 'sh', {
    entrypoint: ['/netexec'],
    programs: one((container) => netexec(container, container.options.command ?? [])),
  }),
  image('kindest/node', ['/usr/local/bin/entrypoint', '/sbin/init'], 'bash', {
    entrypoint: ['/usr/local/bin/entrypoint', '/sbin/init'],
    commands: machineCommands,
  }),
  image('registry.k8s.io/pause', ['/pause'], undefined, { entrypoint: ['/pause'] }),
];
