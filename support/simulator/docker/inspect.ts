import type { Engine } from './engine.ts';
import { endpointId } from './engine.ts';
import { familiarImageName, parseImageReference } from './image-reference.ts';
import type { EngineNetwork } from './networks.ts';
import { subnetLength } from './networks.ts';
import { humanDuration } from './text-table.ts';
import { formatRfc3339Nano } from './timestamp.ts';
import type { Container } from './types.ts';

const never = '0001-01-01T00:00:00Z';

/** A made-up but stable digest of a text, 64 hexadecimal digits (FNV-1a in four lanes). */
export function digestOf(text: string): string {
  let digest = '';
  for (let lane = 0; lane < 8; lane++) {
    let value = (0x811c9dc5 ^ (lane * 0x9e3779b1)) >>> 0;
    for (const char of text) value = Math.imul(value ^ char.charCodeAt(0), 0x01000193) >>> 0;
    digest += value.toString(16).padStart(8, '0');
  }
  return digest;
}

export function commandLineOf(container: Container): readonly string[] {
  const { entrypoint = [], command = [] } = container.options;
  if (entrypoint.length > 0) return [...entrypoint, ...command];
  return command.length > 0 ? [...(container.image.entrypoint ?? []), ...command] : container.image.command;
}

export function imageId(container: Container): string {
  return digestOf(familiarImageName(container.imageReference));
}

/** `Up 7 minutes`, `Exited (137) 5 seconds ago`. */
export function statusOf(container: Container, now: number): string {
  switch (container.state) {
    case 'created':
      return 'Created';
    case 'running':
      return `Up ${humanDuration(now - (container.startedAt ?? now))}`;
    case 'paused':
      return `Up ${humanDuration(now - (container.startedAt ?? now))} (Paused)`;
    case 'restarting':
      return `Restarting (${container.exitCode}) ${humanDuration(now - (container.finishedAt ?? now))} ago`;
    case 'dead':
      return 'Dead';
    default:
      return `Exited (${container.exitCode}) ${humanDuration(now - (container.finishedAt ?? now))} ago`;
  }
}

function portBindings(container: Container): Record<string, { HostIp: string; HostPort: string }[]> {
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const port of container.options.ports ?? []) {
    const key = `${port.containerPort}/${port.protocol}`;
    bindings[key] = [...(bindings[key] ?? []), { HostIp: port.hostIp ?? '0.0.0.0', HostPort: String(port.hostPort) }];
  }
  return bindings;
}

function endpointSettings(container: Container, network: EngineNetwork, asked: readonly string[]): Record<string, unknown> {
  const member = network.members.get(container.id);
  const four = member?.ips.find((ip) => ip.family === 4);
  const six = member?.ips.find((ip) => ip.family === 6);
  const gateway = (family: 4 | 6): string =>
    member === undefined ? '' : (network.subnets.find((subnet) => subnet.prefix.family === family)?.gateway.text ?? '');
  const config = Object.fromEntries(asked.map((text) => [text.includes(':') ? 'IPv6Address' : 'IPv4Address', text]));
  return {
    IPAMConfig: asked.length === 0 ? null : config,
    Links: null,
    Aliases: network.isUserDefined ? [] : null,
    MacAddress: member?.mac ?? '',
    DriverOpts: null,
    GwPriority: 0,
    NetworkID: network.id,
    EndpointID: member === undefined ? '' : endpointId(network, container),
    Gateway: gateway(4),
    IPAddress: four?.text ?? '',
    IPPrefixLen: four === undefined ? 0 : subnetLength(network, four),
    IPv6Gateway: gateway(6),
    GlobalIPv6Address: six?.text ?? '',
    GlobalIPv6PrefixLen: six === undefined ? 0 : subnetLength(network, six),
    DNSNames: network.isUserDefined ? [...new Set([container.name, container.id.slice(0, 12), container.hostname])] : null,
  };
}

/** `docker inspect CONTAINER`, the fields of engine 28. */
export function inspectContainer(engine: Engine, container: Container): Record<string, unknown> {
  const line = commandLineOf(container);
  const { options } = container;
  const mode = engine.networkModeOf(container);
  const joined = [...engine.networksOf(container)];
  const networks = Object.fromEntries(
    joined.map(([network, asked]) => [network.name, endpointSettings(container, network, asked)] as const),
  );
  if (mode === 'host' || mode === 'none') {
    const network = engine.findNetwork(mode);
    if (network !== undefined) networks[mode] = endpointSettings(container, network, []);
  }
  const onBridge = joined.find(([network]) => network.name === 'bridge')?.[0];
  const bridgeSettings = onBridge === undefined ? {} : endpointSettings(container, onBridge, []);
  const isUp = container.state === 'running' || container.state === 'paused';
  const time = (at: number | undefined): string => (at === undefined ? never : formatRfc3339Nano(at));
  return {
    Id: container.id,
    Created: formatRfc3339Nano(container.createdAt),
    Path: line[0] ?? '',
    Args: line.slice(1),
    State: {
      Status: container.state,
      Running: isUp,
      Paused: container.state === 'paused',
      Restarting: container.state === 'restarting',
      OOMKilled: false,
      Dead: container.state === 'dead',
      Pid: container.pid,
      ExitCode: container.exitCode,
      Error: '',
      StartedAt: time(container.startedAt),
      FinishedAt: time(container.finishedAt),
    },
    Image: `sha256:${imageId(container)}`,
    ResolvConfPath: `/var/lib/docker/containers/${container.id}/resolv.conf`,
    HostnamePath: `/var/lib/docker/containers/${container.id}/hostname`,
    HostsPath: `/var/lib/docker/containers/${container.id}/hosts`,
    LogPath: `/var/lib/docker/containers/${container.id}/${container.id}-json.log`,
    Name: `/${container.name}`,
    RestartCount: container.restartCount,
    Driver: 'overlay2',
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: '',
    ExecIDs: null,
    HostConfig: {
      Binds: options.binds === undefined || options.binds.length === 0 ? null : options.binds,
      NetworkMode: mode,
      PortBindings: portBindings(container),
      RestartPolicy: { Name: options.restartPolicy ?? 'no', MaximumRetryCount: 0 },
      AutoRemove: false,
      Privileged: options.privileged ?? false,
    },
    GraphDriver: { Data: null, Name: 'overlay2' },
    Mounts: (options.binds ?? []).map((bind) => {
      const [source = '', destination = '', flags = ''] = bind.split(':');
      return {
        Type: 'bind',
        Source: source,
        Destination: destination,
        Mode: flags,
        RW: !flags.split(',').includes('ro'),
        Propagation: 'rprivate',
      };
    }),
    Config: {
      Hostname: mode.startsWith('container:') ? '' : container.hostname,
      Domainname: '',
      User: options.user ?? '',
      AttachStdin: false,
      AttachStdout: false,
      AttachStderr: false,
      Tty: false,
      OpenStdin: false,
      StdinOnce: false,
      Env: [...container.env].filter(([name]) => name !== 'HOSTNAME' && name !== 'HOME').map(([name, value]) => `${name}=${value}`),
      Cmd:
        line.length > (options.entrypoint ?? container.image.entrypoint ?? []).length
          ? line.slice((options.entrypoint ?? container.image.entrypoint ?? []).length)
          : null,
      Image: container.imageReference,
      Volumes: null,
      WorkingDir: options.workingDirectory ?? '',
      Entrypoint:
        options.entrypoint ??
        (container.image.entrypoint === undefined || container.image.entrypoint.length === 0 ? null : container.image.entrypoint),
      OnBuild: null,
      Labels: options.labels ?? {},
    },
    NetworkSettings: {
      Bridge: '',
      SandboxID: isUp ? digestOf(container.id) : '',
      SandboxKey: isUp ? `/var/run/docker/netns/${digestOf(container.id).slice(0, 12)}` : '',
      Ports: isUp ? portBindings(container) : {},
      EndpointID: bridgeSettings.EndpointID ?? '',
      Gateway: bridgeSettings.Gateway ?? '',
      IPAddress: bridgeSettings.IPAddress ?? '',
      IPPrefixLen: bridgeSettings.IPPrefixLen ?? 0,
      IPv6Gateway: bridgeSettings.IPv6Gateway ?? '',
      GlobalIPv6Address: bridgeSettings.GlobalIPv6Address ?? '',
      GlobalIPv6PrefixLen: bridgeSettings.GlobalIPv6PrefixLen ?? 0,
      MacAddress: bridgeSettings.MacAddress ?? '',
      Networks: networks,
    },
  };
}

export function networkDriver(network: EngineNetwork): string {
  return network.driver === 'none' ? 'null' : network.driver;
}

export function inspectNetwork(network: EngineNetwork): Record<string, unknown> {
  const address = (ips: readonly { readonly family: 4 | 6; readonly text: string }[], family: 4 | 6): string => {
    const ip = network.members.size === 0 ? undefined : ips.find((other) => other.family === family);
    const length = network.subnets.find((subnet) => subnet.prefix.family === family)?.prefix.length;
    return ip === undefined ? '' : `${ip.text}/${length ?? (family === 4 ? 32 : 128)}`;
  };
  const containers = [...network.members.values()].map((member) => [
    member.container.id,
    {
      Name: member.container.name,
      EndpointID: endpointId(network, member.container),
      MacAddress: member.mac,
      IPv4Address: address(member.ips, 4),
      IPv6Address: address(member.ips, 6),
    },
  ]);
  const isDefault = network.name === 'bridge' && network.driver === 'bridge';
  return {
    Name: network.name,
    Id: network.id,
    Created: formatRfc3339Nano(network.createdAt),
    Scope: 'local',
    Driver: networkDriver(network),
    EnableIPv4: true,
    EnableIPv6: network.hasFamily(6),
    IPAM: {
      Driver: 'default',
      Options: network.isUserDefined ? {} : null,
      Config:
        network.driver === 'bridge'
          ? network.subnets.map((subnet) => ({ Subnet: subnet.prefix.text, Gateway: subnet.gateway.text }))
          : null,
    },
    Internal: false,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: Object.fromEntries(containers),
    Options: isDefault
      ? {
          'com.docker.network.bridge.default_bridge': 'true',
          'com.docker.network.bridge.enable_icc': 'true',
          'com.docker.network.bridge.enable_ip_masquerade': 'true',
          'com.docker.network.bridge.host_binding_ipv4': '0.0.0.0',
          'com.docker.network.bridge.name': 'docker0',
          'com.docker.network.driver.mtu': '1500',
        }
      : network.bridge === undefined || network.bridge.name === `br-${network.id.slice(0, 12)}`
        ? {}
        : { 'com.docker.network.bridge.name': network.bridge.name },
    Labels: network.labels,
  };
}

/** Repository and tag, as `docker images` splits them. */
export function repositoryAndTag(reference: string): readonly [string, string] {
  const parsed = parseImageReference(reference);
  return [familiarImageName(parsed?.name ?? reference), parsed?.tag ?? (parsed?.digest === undefined ? 'latest' : '<none>')];
}
