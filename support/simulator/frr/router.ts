import type { SimulatedClock, Timer } from '../clock/clock.ts';
import type { Random } from '../clock/random.ts';
import type { Container, Program, ProgramProcess } from '../docker/types.ts';
import { ip, parseIp } from '../net/address.ts';
import type { NetworkInterface } from '../net/types.ts';
import { Bgpd } from './bgpd.ts';
import { emptyConfig, type FrrConfig } from './config.ts';
import { type ConfigNode, type ConfigSession, configGrammars, isKnownButNotModelled, type Outcome, parentNode } from './configure.ts';
import { printConfig } from './running-config.ts';
import { Zebra } from './zebra.ts';

export const configFile = '/etc/frr/frr.conf';
const daemonsFile = '/etc/frr/daemons';

export type LineResult =
  | { readonly kind: 'done' }
  | { readonly kind: 'said'; readonly text: string }
  | { readonly kind: 'failed'; readonly text: string; readonly toStderr?: boolean };

/** FRR in one container: watchfrr with zebra, staticd and, where the daemons file says so, bgpd. */
export class FrrRouter implements Program {
  readonly name = 'watchfrr';
  readonly container: Container;
  readonly clock: SimulatedClock;
  config: FrrConfig = emptyConfig();
  zebra: Zebra | undefined;
  bgpd: Bgpd | undefined;
  startedAt = 0;
  /** Lines of the configuration files that are known and not modelled, as `FILE line N: LINE`. */
  readonly notModelled: string[] = [];
  /** Interfaces that have had their configured addresses. */
  #configured = new WeakSet<NetworkInterface>();
  #unwatchInterfaces: (() => void) | undefined;
  #random: Random | undefined;
  readonly #daemons = new Map<string, ProgramProcess>();
  /** What watchfrr remembers of a daemon that it has to start again. */
  readonly #restarts = new Map<string, { at: number; intervalMs: number; timer: Timer | undefined }>();

  constructor(container: Container, clock: SimulatedClock) {
    this.container = container;
    this.clock = clock;
  }

  get isRunning(): boolean {
    return this.zebra !== undefined;
  }

  /** From the image's tag (`v8.4.1`); the recordings are of 8.4.4. */
  get version(): string {
    return /:v?(\d+\.\d+(?:\.\d+)?)/.exec(this.container.imageReference)?.[1] ?? '8.4.4';
  }

  get hostname(): string {
    return this.config.hostname ?? this.container.hostname;
  }

  start(): void {
    if (this.isRunning) return;
    this.config = emptyConfig();
    const vtyshConf = this.container.files.read('/etc/frr/vtysh.conf');
    if (vtyshConf !== undefined) this.config.integratedConfig = !/^no service integrated-vtysh-config/m.test(vtyshConf);
    const { namespace } = this.container;
    this.startedAt = this.clock.now();
    this.zebra = new Zebra(namespace, this.clock);
    if (!this.container.programs.includes(this)) this.container.background.add(this);
    for (const daemon of ['watchfrr', 'zebra', 'staticd']) this.#addProcess(daemon);
    const files = [configFile, '/etc/frr/zebra.conf', '/etc/frr/staticd.conf', '/etc/frr/bgpd.conf'];
    const integrated = this.container.files.read(configFile);
    const texts =
      integrated !== undefined && integrated.trim() !== ''
        ? [{ path: configFile, text: integrated }]
        : files.slice(1).flatMap((path) => {
            const text = this.container.files.read(path);
            return text === undefined ? [] : [{ path, text }];
          });
    const touched: ConfigSession['touched'] = new Set();
    this.notModelled.length = 0;
    for (const { path, text } of texts) this.#read(path, text, touched);
    if (this.#isEnabled('bgpd')) this.startBgpd();
    this.#apply(touched);
  }

  /** Starts bgpd where zebra runs and there is none. */
  startBgpd(): void {
    const { zebra } = this;
    if (zebra === undefined || this.bgpd !== undefined) return;
    this.#addProcess('bgpd');
    const { namespace } = this.container;
    const listenPort = this.#listenPort();
    this.bgpd = new Bgpd({
      ...(listenPort === undefined ? {} : { listenPort }),
      namespace,
      clock: this.clock,
      random: namespace.network.random.stream(`frr/${this.container.id}`),
      config: this.config,
      zebra,
      hostname: () => this.hostname,
    });
  }

  stop(): void {
    this.#end('graceful');
  }

  /** Every process of it is gone at once. */
  kill(): void {
    this.#end('killed');
  }

  #end(how: 'graceful' | 'killed'): void {
    this.#daemons.clear();
    for (const { timer } of this.#restarts.values()) timer?.cancel();
    this.#restarts.clear();
    this.container.background.delete(this);
    this.bgpd?.stop(how);
    this.bgpd = undefined;
    this.zebra?.stop();
    this.zebra = undefined;
    this.#unwatchInterfaces?.();
    this.#unwatchInterfaces = undefined;
    this.#configured = new WeakSet();
  }

  /** bgpd dies, and nobody watches. */
  killBgpd(): void {
    this.bgpd?.stop('killed');
    this.bgpd = undefined;
    this.#daemons.delete('bgpd');
  }

  /** In the order in which they were started. */
  processes(): readonly ProgramProcess[] {
    return [...this.#daemons.values()];
  }

  #addProcess(daemon: string): void {
    const isWatch = daemon === 'watchfrr';
    const options = isWatch ? '' : daemon === 'zebra' ? ' -A 127.0.0.1 -s 90000000' : ' -A 127.0.0.1';
    const watched = ['zebra', ...(this.#isEnabled('bgpd') ? ['bgpd'] : []), 'staticd'].join(' ');
    this.#daemons.set(daemon, {
      user: isWatch ? 'root' : 'frr',
      command: `/usr/lib/frr/${daemon} -d -F traditional${isWatch ? ` ${watched}` : options}`,
      signal: (name) => this.#signal(daemon, name),
    });
  }

  /** SIGTERM lets bgpd take leave of its peers (bgp_main.c, sigint); after SIGKILL the kernel closes its connections. */
  #signal(daemon: string, name: string): boolean {
    if (name === 'USR1' || name === 'HUP') return false;
    if (daemon === 'zebra') return false;
    if (daemon === 'bgpd') {
      this.bgpd?.stop(name === 'TERM' || name === 'INT' ? 'graceful' : 'killed');
      this.bgpd = undefined;
    } else if (daemon === 'staticd') this.zebra?.setStatic([]);
    this.#daemons.delete(daemon);
    if (daemon !== 'watchfrr') this.#watch(daemon);
    return true;
  }

  /**
   * watchfrr looks at a daemon that is down every 5 s, give or take a fifth, and starts it again from the second look on; not sooner than
   * 60 s after it last did so (for the first time: than it started), twice as long each time up to 600 s (watchfrr.c, run_job).
   */
  #watch(daemon: string): void {
    if (!this.#daemons.has('watchfrr')) return;
    const known = this.#restarts.get(daemon) ?? { at: this.startedAt, intervalMs: 60_000, timer: undefined };
    this.#restarts.set(daemon, known);
    const look = (): void => {
      if (!this.#daemons.has('watchfrr')) return;
      if (this.clock.now() - known.at < known.intervalMs) {
        known.timer = this.clock.schedule(this.#lookMs(), look);
        return;
      }
      known.at = this.clock.now();
      known.intervalMs = Math.min(known.intervalMs * 2, 600_000);
      known.timer = undefined;
      if (daemon === 'bgpd') this.#restartBgpd();
      else {
        this.#addProcess(daemon);
        this.zebra?.setStatic([...this.config.staticRoutes]);
      }
    };
    known.timer?.cancel();
    known.timer = this.clock.schedule(this.#lookMs(), look);
  }

  #lookMs(): number {
    this.#random ??= this.container.namespace.network.random.stream(`watchfrr/${this.container.id}`);
    return this.#random.integer(4000, 6000);
  }

  /** A daemon that starts anew knows only what is in the file: what was typed and not written is gone. */
  #restartBgpd(): void {
    const before = this.config;
    this.config = emptyConfig();
    const touched: ConfigSession['touched'] = new Set();
    const text = this.container.files.read(configFile) ?? '';
    this.#read(configFile, text.trim() === '' ? (this.container.files.read('/etc/frr/bgpd.conf') ?? '') : text, touched);
    const { bgp, prefixLists, asPathLists, communityLists, largeCommunityLists, routeMaps } = this.config;
    this.config = { ...before, bgp, prefixLists, asPathLists, communityLists, largeCommunityLists, routeMaps };
    this.startBgpd();
    this.bgpd?.apply();
  }

  #isEnabled(daemon: string): boolean {
    const text = this.container.files.read(daemonsFile) ?? '';
    const found = new RegExp(`^\\s*${daemon}\\s*=\\s*"?(yes|1|true)"?\\s*$`, 'm').exec(text);
    return found !== null;
  }

  /** `-p` of bgpd: where it listens; 0 means nowhere. */
  #listenPort(): number | undefined {
    const options = /^\s*bgpd_options\s*=\s*(.*)$/m.exec(this.container.files.read(daemonsFile) ?? '')?.[1] ?? '';
    const port = /(?:^|[\s"'])(?:-p\s*|--bgp_port[=\s]\s*)(\d+)/.exec(options)?.[1];
    return port === undefined ? undefined : Number(port);
  }

  #read(path: string, text: string, touched: ConfigSession['touched']): void {
    const session = this.session({ kind: 'config' }, touched);
    let isLeftOut = false;
    for (const [index, line] of text.split('\n').entries()) {
      const trimmed = line.trim();
      if (trimmed === '' || trimmed.startsWith('!') || trimmed.startsWith('#') || trimmed === 'end') continue;
      // What stands below a line that is not modelled goes with it.
      if (isLeftOut && (/^\s/.test(line) || trimmed === 'exit')) continue;
      const result = this.execute(session, trimmed);
      isLeftOut = result.kind === 'failed' && result.toStderr === true;
      if (isLeftOut) this.notModelled.push(`${path} line ${index + 1}: ${trimmed}`);
      if (result.kind !== 'done') this.container.writeLog(`line ${index + 1}: ${result.text.trimEnd()}`, 'stderr');
    }
  }

  session(node: ConfigNode, touched: ConfigSession['touched'] = new Set()): ConfigSession {
    return {
      config: this.config,
      node,
      // While a file is read bgpd may be about to start; what it holds is kept either way.
      hasBgpd: true,
      isLocalAddress: (address) => this.container.namespace.isLocalAddress(address),
      touched,
    };
  }

  /** One configuration line where the session stands; like vtysh it tries the places above too. */
  execute(session: ConfigSession, line: string): LineResult {
    const trimmed = line.trim();
    if ('exit'.startsWith(trimmed) && trimmed.length >= 2) {
      const parent = parentNode(session.node);
      if (parent !== undefined) session.node = parent;
      return { kind: 'done' };
    }
    const start = session.node;
    let first: 'none' | 'ambiguous' | 'incomplete' | undefined;
    for (let node: ConfigNode | undefined = start; node !== undefined; node = parentNode(node)) {
      session.node = node;
      const match = configGrammars[node.kind].match(trimmed);
      if (match.kind === 'match') {
        const outcome = match.definition.run(session, match.args) as Outcome;
        if (outcome === undefined) return { kind: 'done' };
        if ('warning' in outcome) return { kind: 'said', text: `${outcome.warning}\n` };
        if ('error' in outcome) {
          session.node = start;
          return { kind: 'failed', text: `${outcome.error}\n` };
        }
        first ??= outcome.notSimulated === 'incomplete' ? 'incomplete' : 'none';
        break;
      }
      first ??= match.kind;
      if (match.kind !== 'none') break;
    }
    session.node = start;
    if (first === 'ambiguous') return { kind: 'failed', text: `% Ambiguous command: ${line}\n` };
    if (first === 'incomplete') return { kind: 'failed', text: `% Command incomplete: ${line}\n` };
    if (isKnownButNotModelled(trimmed)) return { kind: 'failed', text: `vtysh: not simulated: ${trimmed}\n`, toStderr: true };
    return { kind: 'failed', text: `% Unknown command: ${line}\n` };
  }

  /** Brings the daemons in line with what a session touched. */
  applySession(session: ConfigSession): void {
    this.#apply(session.touched);
    session.touched.clear();
  }

  #apply(touched: ConfigSession['touched']): void {
    const { zebra, bgpd } = this;
    if (zebra === undefined) return;
    const { namespace } = this.container;
    if (touched.has('forwarding')) {
      if (this.config.ipForwarding !== undefined) namespace.setSysctl('net.ipv4.ip_forward', this.config.ipForwarding ? '1' : '0');
      if (this.config.ipv6Forwarding !== undefined)
        namespace.setSysctl('net.ipv6.conf.all.forwarding', this.config.ipv6Forwarding ? '1' : '0');
    }
    if (touched.has('interfaces')) this.#applyInterfaces();
    if (touched.has('static')) zebra.setStatic([...this.config.staticRoutes]);
    if (touched.has('bgp') || touched.has('hostname')) bgpd?.apply();
    if (touched.has('policy')) bgpd?.policyChanged();
    if (touched.has('policy-definitions')) bgpd?.policyDefinitionsChanged();
  }

  /** A device that comes later gets its addresses when it is there: zebra, if_add_update and if_addr_wakeup. */
  #applyInterfaces(isNew?: true): void {
    const { namespace } = this.container;
    if (this.config.interfaces.size > 0)
      this.#unwatchInterfaces ??= namespace.routes.onChange(() => {
        if ([...this.config.interfaces.keys()].some((name) => this.#isNew(namespace.getInterface(name)))) this.#applyInterfaces(true);
      });
    for (const device of this.config.interfaces.values()) {
      const real = namespace.getInterface(device.name);
      if (real === undefined || (isNew === true && !this.#isNew(real))) continue;
      this.#configured.add(real);
      for (const text of device.addresses) {
        const [address, length] = text.split('/');
        if (parseIp(address ?? '') === undefined) continue;
        const own = ip(address ?? '');
        if (!real.addresses.some((entry) => entry.ip === own)) real.addAddress(own, Number(length));
      }
      if (device.shutdown === true) real.setDown();
      else if (!real.isAdminUp) real.setUp();
    }
  }

  #isNew(device: NetworkInterface | undefined): boolean {
    return device !== undefined && !this.#configured.has(device);
  }

  runningConfig(): string {
    const { namespace } = this.container;
    return printConfig(this.config, {
      version: this.version,
      hostname: this.hostname,
      forwards4: namespace.getSysctl('net.ipv4.ip_forward') !== '0',
      forwards6: namespace.getSysctl('net.ipv6.conf.all.forwarding') !== '0',
    });
  }

  writeConfig(): void {
    this.container.files.write(configFile, this.runningConfig());
  }
}
