import type { BgpFamily, BgpPeer } from '../bgp/types.ts';
import type { Command, CommandResult } from '../docker/types.ts';
import { parseIp } from '../net/address.ts';
import { effectiveNeighbor, type NeighborConfig, orderedNeighbors } from './config.ts';
import type { ConfigSession } from './configure.ts';
import { type Arguments, type CommandDefinition, Grammar } from './grammar.ts';
import { communityText } from './policy.ts';
import { configFile, type FrrRouter } from './router.ts';
import { findEntry, showAdvertised, showEntry, showEntryJson, showReceived, showTable } from './show-bgp.ts';
import { type ListHolder, showAsPathLists, showCommunityLists, showPrefixLists, showRouteMaps } from './show-lists.ts';
import { type NeighborView, showNeighbors, showPeerGroups, showSummary } from './show-neighbors.ts';
import { showBgpNextHops, showNextHopTracking } from './show-next-hops.ts';
import { showInterfaceBrief, showRouteEntry, showRouteSummary, showRoutes } from './show-route.ts';
import type { ZebraProtocol } from './zebra.ts';

interface ShowContext {
  readonly router: FrrRouter;
  out: string;
  error: string;
  /** The line failed: with `-c` nothing after it is run. */
  hasFailed: boolean;
}

type Definition = CommandDefinition<ShowContext>;

const notRunning = (daemon: string): string => `${daemon} is not running\n`;

function failWithoutBgpd(context: ShowContext): boolean {
  if (context.router.bgpd !== undefined) return false;
  context.error += notRunning('bgpd');
  context.hasFailed = true;
  return true;
}

function viewOf(router: FrrRouter): NeighborView | undefined {
  const { bgpd, config, container } = router;
  const speaker = bgpd?.speaker;
  const { bgp } = config;
  if (bgpd === undefined || speaker === undefined || bgp === undefined) return undefined;
  const neighbors: { neighbor: NeighborConfig; peer: BgpPeer }[] = [];
  for (const neighbor of orderedNeighbors(bgp)) {
    const address = bgpd.addressOf(neighbor);
    const peer = address === undefined ? undefined : speaker.findPeer(address);
    if (peer !== undefined) neighbors.push({ neighbor, peer });
  }
  return {
    speaker,
    localAsn: bgp.asn,
    localPreference: bgp.localPreference,
    peers: neighbors.map(({ peer }) => peer),
    bgp,
    namespace: container.namespace,
    hostname: router.hostname,
    now: router.clock.now(),
    startedAt: router.startedAt,
    neighbors,
    descriptorOf: (peer) => 25 + neighbors.findIndex((each) => each.peer === peer),
  };
}

function familyOf(args: Arguments, otherwise: BgpFamily): BgpFamily {
  if (args.has('ipv4')) return 'ipv4-unicast';
  if (args.has('ipv6')) return 'ipv6-unicast';
  return otherwise;
}

/** `show bgp` and its old forms: what a bare form means differs. */
function bgpForms(rest: string, run: (context: ShowContext, args: Arguments, otherwise: BgpFamily, isBare: boolean) => void): Definition[] {
  const define = (head: string, otherwise: BgpFamily): Definition => ({
    pattern: `${head} ${rest}`.trim(),
    run: (context, args) => {
      if (failWithoutBgpd(context)) return;
      run(context, args, otherwise, !args.has('ipv4') && !args.has('ipv6') && !args.has('ip'));
    },
  });
  return [define('show bgp [ ipv4|ipv6 [ unicast ] ]', 'ipv6-unicast'), define('show ip bgp [ ipv4|ipv6 [ unicast ] ]', 'ipv4-unicast')];
}

function noInstance(context: ShowContext, json: boolean): void {
  context.out += json ? '{\n  "warning":"Default BGP instance not found"\n}\n' : 'Default BGP instance not found\n';
}

function findNeighbor(view: NeighborView, text: string): { readonly neighbor: NeighborConfig; readonly peer: BgpPeer } | undefined {
  const address = parseIp(text);
  return view.neighbors.find(({ neighbor }) => (address === undefined ? neighbor.name === text : neighbor.address === address));
}

const bgpShows: readonly Definition[] = [
  ...bgpForms('[ wide ] [ json ]', (context, args, otherwise) => {
    const view = viewOf(context.router);
    const json = args.has('json');
    if (view === undefined) noInstance(context, json);
    else context.out += showTable(view, { family: familyOf(args, otherwise), json, wide: args.has('wide') });
  }),
  ...bgpForms('target:ip [ json ]', (context, args) => showOne(context, args)),
  ...bgpForms('target:prefix [ json ]', (context, args) => showOne(context, args)),
  ...bgpForms('summary [ established|failed ] [ json ]', (context, args, otherwise, isBare) => {
    const view = viewOf(context.router);
    const json = args.has('json');
    if (view === undefined) {
      context.out += json ? '{}\n' : '% BGP instance not found\n';
      return;
    }
    const family = familyOf(args, otherwise);
    const hasUnicast = args.has('unicast');
    // Without the word "unicast" all kinds of the family are meant, and each gets a heading.
    const only = args.has('established') ? 'established' : args.has('failed') ? 'failed' : undefined;
    if (isBare) context.out += showSummary(view, undefined, json, only);
    else if (hasUnicast) context.out += showSummary(view, family, json, only);
    else context.out += showFamilySummary(view, family, json, only);
  }),
  ...bgpForms('neighbors [ json ]', (context, args) => {
    const view = viewOf(context.router);
    if (view === undefined) context.out += args.has('json') ? '{}\n' : '% BGP instance not found\n';
    else context.out += showNeighbors(view, undefined, args.has('json'));
  }),
  ...bgpForms('neighbors peer:peer [ json ]', (context, args) => {
    const view = viewOf(context.router);
    const json = args.has('json');
    if (view === undefined) {
      context.out += json ? '{}\n' : '% BGP instance not found\n';
      return;
    }
    const found = findNeighbor(view, args.get('peer') ?? '');
    if (found !== undefined) context.out += showNeighbors(view, found.neighbor, json);
    else context.out += json ? '{\n  "bgpNoSuchNeighbor":true\n}\n' : '% No such neighbor in this view/vrf\n\n';
  }),
  ...bgpForms('neighbors peer:peer advertised-routes|received-routes|filtered-routes|routes [ json ]', (context, args, otherwise) =>
    showNeighborRoutes(context, args, familyOf(args, otherwise)),
  ),
  {
    pattern: 'show bgp community-list [ name:word [ detail ] ]',
    run: (context, args) => {
      if (failWithoutBgpd(context)) return;
      const name = args.get('name');
      const text = showCommunityLists(context.router.config, name);
      // Without "detail" a list that is there prints nothing (seen in 8.4.4).
      if (text === undefined || name === undefined || args.has('detail')) sayOrFail(context, text, "% Can't find community-list\n");
    },
  },
  {
    pattern: 'show bgp as-path-access-list [ name:word ]',
    run: (context, args) => {
      if (!failWithoutBgpd(context)) context.out += showAsPathLists(context.router.config, args.get('name'));
    },
  },
  {
    pattern: 'show [ ip ] bgp peer-group [ name:word ]',
    run: (context, args) => {
      if (failWithoutBgpd(context)) return;
      const view = viewOf(context.router);
      const text = view === undefined ? undefined : showPeerGroups(view, args.get('name'));
      context.out += text ?? (view === undefined ? '% BGP instance not found\n' : '% No such peer-group\n');
    },
  },
  ...bgpForms('community value:line', (context, args, otherwise) => {
    const view = viewOf(context.router);
    const wanted = (args.get('value') ?? '').split(/\s+/);
    if (view === undefined) noInstance(context, false);
    else
      context.out += showTable(view, {
        family: familyOf(args, otherwise),
        isNormal: false,
        filter: (path) => wanted.every((each) => (path.attributes.communities ?? []).some((own) => communityText(own) === each)),
      });
  }),
];

function showFamilySummary(view: NeighborView, family: BgpFamily, json: boolean, only: 'established' | 'failed' | undefined): string {
  const isUsed = view.neighbors.some(({ neighbor }) => effectiveNeighbor(view.bgp, neighbor).families[family].activate === true);
  if (!isUsed) return json ? '{\n}\n' : `% No BGP neighbors found in VRF default\n`;
  const text = showSummary(view, family, json, only);
  const [name, key] = family === 'ipv4-unicast' ? ['IPv4', 'ipv4Unicast'] : ['IPv6', 'ipv6Unicast'];
  return json ? `{\n"${key}":${text}}\n` : `\n${name} Unicast Summary (VRF default):\n${text}`;
}

function showOne(context: ShowContext, args: Arguments): void {
  const view = viewOf(context.router);
  const json = args.has('json');
  if (view === undefined) {
    noInstance(context, json);
    return;
  }
  const text = args.get('target') ?? '';
  const family: BgpFamily = text.includes(':') ? 'ipv6-unicast' : 'ipv4-unicast';
  const entry = findEntry(view, family, text);
  if (entry === undefined) context.out += json ? '{\n}\n' : '% Network not in table\n';
  else context.out += json ? showEntryJson(view, entry) : showEntry(view, entry);
}

function showNeighborRoutes(context: ShowContext, args: Arguments, family: BgpFamily): void {
  const view = viewOf(context.router);
  if (view === undefined) {
    noInstance(context, args.has('json'));
    return;
  }
  const found = findNeighbor(view, args.get('peer') ?? '');
  const settings = found === undefined ? undefined : effectiveNeighbor(view.bgp, found.neighbor).families[family];
  if (found === undefined) {
    const said = 'No such neighbor in this view/vrf';
    context.out += args.has('json') ? `{\n  "warning":"${said}"\n}\n` : `${said}\n`;
    return;
  }
  if (settings?.activate !== true) {
    context.out += args.has('json') ? '{\n  "warning":"No such neighbor or address family"\n}\n' : '% No such neighbor or address family\n';
    return;
  }
  if (args.has('advertised-routes')) {
    context.out += showAdvertised(view, found.peer, family, args.has('json'));
    return;
  }
  const isFiltered = args.has('filtered-routes');
  if (isFiltered || args.has('received-routes')) {
    const said = 'Inbound soft reconfiguration not enabled';
    if (settings.softReconfiguration === true)
      context.out += showReceived(view, found.peer, family, { isFiltered, json: args.has('json') });
    else context.out += args.has('json') ? `{ "warning": "${said}" }\n` : `% ${said}\n`;
    return;
  }
  context.out += showTable(view, { family, json: args.has('json'), isNormal: false, filter: (path) => path.peer === found.peer });
}

const protocols = 'bgp|connected|kernel|static';

function routeForms(family: 4 | 6): Definition[] {
  const head = family === 4 ? 'show ip route' : 'show ipv6 route';
  const table = (context: ShowContext, args: Arguments): void => {
    const { zebra, container, clock } = context.router;
    if (zebra === undefined) return;
    const protocol = args.get(protocols) as ZebraProtocol | undefined;
    context.out += showRoutes(zebra, container.namespace, clock.now(), {
      family,
      json: args.has('json'),
      ...(protocol === undefined ? {} : { protocol }),
    });
  };
  const entry = (context: ShowContext, args: Arguments): void => {
    const { zebra, container, clock } = context.router;
    if (zebra === undefined) return;
    const json = args.has('json');
    const text = showRouteEntry(zebra, container.namespace, clock.now(), family, args.get('target') ?? '', json);
    // For an address that nothing covers it prints nothing at all.
    context.out += text ?? (json ? '{}\n' : (args.get('target') ?? '').includes('/') ? '% Network not in table\n' : '');
  };
  return [
    { pattern: `${head} [ json ]`, run: table },
    { pattern: `${head} ${protocols} [ json ]`, run: table },
    {
      pattern: `${head} summary [ json ]`,
      run: (context, args) => {
        const { zebra } = context.router;
        if (zebra !== undefined) context.out += showRouteSummary(zebra, family, args.has('json'));
      },
    },
    { pattern: `${head} target:ip${family} [ json ]`, run: entry },
    { pattern: `${head} target:prefix${family} [ json ]`, run: entry },
  ];
}

function clear(
  context: ShowContext,
  args: Arguments,
  pick: (each: { readonly neighbor: NeighborConfig; readonly peer: BgpPeer }) => boolean,
  unknown: string,
): void {
  if (failWithoutBgpd(context)) return;
  const view = viewOf(context.router);
  if (view === undefined) {
    context.out += "% Can't find BGP instance\n";
    return;
  }
  const found = view.neighbors.filter(pick);
  if (found.length === 0 && unknown !== '') context.out += unknown;
  for (const { peer } of found) {
    if (!args.has('soft') && !args.has('in') && !args.has('out')) view.speaker.clearPeer(peer.config.address, 'hard');
    else {
      if (!args.has('out')) view.speaker.clearPeer(peer.config.address, 'soft-in');
      if (!args.has('in')) view.speaker.clearPeer(peer.config.address, 'soft-out');
    }
  }
}

const clearHead = 'clear [ ip ] bgp [ ipv4|ipv6 [ unicast ] ]';

const enableCommands: readonly Definition[] = [
  ...bgpShows,
  ...routeForms(4),
  ...routeForms(6),
  { pattern: `${clearHead} * [ soft ] [ in|out ]`, run: (context, args) => clear(context, args, () => true, '') },
  {
    pattern: `${clearHead} peer:ip [ soft ] [ in|out ]`,
    run: (context, args) => {
      const name = args.get('peer') ?? '';
      clear(context, args, ({ neighbor }) => neighbor.address === parseIp(name), `% BGP: Unknown neighbor - "${name}"\n`);
    },
  },
  {
    pattern: `${clearHead} asn:num [ soft ] [ in|out ]`,
    run: (context, args) => {
      const asn = args.get('asn') ?? '';
      clear(
        context,
        args,
        ({ peer }) => String(peer.remoteAsn ?? peer.config.remoteAs) === asn,
        `% BGP: No IPv4 Unicast peer is configured with AS ${asn}\n`,
      );
    },
  },
  {
    pattern: `${clearHead} peer-group group:word [ soft ] [ in|out ]`,
    run: (context, args) => {
      const group = args.get('group') ?? '';
      clear(context, args, ({ neighbor }) => neighbor.peerGroup === group, `% BGP: No such peer-group ${group}\n`);
    },
  },
  {
    pattern: 'show running-config [ bgpd|zebra|staticd ]',
    run: (context) => {
      context.out += `Building configuration...\n\nCurrent configuration:\n!\n${context.router.runningConfig()}end\n`;
    },
  },
  {
    pattern: 'show startup-config',
    run: (context) => {
      context.out += context.router.container.files.read(configFile) ?? '';
    },
  },
  {
    pattern: 'show version',
    run: (context) => {
      const { router } = context;
      context.out += `FRRouting ${router.version} (${router.hostname}) on Linux(6.8.0-45-generic).\nCopyright 1996-2005 Kunihiro Ishiguro, et al.\n`;
    },
  },
  nextHopForm(4),
  nextHopForm(6),
  {
    pattern: 'show [ ip ] bgp nexthop [ address:ip ] [ detail ]',
    run: (context, args) => {
      const { zebra } = context.router;
      if (failWithoutBgpd(context) || zebra === undefined) return;
      context.out += showBgpNextHops(viewOf(context.router), zebra, args.get('address'));
    },
  },
  {
    pattern: 'show interface brief',
    run: (context) => {
      context.out += showInterfaceBrief(context.router.container.namespace);
    },
  },
  {
    pattern: 'show daemons',
    run: (context) => {
      context.out += ` zebra${context.router.bgpd === undefined ? '' : ' bgpd'} watchfrr staticd\n`;
    },
  },
  prefixListForm(4),
  prefixListForm(6),
  {
    pattern: 'show route-map [ name:word ]',
    run: (context, args) => {
      context.out += showRouteMaps(context.router.config, holdersIn(context), args.get('name'));
    },
  },
  { pattern: 'write [ memory|file|integrated ]', run: (context) => save(context) },
  { pattern: 'copy running-config startup-config', run: (context) => save(context) },
  { pattern: 'enable', run: () => undefined },
  { pattern: 'terminal length lines:num', run: () => undefined },
];

function save(context: ShowContext): void {
  context.router.writeConfig();
  context.out += `Note: this version of vtysh never writes vtysh.conf\nBuilding Configuration...\nIntegrated configuration saved to ${configFile}\n[OK]\n`;
}

function holdersIn(context: ShowContext): readonly ListHolder[] {
  return context.router.bgpd === undefined ? ['ZEBRA'] : ['ZEBRA', 'BGP'];
}

/** The first daemon that does not know the name ends the command. */
function sayOrFail(context: ShowContext, text: string | undefined, otherwise: string): void {
  context.out += text ?? otherwise;
  if (text === undefined) context.hasFailed = true;
}

function nextHopForm(family: 4 | 6): Definition {
  return {
    pattern: `show ${family === 4 ? 'ip' : 'ipv6'} nht [ address:ip ]`,
    run: (context, args) => {
      const { zebra, config, bgpd } = context.router;
      if (zebra !== undefined) context.out += showNextHopTracking(zebra, config, bgpd?.speaker, family, args.get('address'));
    },
  };
}

function prefixListForm(family: 4 | 6): Definition {
  return {
    pattern: `show ${family === 4 ? 'ip' : 'ipv6'} prefix-list [ summary|detail ] [ name:word ]`,
    run: (context, args) => {
      const form = args.has('summary') ? 'summary' : args.has('detail') ? 'detail' : undefined;
      const text = showPrefixLists(context.router.config, holdersIn(context), { family, name: args.get('name'), form });
      sayOrFail(context, text, "% Can't find specified prefix-list\n");
    },
  };
}

const enableGrammar = new Grammar(enableCommands);

/** Real `show` commands whose subject is not modelled say so. */
const notModelledShow =
  /^(show|sh)\w* (ip|ipv6|bgp|interface|zebra|nexthop-group|vrf|memory|thread|logging|event|debugging|history|mpls|evpn|bfd|ospf|isis|pim|community|work-queues|route)\b|^(clear|debug|undebug|ping|traceroute|terminal|no debug|graceful)\b/;

/** A vtysh that reads lines one after the other and remembers where it stands. */
export class VtyshSession {
  readonly #router: FrrRouter;
  #config: ConfigSession | undefined;

  constructor(router: FrrRouter) {
    this.#router = router;
  }

  get prompt(): string {
    const { hostname } = this.#router;
    if (this.#config === undefined) return `${hostname}# `;
    const words = {
      config: 'config',
      bgp: 'config-router',
      'bgp-family': 'config-router-af',
      interface: 'config-if',
      'route-map': 'config-route-map',
    } as const;
    return `${hostname}(${words[this.#config.node.kind]})# `;
  }

  run(line: string): { readonly out: string; readonly error: string; readonly hasFailed: boolean; readonly isOver: boolean } {
    const result = { out: '', error: '', hasFailed: false, isOver: false };
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('!') || trimmed.startsWith('#')) return result;
    if (/^end$/.test(trimmed)) {
      this.#config = undefined;
      return result;
    }
    if (this.#config === undefined) {
      if (/^(exit|quit|exi|qui|q)$/.test(trimmed)) return { ...result, isOver: true };
      if (/^conf(i(g(u(r(e)?)?)?)?)?(\s+t(e(r(m(i(n(a(l)?)?)?)?)?)?)?)?$/.test(trimmed)) {
        this.#config = this.#router.session({ kind: 'config' });
        return result;
      }
      return { ...this.#enable(trimmed, line), isOver: false };
    }
    if (/^do\s/.test(trimmed)) return { ...this.#enable(trimmed.replace(/^do\s+/, ''), line), isOver: false };
    if (/^(exit|quit)$/.test(trimmed) && this.#config.node.kind === 'config') {
      this.#config = undefined;
      return result;
    }
    const isBgp = /^(no\s+)?router\s+bgp\b/.test(trimmed) || this.#config.node.kind === 'bgp' || this.#config.node.kind === 'bgp-family';
    if (isBgp && this.#router.bgpd === undefined) return { ...result, error: notRunning('bgpd'), hasFailed: true };
    const outcome = this.#router.execute(this.#config, trimmed);
    this.#router.applySession(this.#config);
    if (outcome.kind === 'done') return result;
    if (outcome.kind === 'said') return { ...result, out: outcome.text };
    const text = outcome.text.replace(trimmed, line.trimEnd() === trimmed ? trimmed : line);
    return outcome.toStderr === true ? { ...result, error: text, hasFailed: true } : { ...result, out: text, hasFailed: true };
  }

  #enable(trimmed: string, line: string): { readonly out: string; readonly error: string; readonly hasFailed: boolean } {
    const context: ShowContext = { router: this.#router, out: '', error: '', hasFailed: false };
    const match = enableGrammar.match(trimmed);
    if (match.kind === 'match') {
      match.definition.run(context, match.args);
      return context;
    }
    context.hasFailed = true;
    if (match.kind === 'ambiguous') context.out = `% Ambiguous command: ${line}\n`;
    else if (match.kind === 'incomplete') context.out = `% Command incomplete: ${line}\n`;
    else if (isUnmodelledShow(trimmed)) context.error = `vtysh: not simulated: ${trimmed}\n`;
    else context.out = `% Unknown command: ${line}\n`;
    return context;
  }
}

/** A first argument that FRR knows below `show bgp` and its like, as opposed to a typing error. */
const knownSubjects =
  /^(show|sh)\w* (ip |ipv6 )?bgp (ipv4|ipv6|l2vpn|vrf|view|all|vpnv4|vpnv6|regexp|prefix-list|route-map|filter-list|community|large-community|statistics|dampening|peer-group|update-groups|attribute-info|memory|paths|vrfs|cidr-only|longer-prefixes|import-check-table|labelpool|neighbors)\b/;

/** Not of 8.4, though of later ones: `json` of next-hop tracking. */
const notOfThisRelease = /^(show|sh)\w* (ip|ipv6) nht .*json$/;

function isUnmodelledShow(line: string): boolean {
  if (!notModelledShow.test(line) || notOfThisRelease.test(line)) return false;
  if (!/\bbgp\b/.test(line)) return true;
  const rest = /^(?:show|sh)\w* (?:ip )?bgp(?: (?:ipv4|ipv6)(?: unicast)?)? (\S+)/.exec(line)?.[1];
  return (
    knownSubjects.test(line) &&
    rest !== undefined &&
    /^(l2vpn|vrf|view|all|vpnv4|vpnv6|regexp|prefix-list|route-map|filter-list|large-community|statistics|dampening|peer-group|update-groups|attribute-info|memory|paths|vrfs|cidr-only|longer-prefixes|labelpool|multicast|labeled-unicast|flowspec|vpn|detail|dampened-paths|flap-statistics|graceful-restart|established|failed|terse)$/.test(
      rest,
    )
  );
}

const usage = `Usage : vtysh [OPTION...]

Integrated shell for FRR (version VERSION). 
Configured with:
`;

export function makeVtysh(routerOf: (context: Parameters<Command>[1]) => FrrRouter | undefined): Command {
  return (args, context): CommandResult => {
    const commands: string[] = [];
    let isConfigRead = false;
    for (let index = 0; index < args.length; index++) {
      const argument = args[index] as string;
      if (argument === '-c' || argument === '--command') {
        const value = args[++index];
        if (value === undefined) return { stdout: '', stderr: "vtysh: option requires an argument -- 'c'\n", exitCode: 1 };
        commands.push(value);
      } else if (argument.startsWith('-c') && argument.length > 2) commands.push(argument.slice(2));
      else if (argument === '-f' || argument === '--inputfile') {
        const path = args[++index] ?? '';
        const text = context.files.read(path);
        if (text === undefined)
          return { stdout: '', stderr: `% Can't open configuration file ${path} due to 'No such file or directory'.\n`, exitCode: 1 };
        commands.push('configure terminal', ...text.split('\n'));
      } else if (argument === '-b' || argument === '--boot') {
        isConfigRead = true;
        commands.push('configure terminal', ...(context.files.read(configFile) ?? '').split('\n'));
      } else if (argument === '-h' || argument === '--help') return { stdout: usage.replace('VERSION', '8.4.4'), stderr: '', exitCode: 0 };
      else if (!/^(-E|--echo|-u|--user|-n|--noerror|-A|--no-fork|-t|--timestamp)$/.test(argument)) {
        return { stdout: '', stderr: `vtysh: unrecognized option '${argument}'\n`, exitCode: 1 };
      }
    }
    const router = routerOf(context);
    if (router === undefined || !router.isRunning)
      return { stdout: '', stderr: 'Exiting: failed to connect to any daemons.\n', exitCode: 1 };
    const session = new VtyshSession(router);
    let stdout = '';
    let stderr = '';
    if (commands.length > 0) {
      for (const command of commands.flatMap((each) => each.split('\n'))) {
        const result = session.run(command);
        stdout += result.out;
        stderr += result.error;
        if (result.hasFailed && !isConfigRead) return { stdout, stderr, exitCode: 1 };
        if (result.isOver) break;
      }
      return { stdout, stderr, exitCode: 0 };
    }
    // The interactive shell, fed through standard input; it greets, and prompts where somebody can see it.
    stdout += `\nHello, this is FRRouting (version ${router.version}).\nCopyright 1996-2005 Kunihiro Ishiguro, et al.\n\n`;
    for (const line of context.stdin.split('\n')) {
      if (line === '' && !context.stdin.includes('\n')) break;
      if (context.isTerminal) stdout += `${session.prompt}${line}\n`;
      const result = session.run(line);
      stdout += result.out;
      stderr += result.error;
      if (result.isOver) break;
    }
    return { stdout, stderr, exitCode: 0 };
  };
}
