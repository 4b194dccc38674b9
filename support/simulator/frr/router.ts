import type { SimulatedClock } from '../clock/clock.ts';
import type { Container, Program } from '../docker/types.ts';
import { ip, parseIp } from '../net/address.ts';
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
    const files = [configFile, '/etc/frr/zebra.conf', '/etc/frr/staticd.conf', '/etc/frr/bgpd.conf'];
    const integrated = this.container.files.read(configFile);
    const texts =
      integrated !== undefined && integrated.trim() !== ''
        ? [integrated]
        : files.slice(1).flatMap((path) => this.container.files.read(path) ?? []);
    const touched: ConfigSession['touched'] = new Set();
    for (const text of texts) this.#read(text, touched);
    if (this.#isEnabled('bgpd')) this.startBgpd();
    this.#apply(touched);
  }

  /** Starts bgpd where zebra runs and there is none. */
  startBgpd(): void {
    const { zebra } = this;
    if (zebra === undefined || this.bgpd !== undefined) return;
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
    this.bgpd?.stop('graceful');
    this.bgpd = undefined;
    this.zebra?.stop();
    this.zebra = undefined;
  }

  /** One daemon dies (`kill`, `pkill bgpd`); nobody starts it again by itself. */
  killBgpd(): void {
    this.bgpd?.stop('killed');
    this.bgpd = undefined;
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

  #read(text: string, touched: ConfigSession['touched']): void {
    const session = this.session({ kind: 'config' }, touched);
    for (const [index, line] of text.split('\n').entries()) {
      const trimmed = line.trim();
      if (trimmed === '' || trimmed.startsWith('!') || trimmed.startsWith('#') || trimmed === 'end') continue;
      const result = this.execute(session, trimmed);
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

  #applyInterfaces(): void {
    for (const device of this.config.interfaces.values()) {
      const real = this.container.namespace.getInterface(device.name);
      if (real === undefined) continue;
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
