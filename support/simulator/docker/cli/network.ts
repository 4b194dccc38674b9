import { EngineError } from '../engine-error.ts';
import { listNetworks, networkInspect } from './list.ts';
import { type CliCommand, CliExit, daemonError, findContainer, forEach, isSet, optionOf, parseCli } from './words.ts';

const create: CliCommand = (args, { engine }) => {
  const options = parseCli(args, {
    name: 'docker network create',
    usage: 'docker network create [OPTIONS] NETWORK',
    options: {
      attachable: '',
      'aux-address:': '',
      'driver:': 'd',
      'gateway:': '',
      internal: '',
      'ip-range:': '',
      ipv4: '',
      ipv6: '',
      'label:': '',
      'opt:': 'o',
      'subnet:': '',
      'scope:': '',
    },
    minimum: 1,
    maximum: 1,
  });
  for (const unsupported of ['aux-address', 'internal', 'ip-range'])
    if (options.values.has(unsupported)) throw new CliExit(`docker: not simulated: network create --${unsupported}\n`, 1);
  const driver = optionOf(options, 'driver') ?? 'bridge';
  if (driver !== 'bridge') throw new CliExit(`Error response from daemon: not simulated: network driver ${driver}\n`, 1);
  const opts = new Map((options.values.get('opt') ?? []).map((text) => [text.split('=')[0] ?? '', text.split(/=(.*)/s)[1] ?? ''] as const));
  const bridgeName = opts.get('com.docker.network.bridge.name');
  const mtu = opts.get('com.docker.network.driver.mtu');
  const masquerade = opts.get('com.docker.network.bridge.enable_ip_masquerade');
  const network = engine.createNetwork({
    name: options.operands[0] as string,
    subnets: options.values.get('subnet') ?? [],
    gateways: options.values.get('gateway') ?? [],
    ipv6: isSet(options, 'ipv6'),
    labels: Object.fromEntries(
      (options.values.get('label') ?? []).map((label) => [label.split('=')[0] ?? '', label.split(/=(.*)/s)[1] ?? '']),
    ),
    ...(bridgeName === undefined ? {} : { bridgeName }),
    ...(mtu === undefined ? {} : { mtu: Number(mtu) }),
    ...(masquerade === undefined ? {} : { masquerade: masquerade === 'true' }),
  });
  return { stdout: `${network.id}\n`, stderr: '', exitCode: 0 };
};

const remove: CliCommand = (args, { engine }) => {
  const options = parseCli(args, {
    name: 'docker network rm',
    usage: 'docker network rm NETWORK [NETWORK...]',
    options: { force: 'f' },
    minimum: 1,
  });
  const result = forEach(options.operands, (name) => {
    engine.removeNetwork(name);
    return undefined;
  });
  return result.exitCode === 0 ? result : { ...result, stderr: `${result.stderr}exit status 1\n` };
};

function connecting(verb: 'connect' | 'disconnect'): CliCommand {
  return (args, { engine }) => {
    const options = parseCli(args, {
      name: `docker network ${verb}`,
      usage: `docker network ${verb} [OPTIONS] NETWORK CONTAINER`,
      options:
        verb === 'connect' ? { 'alias:': '', 'ip:': '', 'ip6:': '', 'link:': '', 'driver-opt:': '', 'gw-priority:': '' } : { force: 'f' },
      minimum: 2,
      maximum: 2,
    });
    const [networkName = '', containerName = ''] = options.operands;
    const network = engine.findNetwork(networkName);
    if (network === undefined) throw new EngineError(404, `network ${networkName} not found`);
    const container = findContainer(engine, containerName);
    const ips = [optionOf(options, 'ip'), optionOf(options, 'ip6')].filter((text) => text !== undefined);
    if (verb === 'connect') engine.connect(network, container, { ips });
    else engine.disconnect(network, container);
    return { stdout: '', stderr: '', exitCode: 0 };
  };
}

const commands: Readonly<Record<string, CliCommand>> = {
  ls: listNetworks,
  list: listNetworks,
  inspect: networkInspect,
  create,
  rm: remove,
  remove,
  connect: connecting('connect'),
  disconnect: connecting('disconnect'),
};

export const network: CliCommand = async (args, context) => {
  const [verb, ...rest] = args;
  if (verb === undefined || verb === '--help')
    return { stdout: '\nUsage:  docker network COMMAND\n\nManage networks\n', stderr: '', exitCode: 0 };
  const command = commands[verb];
  if (command === undefined)
    throw new CliExit(
      verb === 'prune'
        ? 'docker: not simulated: network prune\n'
        : `docker: unknown command: docker network ${verb}\n\nUsage:  docker network\n\nRun 'docker network --help' for more information\n`,
      1,
    );
  try {
    return await command(rest, context);
  } catch (error) {
    if (error instanceof CliExit) throw error;
    return { stdout: '', stderr: `${daemonError(error)}\n`, exitCode: 1 };
  }
};
