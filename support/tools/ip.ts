import type { ExecResult, Lab } from '../port/lab.ts';
import { type Family, familyOf } from './addresses.ts';
import { Json } from './json.ts';
import { lastLine, run, toolFailed } from './run.ts';

/** Addresses of a device, with their prefix length; undefined when there is no such device. */
export function parseAddresses(result: ExecResult): string[] | undefined {
  if (/does not exist/.test(result.stderr)) return undefined;
  if (result.exitCode !== 0) throw toolFailed(result);
  return Json.parse(result.stdout, 'ip')
    .items()
    .flatMap((link) => link.at('addr_info').items())
    .map((info) => `${info.at('local').text()}/${info.at('prefixlen').number()}`);
}

/** Where the kernel would send a packet, or why it would not. */
export type RouteChoice = { readonly gateway: string | undefined; readonly device: string } | { readonly unroutable: string };

/** The first line of `ip route get`: `ADDRESS [from …] [via GATEWAY] dev DEVICE …`. */
export function parseRouteGet(result: ExecResult): RouteChoice {
  if (result.exitCode === 2 || /^RTNETLINK answers|unreachable|Invalid argument/m.test(result.stderr))
    return { unroutable: lastLine(result) };
  if (result.exitCode !== 0) throw toolFailed(result);
  const line = result.stdout.split('\n')[0] ?? '';
  const device = / dev (\S+)/.exec(line)?.[1];
  if (device === undefined) return { unroutable: line.trim() };
  return { gateway: / via (?:inet6 )?(\S+)/.exec(line)?.[1], device };
}

export function routeGetArgv(address: string): string[] {
  const family: Family = familyOf(address);
  return family === 'IPv6' ? ['ip', '-6', 'route', 'get', address] : ['ip', 'route', 'get', address];
}

/** Reads the interfaces and routes of a container. */
export class Ip {
  readonly #lab: Lab;

  constructor(lab: Lab) {
    this.#lab = lab;
  }

  async addresses(container: string, device: string): Promise<string[] | undefined> {
    return parseAddresses(await run(this.#lab, { container, argv: ['ip', '-j', 'addr', 'show', 'dev', device] }));
  }

  async routeTo(container: string, address: string): Promise<RouteChoice> {
    return parseRouteGet(await run(this.#lab, { container, argv: routeGetArgv(address) }));
  }
}
