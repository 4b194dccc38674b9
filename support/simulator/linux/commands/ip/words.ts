import { parsePrefix } from '../../../docker/addresses.ts';
import { processesOf } from '../../../docker/process-table.ts';
import type { CommandContext } from '../../../docker/types.ts';
import { parseIp } from '../../../net/address.ts';
import { errnoText } from '../../../net/network-error.ts';
import type { Family, Ip, NetworkInterface, NetworkNamespace, Prefix } from '../../../net/types.ts';
import { CommandFailure, errnoOf } from '../result.ts';

/** Options before the object: `ip -6 -br addr`. */
export interface IpOptions {
  family: Family | undefined;
  isBrief: boolean;
  isJson: boolean;
  isPretty: boolean;
  isOneLine: boolean;
  hasDetails: boolean;
  hasStatistics: boolean;
  /** `-s` twice. */
  hasErrors?: boolean;
}

export interface IpContext extends IpOptions {
  readonly namespace: NetworkNamespace;
  readonly command: CommandContext;
}

/** The words after the object, read one by one as iproute2 does. */
export class Words {
  readonly #words: readonly string[];
  #next = 0;

  constructor(words: readonly string[]) {
    this.#words = words;
  }

  get hasMore(): boolean {
    return this.#next < this.#words.length;
  }

  peek(): string | undefined {
    return this.#words[this.#next];
  }

  take(): string {
    const word = this.#words[this.#next];
    if (word === undefined) throw new CommandFailure('Command line is not complete. Try option "help"\n', 255);
    this.#next++;
    return word;
  }

  /** Takes the next word when it is `word`. */
  skip(word: string): boolean {
    if (this.peek() !== word) return false;
    this.#next++;
    return true;
  }
}

/** iproute2's `matches`: every beginning of the full word will do. */
export function matches(word: string, full: string): boolean {
  return word.length > 0 && full.startsWith(word);
}

export function expectAddress(text: string, family: Family | undefined): Ip {
  const address = parseIp(text);
  if (address === undefined || (family !== undefined && address.family !== family)) {
    throw new CommandFailure(`Error: ${kindOf(family)} address is expected rather than "${text}".\n`, 1);
  }
  return address;
}

/** `default`, `any` and bare addresses too. */
export function expectPrefix(text: string, family: Family | undefined): Prefix {
  if (text === 'default' || text === 'any' || text === 'all') return parsePrefix(family === 6 ? '::/0' : '0.0.0.0/0') as Prefix;
  const found = parsePrefix(text);
  if (found === undefined || (family !== undefined && found.family !== family)) {
    throw new CommandFailure(`Error: ${kindOf(family)} prefix is expected rather than "${text}".\n`, 1);
  }
  return found;
}

function kindOf(family: Family | undefined): string {
  if (family === undefined) return 'any valid';
  return family === 4 ? 'inet' : 'inet6';
}

export function expectNumber(text: string, name: string): number {
  const value = Number(text);
  if (!/^(0x[0-9a-fA-F]+|\d+)$/.test(text) || !Number.isSafeInteger(value))
    throw new CommandFailure(`Error: argument "${text}" is wrong: invalid "${name}" value\n`, 255);
  return value;
}

/** For commands that show something. */
export function shownDevice(namespace: NetworkNamespace, name: string): NetworkInterface {
  const device = namespace.getInterface(name);
  if (device === undefined) throw new CommandFailure(`Device "${name}" does not exist.\n`, 1);
  return device;
}

/** For commands that change something. */
export function changedDevice(namespace: NetworkNamespace, name: string): NetworkInterface {
  const device = namespace.getInterface(name);
  if (device === undefined) throw new CommandFailure(`Cannot find device "${name}"\n`, 1);
  return device;
}

/** A namespace by name (`ip netns`), or by the id of a process in it. */
export function expectNamespace(namespace: NetworkNamespace, text: string): NetworkNamespace {
  const { network } = namespace;
  if (/^\d+$/.test(text)) {
    if (text === '1') return network.namespaces[0] ?? namespace;
    const container = processesOf(network).get(Number(text));
    if (container !== undefined) return container.namespace;
    throw new CommandFailure(`Error: argument "${text}" is wrong: Invalid "netns" value\n\n`, 255);
  }
  const named = network.namespaces.find((candidate) => candidate.name === text);
  if (named === undefined) throw new CommandFailure(`Error: argument "${text}" is wrong: Invalid "netns" value\n\n`, 255);
  return named;
}

/** Does what asks the kernel; a refusal is printed as iproute2 does, exit status 2. */
export function asKernel<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    const refused = errnoOf(error);
    if (refused === undefined) throw error;
    // the kernel's own sentence (extended acknowledgement) replaces the number
    if (refused.detail !== undefined) throw new CommandFailure(`Error: ${refused.detail.replace(/\.$/, '')}.\n`, 2);
    throw new CommandFailure(`RTNETLINK answers: ${errnoText(refused.errno)}\n`, 2);
  }
}

/** JSON as `ip -j` prints it: one line, or with `-p` in the layout of iproute2's json_writer.c. */
export function json(value: unknown, options: IpOptions): string {
  return `${options.isPretty ? prettyJson(value, 0) : JSON.stringify(value)}\n`;
}

function prettyJson(value: unknown, depth: number): string {
  if (Array.isArray(value)) return value.length === 0 ? '[ ]' : `[ ${value.map((item) => prettyJson(item, depth + 1)).join(',')} ]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const inner = ' '.repeat(4 * (depth + 1));
  const members = Object.entries(value).map(([key, member]) => `${inner}${JSON.stringify(key)}: ${prettyJson(member, depth + 1)}`);
  return `{\n${members.join(',\n')}\n${' '.repeat(4 * depth)}}`;
}
