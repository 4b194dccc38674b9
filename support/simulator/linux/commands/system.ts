import type { Random } from '../../clock/random.ts';
import { processesIn } from '../../docker/process-table.ts';
import { civilTime, formatTime } from '../../docker/timestamp.ts';
import type { Command, Container } from '../../docker/types.ts';
import { failure, output } from './result.ts';

/** hostname(1). */
export const hostname: Command = (args, context) => {
  const { container } = context;
  const addresses = container.namespace.interfaces
    .filter((device) => device.kind !== 'loopback' && device.isAdminUp)
    .flatMap((device) => device.addresses.filter((address) => address.scope === 'global').map((address) => address.ip));
  switch (args[0]) {
    case undefined:
    case '-f':
    case '--fqdn':
      return output(`${container.hostname}\n`);
    case '-s':
      return output(`${container.hostname.split('.')[0] ?? ''}\n`);
    case '-d':
      return output(`${container.hostname.split('.').slice(1).join('.')}\n`);
    case '-I':
      return output(
        `${[...addresses.filter((ip) => ip.family === 4), ...addresses.filter((ip) => ip.family === 6)].map((ip) => `${ip.text} `).join('')}\n`,
      );
    case '-i':
      return output(`${(container.namespace.hosts.get(container.hostname) ?? []).map((ip) => ip.text).join(' ')}\n`);
    default:
      return args[0]?.startsWith('-') === true
        ? failure(`hostname: invalid option -- '${args[0].slice(1)}'\n`)
        : failure('hostname: you must be root to change the host name\n');
  }
};

/** uname(1): a machine of today. */
export const uname: Command = (args, context) => {
  const values = {
    s: 'Linux',
    n: context.container.hostname,
    r: '6.8.0-45-generic',
    v: '#45-Ubuntu SMP PREEMPT_DYNAMIC',
    m: 'x86_64',
    p: 'x86_64',
    i: 'x86_64',
    o: 'GNU/Linux',
  };
  const letters = new Set(args.flatMap((arg) => (arg === '--all' ? ['a'] : [...arg.replace(/^-+/, '')])));
  if (letters.size === 0) return output(`${values.s}\n`);
  for (const letter of letters)
    if (letter !== 'a' && !(letter in values))
      return failure(`uname: invalid option -- '${letter}'\nTry 'uname --help' for more information.\n`);
  const order = ['s', 'n', 'r', 'v', 'm', 'p', 'i', 'o'] as const;
  const chosen = letters.has('a') ? (['s', 'n', 'r', 'v', 'm', 'o'] as const) : order.filter((letter) => letters.has(letter));
  return output(`${chosen.map((letter) => values[letter]).join(' ')}\n`);
};

/** id(1): everything in a container runs as root unless its image says otherwise, and no lab cares. */
export const id: Command = (args) => {
  switch (args[0]) {
    case '-u':
    case '-g':
      return output('0\n');
    case '-un':
    case '-gn':
      return output('root\n');
    default:
      return output('uid=0(root) gid=0(root) groups=0(root)\n');
  }
};

export const whoami: Command = () => output('root\n');

/** ps(1): `ps`, `ps aux` and `ps -ef`. */
export const ps: Command = (args, context) => {
  const processes = processesIn(context.container);
  const option = args.join('').replace(/^-/, '');
  const started = formatTime(civilTime(context.container.startedAt ?? context.clock.now())).slice(0, 5);
  if (option.includes('f')) {
    return output(
      `UID          PID    PPID  C STIME TTY          TIME CMD\n${processes.map(({ pid, parent, user, command }) => `${user.padEnd(8)} ${String(pid).padStart(7)} ${String(parent).padStart(7)}  0 ${started} ?        00:00:00 ${command}\n`).join('')}`,
    );
  }
  if (option.includes('u')) {
    return output(
      `USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND\n${processes.map(({ pid, user, command }) => `${user.padEnd(8)} ${String(pid).padStart(7)}  0.0  0.1   2576  1024 ?        Ss   ${started}   0:00 ${command}\n`).join('')}`,
    );
  }
  return output(
    `PID   USER     TIME  COMMAND\n${processes.map(({ pid, user, command }) => `${String(pid).padStart(5)} ${user.padEnd(8)}  0:00 ${command}\n`).join('')}`,
  );
};

export const systemctl: Command = () =>
  failure("System has not been booted with systemd as init system (PID 1). Can't operate.\nFailed to connect to bus: Host is down\n");

/** chown(1), chgrp(1): everything belongs to root here, so only a missing file shows. */
export const chown: Command = (args, context) => {
  const [owner, ...paths] = args.filter((arg) => !arg.startsWith('-'));
  if (owner === undefined) return failure("chown: missing operand\nTry 'chown --help' for more information.\n");
  if (paths.length === 0) return failure(`chown: missing operand after '${owner}'\nTry 'chown --help' for more information.\n`);
  const absent = paths.filter((path) => {
    const full = path.startsWith('/') ? path : `${context.cwd}/${path}`;
    return context.files.read(full) === undefined && !context.files.isDirectory(full);
  });
  return absent.length === 0
    ? output('')
    : failure(absent.map((path) => `chown: cannot access '${path}': No such file or directory\n`).join(''));
};

/** Programs that change what is not modelled: they say so. */
export function notSimulated(name: string): Command {
  return () => failure(`${name}: not simulated\n`);
}

const streams = new WeakMap<Container, Random>();

/** Stands behind `$RANDOM` in scripts: 0 to 32767, from the lab's seed. */
export const simulatedRandom: Command = (_args, { container }) => {
  let stream = streams.get(container);
  if (stream === undefined) {
    stream = container.namespace.network.random.stream(`shell/${container.name}`);
    streams.set(container, stream);
  }
  return output(`${stream.integer(0, 32_767)}\n`);
};
