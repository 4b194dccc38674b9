import type { Command, CommandContext } from '../../docker/types.ts';
import { parseIp } from '../../net/address.ts';
import { askDns, type DnsAnswer, type DnsReply, type ResolveResult, searchNames } from '../../net/dns.ts';
import type { Family, Ip } from '../../net/types.ts';
import { resolve, resolveHost } from './names.ts';
import { CommandFailure, output, run } from './result.ts';

const queryTimeoutMs = 5_000;
const queryAttempts = 3;

function serverOf(context: CommandContext): Ip | undefined {
  return context.container.namespace.resolver.nameservers[0];
}

function ask(context: CommandContext, name: string, family: Family): ResolveResult {
  return resolve(context, name, [family]);
}

function noReverse(tool: string): CommandFailure {
  return new CommandFailure(`${tool}: not simulated: reverse look-ups\n`, 1);
}

/** One question to one server, asked again as often as the tools of bind do. */
function query(context: CommandContext, server: Ip, name: string, type: string): DnsReply | undefined {
  for (let attempt = 0; attempt < queryAttempts; attempt++) {
    let result: { readonly reply: DnsReply | undefined } | undefined;
    askDns(context.container.namespace, server, { name, type }, queryTimeoutMs, (reply) => {
      result = { reply };
    });
    context.clock.runUntil(() => result !== undefined);
    if (result?.reply !== undefined) return result.reply;
  }
  return undefined;
}

function addressIn(context: CommandContext, text: string): Ip | undefined {
  return parseIp(text) ?? resolveHost(context, text, undefined)[0];
}

/** `4.3.2.1.in-addr.arpa`. */
function reverseName(ip: Ip): string {
  if (ip.family === 4) return `${ip.text.split('.').reverse().join('.')}.in-addr.arpa`;
  return `${[...ip.value.toString(16).padStart(32, '0')].reverse().join('.')}.ip6.arpa`;
}

function absolute(name: unknown): string {
  return `${String(name).replace(/\.$/, '')}.`;
}

function dataText({ type, data }: DnsAnswer): string {
  if (type === 'SRV') {
    const { priority, weight, port, target } = data as Readonly<Record<string, unknown>>;
    return `${priority ?? 0} ${weight ?? 0} ${port} ${absolute(target)}`;
  }
  if (type === 'SOA') {
    const { mname, rname, serial, refresh, retry, expire, minimum } = data as Readonly<Record<string, unknown>>;
    return `${absolute(mname)} ${absolute(rname)} ${serial} ${refresh} ${retry} ${expire} ${minimum}`;
  }
  return type === 'A' || type === 'AAAA' ? String(data) : absolute(data);
}

const unreachable = ';; connection timed out; no servers could be reached\n\n';

/** nslookup(1) of bind-utils: every name of the search list until one exists, A and then AAAA. */
export const nslookup: Command = (args, context) =>
  run(() => {
    let type: string | undefined;
    const words = args.filter((arg) => {
      const option = /^-(?:q|qu|que|quer|query|querytype|t|ty|typ|type)=(\w+)$/.exec(arg)?.[1];
      type = option?.toUpperCase() ?? type;
      return !arg.startsWith('-');
    });
    const [name, server] = words;
    if (name === undefined) throw new CommandFailure('nslookup: not simulated: interactive mode\n', 1);
    const asked = server === undefined ? serverOf(context) : addressIn(context, server);
    if (server !== undefined && asked === undefined)
      throw new CommandFailure(`nslookup: couldn't get address for '${server}': not found\n`, 1);
    if (asked === undefined) return output(unreachable, 1);
    const head = `Server:\t\t${server ?? asked.text}\nAddress:\t${asked.text}#53\n\n`;
    const ip = parseIp(name);
    if (ip !== undefined) return reverseLookup(context, asked, reverseName(ip));
    let missing = 'NXDOMAIN';
    let last = name;
    for (const candidate of searchNames(name, context.container.namespace)) {
      last = candidate;
      const reply = query(context, asked, candidate, type ?? 'A');
      if (reply === undefined) return output(unreachable, 1);
      missing = reply.rcode;
      if (reply.rcode === 'NXDOMAIN') continue;
      if (reply.rcode !== 'NOERROR') break;
      const six =
        type === undefined ? query(context, asked, reply.answers.length > 0 ? aliasEnd(reply, candidate) : candidate, 'AAAA') : undefined;
      const answers = [...reply.answers, ...(six?.answers ?? [])];
      if (answers.length === 0) return output(`${head}*** Can't find ${name}: No answer\n\n`);
      const note = reply.isAuthoritative === true ? '' : 'Non-authoritative answer:\n';
      return output(`${head}${note}${answers.map(nslookupRecord).join('')}\n`);
    }
    return output(`${head}** server can't find ${missing === 'NXDOMAIN' ? last : name}: ${missing}\n\n`, 1);
  });

/** Where a chain of aliases ends: that name is asked for the other family. */
function aliasEnd(reply: DnsReply, name: string): string {
  return reply.answers.reduce((at, record) => (record.type === 'CNAME' ? String(record.data) : at), name);
}

function nslookupRecord(record: DnsAnswer): string {
  const name = String(record.name).replace(/\.$/, '');
  switch (record.type) {
    case 'A':
    case 'AAAA':
      return `Name:\t${name}\nAddress: ${String(record.data)}\n`;
    case 'CNAME':
      return `${name}\tcanonical name = ${absolute(record.data)}\n`;
    case 'SRV':
      return `${name}\tservice = ${dataText(record)}\n`;
    default:
      return `${name}\tname = ${dataText(record)}\n`;
  }
}

function reverseLookup(context: CommandContext, server: Ip, name: string): ReturnType<typeof output> {
  const reply = query(context, server, name, 'PTR');
  if (reply === undefined) return output(unreachable, 1);
  if (reply.answers.length === 0)
    return output(`** server can't find ${name}: ${reply.rcode === 'NOERROR' ? 'NXDOMAIN' : reply.rcode}\n\n`, 1);
  return output(`${reply.answers.map(nslookupRecord).join('')}\n`);
}

const digTypes = /^(a|aaaa|any|mx|ns|txt|soa|srv|ptr|cname)$/i;

/** dig(1): one question, without the search list unless `+search` asks for it. */
export const dig: Command = (args, context) =>
  run(() => {
    let isShort = false;
    let searches = false;
    let type: string | undefined;
    let name: string | undefined;
    let given: string | undefined;
    for (let index = 0; index < args.length; index++) {
      const arg = args[index] as string;
      if (arg === '+short') isShort = true;
      else if (arg === '+search') searches = true;
      else if (arg.startsWith('+')) continue;
      else if (arg.startsWith('@')) given = arg.slice(1);
      else if (arg === '-x') {
        const ip = parseIp(args[++index] ?? '');
        if (ip === undefined) throw new CommandFailure(`Invalid IP address ${args[index] ?? ''}\n`, 1);
        name = reverseName(ip);
        type = 'PTR';
      } else if (arg === '-t') type = args[++index]?.toUpperCase();
      else if (arg === '-4' || arg === '-6' || /^in$/i.test(arg)) continue;
      else if (digTypes.test(arg)) type = arg.toUpperCase();
      else name ??= arg;
    }
    if (name === undefined) throw new CommandFailure('dig: not simulated: a query without a name\n', 1);
    const server = given === undefined ? serverOf(context) : addressIn(context, given);
    if (given !== undefined && server === undefined) throw new CommandFailure(`dig: couldn't get address for '${given}': not found\n`, 10);
    const startedAt = context.clock.now();
    const names = searches ? searchNames(name, context.container.namespace) : [name.replace(/\.$/, '')];
    let asked = name;
    let reply: DnsReply | undefined;
    for (const candidate of names) {
      asked = candidate;
      reply = server === undefined ? undefined : query(context, server, candidate, type ?? 'A');
      if (reply === undefined || reply.rcode !== 'NXDOMAIN') break;
    }
    if (server === undefined || reply === undefined) {
      const failure = `;; communications error to ${server?.text ?? '127.0.0.1'}#53: timed out\n`;
      return output(
        `${isShort ? '' : `\n; <<>> DiG 9.18.28 <<>> ${args.join(' ')}\n;; global options: +cmd\n`}${failure.repeat(queryAttempts)};; no servers could be reached\n`,
        9,
      );
    }
    if (isShort) return output(reply.answers.map((record) => `${dataText(record)}\n`).join(''));
    const isLocal = /(^|\.)local\.?$/.test(asked);
    const sections = (
      [
        ['ANSWER', reply.answers],
        ['AUTHORITY', reply.authorities ?? []],
        ['ADDITIONAL', reply.additionals ?? []],
      ] as const
    ).map(([title, records]) => (records.length === 0 ? '' : `;; ${title} SECTION:\n${records.map(digRecord).join('')}\n`));
    return output(
      `\n; <<>> DiG 9.18.28 <<>> ${args.join(' ')}\n;; global options: +cmd\n;; Got answer:\n` +
        (isLocal
          ? ';; WARNING: .local is reserved for Multicast DNS\n;; You are currently testing what happens when an mDNS query is leaked to DNS\n'
          : '') +
        `;; ->>HEADER<<- opcode: QUERY, status: ${reply.rcode}, id: 1\n` +
        `;; flags: qr ${reply.isAuthoritative === true ? 'aa rd' : 'rd ra'}; QUERY: 1, ANSWER: ${reply.answers.length}, AUTHORITY: ${reply.authorities?.length ?? 0}, ADDITIONAL: ${reply.additionals?.length ?? 0}\n` +
        (reply.isAuthoritative === true ? ';; WARNING: recursion requested but not available\n' : '') +
        `\n;; QUESTION SECTION:\n;${columns(absolute(asked), [
          [32, 'IN'],
          [40, type ?? 'A'],
        ])}\n\n${sections.join('')}` +
        `;; Query time: ${Math.floor(context.clock.now() - startedAt)} msec\n;; SERVER: ${server.text}#53(${server.text}) (UDP)\n\n`,
    );
  });

function digRecord(record: DnsAnswer): string {
  return `${columns(absolute(record.name), [
    [24, String(record.ttl)],
    [32, 'IN'],
    [40, record.type],
    [48, dataText(record)],
  ])}\n`;
}

/** Words at columns, with tabs; a blank where the word before is too long (bind's masterdump `indent`). */
function columns(first: string, rest: readonly (readonly [column: number, text: string])[]): string {
  let text = first;
  let at = first.length;
  for (const [column, word] of rest) {
    const to = Math.max(column, at + 1);
    const tabs = Math.floor(to / 8) - Math.floor(at / 8);
    text += tabs > 0 ? `${'\t'.repeat(tabs)}${' '.repeat(to % 8)}` : ' '.repeat(to - at);
    text += word;
    at = to + word.length;
  }
  return text;
}

/** host(1). */
export const host: Command = (args, context) =>
  run(() => {
    const name = args.find((arg) => !arg.startsWith('-'));
    if (name === undefined)
      throw new CommandFailure(
        'Usage: host [-aCdilrTvVw] [-c class] [-N ndots] [-t type] [-W time]\n            [-R number] [-m flag] [-p port] hostname [server]\n',
        1,
      );
    if (parseIp(name) !== undefined) throw noReverse('host');
    const results = [ask(context, name, 4), ask(context, name, 6)];
    const ips = results.flatMap((result) => ('ips' in result ? result.ips : []));
    if (ips.length > 0) return output(ips.map((ip) => `${name} has ${ip.family === 6 ? 'IPv6 ' : ''}address ${ip.text}\n`).join(''));
    if (results.every((result) => 'error' in result && result.error !== 'NXDOMAIN' && result.error !== 'NODATA'))
      return output(';; connection timed out; no servers could be reached\n', 1);
    return output(`Host ${name} not found: 3(NXDOMAIN)\n`, 1);
  });

/** getent(1): `hosts`, `ahosts`, `ahostsv4`, `ahostsv6`. */
export const getent: Command = (args, context) =>
  run(() => {
    const [database, ...keys] = args;
    if (database === undefined) throw new CommandFailure('getent: wrong number of arguments\n', 1);
    if (!['hosts', 'ahosts', 'ahostsv4', 'ahostsv6'].includes(database))
      throw new CommandFailure(`getent: not simulated: database ${database}\n`, 1);
    let text = '';
    let isMissing = false;
    for (const key of keys) {
      const families: readonly Family[] = database === 'ahostsv4' ? [4] : database === 'ahostsv6' ? [6] : [4, 6];
      const result = resolve(context, key, families);
      if ('error' in result) isMissing = true;
      else if (database === 'hosts') {
        // the C library's old interface prefers IPv6 and knows one family
        const six = result.ips.filter((ip) => ip.family === 6);
        for (const ip of six.length > 0 ? six : result.ips) text += `${ip.text.padEnd(15)} ${result.name ?? key}\n`;
      } else {
        for (const ip of result.ips)
          text += `${ip.text.padEnd(15)} STREAM ${key}\n${ip.text.padEnd(15)} DGRAM  \n${ip.text.padEnd(15)} RAW    \n`;
      }
    }
    return output(text, isMissing ? 2 : 0);
  });
