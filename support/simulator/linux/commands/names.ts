import type { CommandContext } from '../../docker/types.ts';
import { type ResolveResult, resolveName } from '../../net/dns.ts';
import type { Family, Ip } from '../../net/types.ts';

/** getaddrinfo(3): waits for the answer, at most `timeoutMs`. */
export function resolve(context: CommandContext, name: string, families: readonly Family[], timeoutMs?: number): ResolveResult {
  let result: ResolveResult | undefined;
  resolveName(context.container.namespace, name, { families, ...(timeoutMs === undefined ? {} : { timeoutMs }) }, (answer) => {
    result = answer;
  });
  context.clock.runUntil(() => result !== undefined);
  return result ?? { error: 'TIMEOUT' };
}

/** The addresses of a name, best first; none when it does not resolve. */
export function resolveHost(context: CommandContext, name: string, family: Family | undefined): readonly Ip[] {
  const result = resolve(context, name, family === undefined ? [4, 6] : [family]);
  return 'ips' in result ? result.ips : [];
}
