import type { CommandResult } from '../../../docker/types.ts';
import { contains } from '../../../net/address.ts';
import type { NeighbourEntry } from '../../../net/types.ts';
import { CommandFailure, output } from '../result.ts';
import { changedDevice, expectAddress, expectPrefix, type IpContext, json, matches, Words } from './words.ts';

export function ipNeigh(words: readonly string[], context: IpContext): CommandResult {
  const [verb = 'show', ...rest] = words;
  if (matches(verb, 'add')) return add(new Words(rest), context, 'add');
  if (matches(verb, 'change') || matches(verb, 'chg')) return add(new Words(rest), context, 'change');
  if (matches(verb, 'replace')) return add(new Words(rest), context, 'replace');
  if (matches(verb, 'delete')) return remove(new Words(rest), context);
  if (matches(verb, 'show') || matches(verb, 'list') || matches(verb, 'lst')) return show(new Words(rest), context);
  if (matches(verb, 'flush')) return flush(new Words(rest), context);
  if (matches(verb, 'get')) return show(new Words(rest), context, true);
  if (matches(verb, 'help')) return { stdout: '', stderr: 'Usage: ip neigh { add | del | change | replace }\n', exitCode: 255 };
  throw new CommandFailure(`Command "${verb}" is unknown, try "ip neigh help".\n`, 255);
}

function add(words: Words, context: IpContext, verb: 'add' | 'change' | 'replace'): CommandResult {
  let address: string | undefined;
  let mac: string | undefined;
  let device: string | undefined;
  let state = 'PERMANENT';
  while (words.hasMore) {
    const word = words.take();
    if (word === 'lladdr') mac = words.take();
    else if (word === 'dev') device = words.take();
    else if (word === 'nud') state = stateName(words.take());
    else if (word === 'proxy') throw new CommandFailure('Error: not simulated: ip neigh proxy\n', 2);
    else if (word === 'router' || word === 'extern_learn') continue;
    else if (word === 'to') address = words.take();
    else address = word;
  }
  if (device === undefined || address === undefined) throw new CommandFailure('Device and destination are required arguments.\n', 255);
  const ip = expectAddress(address, context.family);
  changedDevice(context.namespace, device);
  const entry = context.namespace.neighbours.list().find((other) => other.ip === ip && other.device === device);
  const known = entry !== undefined;
  // an entry that has an address keeps it
  if (verb !== 'add') mac ??= entry?.mac;
  // the kernel's order: an entry in the way, none to change, then what is missing of it
  if (known && verb === 'add') throw new CommandFailure('RTNETLINK answers: File exists\n', 2);
  if (!known && verb === 'change') throw new CommandFailure('RTNETLINK answers: No such file or directory\n', 2);
  if (mac === undefined) throw new CommandFailure('Error: No link layer address given.\n', 2);
  if (state === 'REACHABLE' || state === 'STALE') {
    context.namespace.neighbours.setLearnt(ip, device, mac.toLowerCase(), state);
    return output('');
  }
  if (state !== 'PERMANENT' && state !== 'NOARP')
    throw new CommandFailure(`Error: not simulated: ip neigh nud ${state.toLowerCase()}\n`, 2);
  context.namespace.neighbours.setPermanent(ip, device, mac.toLowerCase());
  return output('');
}

const states = ['PERMANENT', 'REACHABLE', 'NOARP', 'NONE', 'STALE', 'INCOMPLETE', 'DELAY', 'PROBE', 'FAILED'];

function stateName(text: string, complaint = 'nud state is bad'): string {
  const found = states.find((state) => state === text.toUpperCase());
  if (found === undefined) throw new CommandFailure(`Error: argument "${text}" is wrong: ${complaint}\n`, 255);
  return found;
}

function remove(words: Words, context: IpContext): CommandResult {
  let address: string | undefined;
  let device: string | undefined;
  while (words.hasMore) {
    const word = words.take();
    if (word === 'dev') device = words.take();
    else if (word === 'lladdr' || word === 'nud') words.take();
    else address = word === 'to' ? words.take() : word;
  }
  if (device === undefined || address === undefined) throw new CommandFailure('Device and destination are required arguments.\n', 255);
  changedDevice(context.namespace, device);
  if (!context.namespace.neighbours.delete(expectAddress(address, context.family), device))
    throw new CommandFailure('RTNETLINK answers: No such file or directory\n', 2);
  return output('');
}

function selected(
  words: Words,
  context: IpContext,
): { readonly entries: readonly NeighbourEntry[]; readonly device: string | undefined; readonly state: string | undefined } {
  let device: string | undefined;
  let state: string | undefined;
  let isWithin: (entry: NeighbourEntry) => boolean = () => true;
  while (words.hasMore) {
    const word = words.take();
    if (word === 'dev') device = changedDevice(context.namespace, words.take()).name;
    else if (word === 'nud') {
      const name = words.take();
      state = name === 'all' ? undefined : stateName(name, 'nud state is bad');
    } else if (word === 'all' || word === 'unused') continue;
    else {
      const prefix = expectPrefix(word === 'to' ? words.take() : word, context.family);
      isWithin = (entry) => contains(prefix, entry.ip);
    }
  }
  const entries = context.namespace.neighbours
    .list()
    .filter(
      (entry) =>
        (context.family === undefined || entry.ip.family === context.family) &&
        (device === undefined || entry.device === device) &&
        (state === undefined || entry.state === state) &&
        isWithin(entry),
    );
  return {
    entries: [...entries.filter((entry) => entry.ip.family === 4), ...entries.filter((entry) => entry.ip.family === 6)],
    device,
    state,
  };
}

function show(words: Words, context: IpContext, isGet = false): CommandResult {
  const { entries, device: named } = selected(words, context);
  if (isGet && entries.length === 0) throw new CommandFailure('RTNETLINK answers: No such file or directory\n', 2);
  const device = isGet ? undefined : named;
  if (context.isJson) {
    const values = entries.map((entry) => ({
      dst: entry.ip.text,
      ...(device === undefined ? { dev: entry.device } : {}),
      ...(entry.mac === undefined ? {} : { lladdr: entry.mac }),
      ...(entry.isRouter ? { router: null } : {}),
      state: [entry.state],
    }));
    return output(json(values, context));
  }
  return output(
    entries
      .map(
        (entry) =>
          `${entry.ip.text} ${device === undefined ? `dev ${entry.device} ` : ''}${entry.mac === undefined ? '' : `lladdr ${entry.mac} `}${entry.isRouter ? 'router ' : ''}${entry.state} \n`,
      )
      .join(''),
  );
}

function flush(words: Words, context: IpContext): CommandResult {
  if (!words.hasMore) throw new CommandFailure('Flush requires arguments.\n', 1);
  const { entries, state } = selected(words, context);
  let count = 0;
  for (const entry of entries) {
    if (entry.state === 'PERMANENT' && state !== 'PERMANENT') continue;
    context.namespace.neighbours.delete(entry.ip, entry.device);
    count++;
  }
  if (!context.hasStatistics) return output('');
  const said =
    count === 0 ? 'Nothing to flush.\n' : `\n*** Round 1, deleting ${count} entries ***\n*** Flush is complete after 1 round ***\n`;
  return output(said);
}
