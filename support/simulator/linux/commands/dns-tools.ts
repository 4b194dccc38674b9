import type { Command, CommandContext } from '../../docker/types.ts';
import { parseIp } from '../../net/address.ts';
import type { ResolveResult } from '../../net/dns.ts';
import type { Family, Ip } from '../../net/types.ts';
import { resolve } from './names.ts';
import { CommandFailure, output, run } from './result.ts';

function serverOf(context: CommandContext): Ip | undefined {
  return context.container.namespace.resolver.nameservers[0];
}

function ask(context: CommandContext, name: string, family: Family): ResolveResult {
  return resolve(context, name, [family]);
}

function noReverse(tool: string): CommandFailure {
  return new CommandFailure(`${tool}: not simulated: reverse look-ups\n`, 1);
}

/** nslookup(1) of bind-utils. */
export const nslookup: Command = (args, context) =>
  run(() => {
    const [name, server] = args.filter((arg) => !arg.startsWith('-'));
    if (name === undefined) throw new CommandFailure('nslookup: not simulated: interactive mode\n', 1);
    if (server !== undefined) throw new CommandFailure('nslookup: not simulated: a server given on the command line\n', 1);
    if (parseIp(name) !== undefined) throw noReverse('nslookup');
    const asked = serverOf(context);
    const four = ask(context, name, 4);
    const six = ask(context, name, 6);
    if (
      asked === undefined ||
      [four, six].every((result) => 'error' in result && (result.error === 'TIMEOUT' || result.error === 'SERVFAIL'))
    ) {
      return output(';; connection timed out; no servers could be reached\n\n', 1);
    }
    let text = `Server:\t\t${asked.text}\nAddress:\t${asked.text}#53\n\n`;
    const ips = [four, six].flatMap((result) => ('ips' in result ? result.ips : []));
    if (ips.length === 0) {
      const isMissing = 'error' in four && four.error === 'NXDOMAIN';
      return output(`${text}** server can't find ${name}: ${isMissing ? 'NXDOMAIN' : 'No answer'}\n\n`, 1);
    }
    text += ips.some((ip) => ip.family === 4) || ips.length > 0 ? 'Non-authoritative answer:\n' : '';
    return output(`${text}${ips.map((ip) => `Name:\t${name}\nAddress: ${ip.text}\n`).join('')}\n`);
  });

/** dig(1): `+short`, and the answer section with its frame. */
export const dig: Command = (args, context) =>
  run(() => {
    let isShort = false;
    const types: ('A' | 'AAAA')[] = [];
    let name: string | undefined;
    for (const arg of args) {
      if (arg === '+short') isShort = true;
      else if (arg.startsWith('+')) continue;
      else if (arg.startsWith('@')) throw new CommandFailure('dig: not simulated: a server given on the command line\n', 1);
      else if (arg === '-x') throw noReverse('dig');
      else if (arg === '-t' || arg === '-4' || arg === '-6') continue;
      else if (/^(a|aaaa)$/i.test(arg)) types.push(arg.toUpperCase() as 'A' | 'AAAA');
      else if (/^(any|mx|ns|txt|soa|srv|ptr|cname)$/i.test(arg))
        throw new CommandFailure(`dig: not simulated: type ${arg.toUpperCase()}\n`, 1);
      else name ??= arg;
    }
    if (name === undefined) throw new CommandFailure('dig: not simulated: a query without a name\n', 1);
    const type = types[0] ?? 'A';
    const server = serverOf(context);
    const startedAt = context.clock.now();
    const result = ask(context, `${name.replace(/\.$/, '')}.`, type === 'A' ? 4 : 6);
    if (server === undefined || ('error' in result && result.error === 'TIMEOUT')) {
      return output(`;; communications error to ${server?.text ?? '127.0.0.1'}#53: timed out\n;; no servers could be reached\n`, 9);
    }
    const ips = 'ips' in result ? result.ips : [];
    if (isShort) return output(ips.map((ip) => `${ip.text}\n`).join(''));
    const status = 'error' in result && result.error !== 'NODATA' ? result.error : 'NOERROR';
    const full = `${name.replace(/\.$/, '')}.`;
    const column = `${full}${'\t'.repeat(Math.max(1, 3 - Math.floor(full.length / 8)))}`;
    return output(
      `\n; <<>> DiG 9.18.28 <<>> ${args.join(' ')}\n;; global options: +cmd\n;; Got answer:\n;; ->>HEADER<<- opcode: QUERY, status: ${status}, id: 1\n;; flags: qr rd ra; QUERY: 1, ANSWER: ${ips.length}, AUTHORITY: 0, ADDITIONAL: 1\n\n` +
        `;; QUESTION SECTION:\n;${full.padEnd(1)}\t\tIN\t${type}\n\n` +
        (ips.length === 0 ? '' : `;; ANSWER SECTION:\n${ips.map((ip) => `${column}600\tIN\t${type}\t${ip.text}\n`).join('')}\n`) +
        `;; Query time: ${Math.floor(context.clock.now() - startedAt)} msec\n;; SERVER: ${server.text}#53(${server.text}) (UDP)\n\n`,
    );
  });

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
        for (const ip of six.length > 0 ? six : result.ips) text += `${ip.text.padEnd(15)} ${key}\n`;
      } else {
        for (const ip of result.ips)
          text += `${ip.text.padEnd(15)} STREAM ${key}\n${ip.text.padEnd(15)} DGRAM  \n${ip.text.padEnd(15)} RAW    \n`;
      }
    }
    return output(text, isMissing ? 2 : 0);
  });
