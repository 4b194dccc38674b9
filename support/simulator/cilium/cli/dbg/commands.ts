import type { CommandResult } from '../../../docker/types.ts';
import type { InspectableAgent } from '../../agent/agent.ts';
import { takeFlag } from '../arguments.ts';
import { formatTabs } from '../tab-writer.ts';
import { agentConfig } from './config.ts';
import { endpointGet, endpointList } from './endpoints.ts';
import { identityGet, identityList, ipcacheList, ipList } from './identities.ts';
import { bpfEndpointList, conntrackList, natList, tunnelList } from './maps.ts';
import { ok, wide } from './output.ts';
import { policyMap } from './policy-map.ts';
import { policyGet } from './policy-repository.ts';
import { agentStatus } from './status.ts';

/** What is asked of the agent's state and of the maps in the kernel; undefined when the words are none of these. */
export function showState(agent: InspectableAgent, args: readonly string[]): CommandResult | undefined {
  const { parts } = agent;
  if (parts === undefined) return undefined;
  const words = [...args];
  const output = takeFlag(words, ['-o', '--output']);
  const { state } = parts.datapath;
  const isList = (word: string | undefined): boolean => word === 'list' || word === 'ls';
  const [first, second, third, ...rest] = words;
  switch (first) {
    case 'status':
      return output === undefined ? agentStatus(agent, words.slice(1)) : undefined;
    case 'endpoint':
      if (isList(second)) return endpointList(state, words.slice(2), output);
      return second === 'get' ? endpointGet(state, words.slice(2), output) : undefined;
    case 'identity':
      if (isList(second)) return identityList(state, words.slice(2), output);
      return second === 'get' ? identityGet(state, words.slice(2), output) : undefined;
    case 'ip':
      return isList(second) ? ipList(state, words.slice(2), output) : undefined;
    case 'config':
      return agentConfig(agent, words.slice(1), output);
    case 'policy':
      return second === 'get' && third === undefined ? policyGet(state, output) : undefined;
    case 'fqdn':
      // Nothing is proxied, so that no name was ever looked up.
      return second === 'cache' && isList(third) && output === undefined
        ? ok(formatTabs([['Endpoint', 'Source', 'FQDN', 'TTL', 'ExpirationTime', 'IPs', '']], wide))
        : undefined;
    case 'bpf':
      break;
    default:
      return undefined;
  }
  switch (`${second} ${isList(third) ? 'list' : third}`) {
    case 'ipcache list':
      return ipcacheList(state, output);
    case 'ct list':
      return conntrackList(state, rest, output);
    case 'nat list':
      return natList(state, output);
    case 'endpoint list':
      return bpfEndpointList(state, output);
    case 'tunnel list':
      return tunnelList(state, output);
    case 'policy get':
      return policyMap(state, rest, output);
    default:
      return undefined;
  }
}
