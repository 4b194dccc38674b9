import type { Command } from '../../docker/types.ts';
import type { Netem, Network, NetworkInterface } from '../../net/types.ts';
import { byIndex } from './ip/device.ts';
import { CommandFailure, output, run } from './result.ts';

/** The kernel numbers queueing disciplines that were given no handle, over all devices. */
const lastHandle = new WeakMap<Network, number>();
/** The handle, and what of a netem was said and changes nothing here. */
const handles = new WeakMap<Netem, string>();

const objects = ['qdisc', 'class', 'filter', 'chain', 'action', 'monitor', 'exec'];

/** tc(8): `tc qdisc add|change|replace|del dev X root netem delay … loss …`, and `show`. */
export const tc: Command = (args, context) =>
  run(() => {
    if (args.some((arg) => arg === '-V' || arg === '-Version')) return output('tc utility, iproute2-6.1.0, libbpf 1.1.0\n');
    const isJson = args.some((arg) => arg === '-j' || arg === '-json');
    const words = args.filter((arg) => !['-s', '-d', '-p', '-j', '-json'].includes(arg));
    const [given, verb = 'show', ...rest] = words;
    const object = given === undefined ? undefined : objects.find((name) => name.startsWith(given));
    if (given !== undefined && object === undefined)
      throw new CommandFailure(`Object "${given}" is unknown, try "tc help".\n`, given.startsWith('-') ? 1 : 255);
    if (object !== 'qdisc') throw new CommandFailure(`tc: not simulated: tc ${object ?? ''}\n`, 1);
    const { namespace } = context.container;
    const at = rest.indexOf('dev');
    const name = at < 0 ? undefined : rest[at + 1];
    const device = name === undefined ? undefined : namespace.getInterface(name);
    if (name !== undefined && device === undefined) throw new CommandFailure(`Cannot find device "${name}"\n`, 1);
    if ('show'.startsWith(verb) || 'list'.startsWith(verb)) {
      const shown = (device === undefined ? byIndex(namespace.interfaces) : [device]).filter(hasQueue);
      if (isJson) return output(`${JSON.stringify(shown.map((each) => qdiscJson(each, device === undefined)))}\n`);
      return output(shown.map((each) => qdiscText(each, device === undefined)).join(''));
    }
    if (device === undefined) throw new CommandFailure('Device name is required.\n', 1);
    const kind = rest.indexOf('netem');
    if ('delete'.startsWith(verb)) {
      if (device.netem === undefined)
        throw new CommandFailure(
          kind < 0 ? 'Error: Cannot delete qdisc with handle of zero.\n' : 'Error: Invalid qdisc name: must match existing qdisc.\n',
          2,
        );
      device.netem = undefined;
      return output('');
    }
    if (!['add', 'change', 'replace'].includes(verb)) throw new CommandFailure(`Command "${verb}" is unknown, try "tc qdisc help".\n`, 255);
    if (kind < 0) throw new CommandFailure('tc: not simulated: queueing disciplines other than netem\n', 1);
    const wanted = readNetem(rest.slice(kind + 1));
    if (verb === 'add' && device.netem !== undefined) throw new CommandFailure('Error: Exclusivity flag on, cannot modify.\n', 2);
    if (verb === 'change' && device.netem === undefined)
      throw new CommandFailure('Error: Qdisc not found. To create specify NLM_F_CREATE flag.\n', 2);
    const named = rest.indexOf('handle');
    const known = device.netem === undefined ? undefined : handles.get(device.netem);
    const handle =
      named >= 0 && named < kind ? `${(rest[named + 1] ?? '').replace(/:.*$/, '')}:` : (known ?? nextHandle(namespace.network));
    handles.set(wanted, handle);
    device.netem = wanted;
    return output('');
  });

function nextHandle(network: Network): string {
  const number = (lastHandle.get(network) ?? 0x8000) + 1;
  lastHandle.set(network, number);
  return `${number.toString(16)}:`;
}

const units = { us: 0.001, usec: 0.001, usecs: 0.001, ms: 1, msec: 1, msecs: 1, s: 1000, sec: 1000, secs: 1000 } as const;

/** A time without a unit is in microseconds. */
function milliseconds(text: string | undefined): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([a-z]*)$/.exec(text ?? '');
  const unit = match?.[2] === '' ? 'us' : match?.[2];
  return match === null || unit === undefined || !(unit in units) ? undefined : Number(match[1]) * units[unit as keyof typeof units];
}

function fraction(text: string | undefined): number | undefined {
  const match = /^(\d+(?:\.\d+)?)%?$/.exec(text ?? '');
  return match === null || Number(match[1]) > 100 ? undefined : Number(match[1]) / 100;
}

function readNetem(words: readonly string[]): Netem {
  const wanted: Netem = { delayMs: 0, lossFraction: 0 };
  for (let index = 0; index < words.length; index++) {
    const word = words[index];
    if (word === 'limit') {
      const limit = words[++index] ?? '';
      if (!/^\d+$/.test(limit)) throw new CommandFailure('Illegal "limit"\n', 1);
      wanted.limit = Number(limit);
    } else if (word === 'delay' || word === 'latency') {
      const delay = milliseconds(words[++index]);
      if (delay === undefined) throw new CommandFailure('Illegal "latency"\n', 1);
      wanted.delayMs = delay;
      const jitter = milliseconds(words[index + 1]);
      if (jitter === undefined) continue;
      index++;
      wanted.jitterMs = jitter;
      if (/^\d/.test(words[index + 1] ?? '')) throw new CommandFailure('tc: not simulated: correlation of netem delays\n', 1);
    } else if (word === 'loss' || word === 'drop') {
      if (words[index + 1] === 'random') index++;
      const loss = fraction(words[++index]);
      if (words[index] === 'state' || words[index] === 'gemodel')
        throw new CommandFailure(`tc: not simulated: netem loss ${words[index]}\n`, 1);
      if (loss === undefined) throw new CommandFailure('Illegal "loss percent"\n', 1);
      wanted.lossFraction = loss;
      if (/^\d/.test(words[index + 1] ?? '')) throw new CommandFailure('tc: not simulated: correlation of netem losses\n', 1);
    } else if (['corrupt', 'duplicate', 'reorder', 'gap', 'rate', 'slot', 'ecn', 'distribution', 'seed'].includes(word ?? '')) {
      throw new CommandFailure(`tc: not simulated: netem ${word}\n`, 1);
    } else throw new CommandFailure(`What is "${word}"?\nUsage: ... netem [ limit PACKETS ]\n`, 1);
  }
  return wanted;
}

/** A device that was never up has no queue yet. */
function hasQueue(device: NetworkInterface): boolean {
  const { rxPackets, txPackets } = device.statistics;
  return device.netem !== undefined || device.isAdminUp || rxPackets + txPackets > 0;
}

function timeText(ms: number): string {
  return ms >= 1000 ? `${ms / 1000}s` : ms >= 1 ? `${ms}ms` : `${ms * 1000}us`;
}

function qdiscText(device: NetworkInterface, namesDevice: boolean): string {
  const { netem } = device;
  const on = namesDevice ? `dev ${device.name} ` : '';
  if (netem === undefined) return `qdisc noqueue 0: ${on}root refcnt 2 \n`;
  const { delayMs, lossFraction, jitterMs = 0, limit = 1000 } = netem;
  const delay = delayMs === 0 ? '' : ` delay ${timeText(delayMs)}${jitterMs === 0 ? '' : `  ${timeText(jitterMs)}`}`;
  const loss = lossFraction === 0 ? '' : ` loss ${Number((lossFraction * 100).toPrecision(6))}%`;
  return `qdisc netem ${handles.get(netem) ?? '8001:'} ${on}root refcnt 2 limit ${limit}${delay}${loss}\n`;
}

function qdiscJson(device: NetworkInterface, namesDevice: boolean): Record<string, unknown> {
  if (device.netem !== undefined) throw new CommandFailure('tc: not simulated: -j with netem\n', 1);
  return { kind: 'noqueue', handle: '0:', ...(namesDevice ? { dev: device.name } : {}), root: true, refcnt: 2, options: {} };
}
