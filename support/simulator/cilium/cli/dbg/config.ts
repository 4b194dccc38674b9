import type { CommandResult } from '../../../docker/types.ts';
import type { InspectableAgent } from '../../agent/agent.ts';
import { agentFlags } from '../../agent/startup-check.ts';
import { isAtLeast } from '../../version.ts';
import { fatal, ok, printOutput } from './output.ts';

type Settings = Readonly<Record<string, string>>;

const enabled = (is: boolean): string => (is ? 'Enabled' : 'Disabled');
const levels: Readonly<Record<string, string>> = {
  none: 'None',
  disabled: 'None',
  lowest: 'Lowest',
  low: 'Low',
  medium: 'Medium',
  maximum: 'Max',
  max: 'Max',
};

/** What can be changed while the agent runs (daemon/cmd/daemon_main.go, initEnv). */
function readWrite({ context: { config, version } }: InspectableAgent): Settings {
  const isOn = (key: string, standard: boolean): boolean => (config.get(key) ?? String(standard)) === 'true';
  const verbose = (config.get('debug-verbose') ?? '').split(/[\s,]+/);
  const hasDatapath = verbose.includes('datapath');
  return {
    ConntrackAccounting: enabled(['true', '1'].includes(config.get('bpf-conntrack-accounting') ?? '')),
    ...(isAtLeast(version, 18) ? {} : { ConntrackLocal: 'Disabled' }),
    Debug: enabled(hasDatapath),
    DebugLB: enabled(hasDatapath),
    ...(verbose.includes('policy') ? { DebugPolicy: 'Enabled' } : {}),
    DropNotification: enabled(isOn('bpf-events-drop-enabled', true)),
    MonitorAggregationLevel: levels[(config.get('monitor-aggregation') ?? 'none').toLowerCase()] ?? 'None',
    PolicyAccounting: enabled(isOn('policy-accounting', true)),
    PolicyAuditMode: enabled(isOn('policy-audit-mode', false)),
    PolicyVerdictNotification: enabled(isOn('bpf-events-policy-verdict-enabled', true)),
    SourceIPVerification: enabled(isOn('enable-source-ip-verification', true)),
    TraceNotification: enabled(isOn('bpf-events-trace-enabled', true)),
  };
}

/** Of what is fixed when the agent starts, the settings that labs look at; the names are those of the agent's fields. */
function readOnly({ context: { config, version }, parts }: InspectableAgent): Settings {
  const flags = agentFlags(config);
  return {
    Devices: `[${(parts?.datapath.devices ?? []).map(({ name }) => name).join(' ')}]`,
    EnableBGPControlPlane: String(flags.hasBgp),
    EnableBPFMasquerade: String(flags.hasBpfMasquerade),
    [isAtLeast(version, 18) ? 'EnableEgressGateway' : 'EnableIPv4EgressGateway']: String(flags.hasEgressGateway),
    EnableExternalIPs: String(flags.replacesKubeProxy || config.get('enable-external-ips') === 'true'),
    EnableHubble: String(flags.hasHubble),
    EnableIPv4: String(flags.hasIpv4),
    EnableIPv4Masquerade: String(flags.masquerades4),
    EnableIPv6: String(flags.hasIpv6),
    EnableIPv6Masquerade: String(flags.masquerades6),
    EnableL2Announcements: String(flags.hasL2Announcements),
    EnableNodePort: String(flags.hasNodePort),
    IPAM: flags.ipam,
    KubeProxyReplacement: String(flags.replacesKubeProxy),
    RoutingMode: flags.isTunneling ? 'tunnel' : 'native',
  };
}

const line = (name: string, value: string): string => `${name.padEnd(34)}: ${value}\n`;

/** `config`, `config -r`, `config --all`, `config get NAME`; changing a setting is not modelled. */
export function agentConfig(agent: InspectableAgent, args: readonly string[], output: string | undefined): CommandResult | undefined {
  const words = args.filter((arg) => !arg.startsWith('-'));
  const changeable = readWrite(agent);
  const fixed = readOnly(agent);
  const enforcement = agent.context.config.get('enable-policy') ?? 'default';
  if (words[0] === 'get') {
    if (words[1] === undefined) return undefined;
    const name = words[1].toLowerCase().replaceAll('-', '');
    const found = Object.entries({ ...fixed, ...changeable, PolicyEnforcement: enforcement }).find(([key]) => key.toLowerCase() === name);
    return found === undefined ? fatal('Configuration does not exist') : ok(`${found[1]}\n`);
  }
  if (words.length > 0) return undefined;
  const isAll = args.includes('--all') || args.includes('-a');
  const isReadOnly = args.includes('--read-only') || args.includes('-r');
  if (args.some((arg) => arg.startsWith('-') && !['--all', '-a', '--read-only', '-r'].includes(arg))) return undefined;
  if (output !== undefined && output !== '') return isAll || isReadOnly ? undefined : printOutput(output, changeable);
  const lines = (settings: Settings): string =>
    Object.entries(settings)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => line(name, value))
      .join('');
  const stdout = [
    ...(isAll || isReadOnly ? [`#### Read-only configurations ####\n${lines(fixed)}${line('(all others)', 'not simulated')}`] : []),
    ...(isReadOnly
      ? []
      : [
          `##### Read-write configurations #####\n${lines(changeable)}${line('MonitorNumPages', '64')}${line('PolicyEnforcement', enforcement)}`,
        ]),
  ].join('');
  return ok(stdout);
}
