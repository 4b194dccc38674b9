import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GobgpScript, speakerView } from './gobgp.ts';
import { comebacksOf, ownersOf, type RawRouter, type StageView, viewOf } from './observation.ts';
import type { Action, Plan } from './plan.ts';

/** Where FRR's programs are: installed, or unpacked in a folder of their own (`OUTPOST_FRR_ROOT`). */
export interface RealFrr {
  /** Empty, or the folder that stands for `/`. */
  readonly root: string;
}

/** @returns FRR, or why its real routers cannot run here */
export function findRealFrr(env: Readonly<Record<string, string | undefined>>): RealFrr | string {
  if (process.platform !== 'linux') return 'network namespaces need Linux';
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  for (const root of [env['OUTPOST_FRR_ROOT'], '']) {
    if (root !== undefined && existsSync(`${root}/usr/lib/frr/bgpd`) && existsSync(`${root}/usr/bin/vtysh`)) return { root };
  }
  return 'FRR is not installed (Debian package frr, or OUTPOST_FRR_ROOT names the folder it was unpacked in)';
}

/**
 * Runs a plan with real FRR daemons and Linux's forwarding. Each router and host is a network namespace inside a mount, PID and
 * network namespace that this makes for itself: nothing in it reaches the machine's own network, and everything in it ends with it.
 * @throws Error with the script's output when a part of it fails
 */
export async function observeReal(
  plan: Plan,
  { root }: RealFrr,
  gobgp: { readonly root: string } = { root: '' },
): Promise<readonly StageView[]> {
  const folder = mkdtempSync(join(tmpdir(), 'outpost-real-'));
  try {
    await runScript(script(plan, root, folder, new GobgpScript(gobgp.root)));
    return plan.stages.map(({ name: stage, shows }, index) => {
      const read = (name: string) => readFileSync(join(folder, 'out', String(index), name), 'utf8');
      const readIfThere = (name: string) => (existsSync(join(folder, 'out', String(index), name)) ? read(name) : '');
      const raw = new Map<string, RawRouter>(
        plan.routers.map(({ name }) => [
          name,
          {
            bgp4: read(`${name}.bgp4`),
            bgp6: read(`${name}.bgp6`),
            summary4: read(`${name}.summary4`),
            summary6: read(`${name}.summary6`),
            routes4: read(`${name}.routes4`),
            routes6: read(`${name}.routes6`),
            addresses: read(`${name}.addresses`),
          },
        ]),
      );
      const owners = ownersOf(new Map([...raw].map(([name, { addresses }]) => [name, addresses])));
      const http = Object.fromEntries(
        read('http')
          .split('\0')
          .filter((line) => line !== '')
          .sort()
          .map((line) => line.split('\t') as [string, string]),
      );
      return {
        stage,
        routers: Object.fromEntries([...raw].map(([name, each]) => [name, viewOf(each, owners)])),
        http,
        ...(plan.speakers === undefined
          ? {}
          : {
              speakers: Object.fromEntries(
                plan.speakers.map((each) => [
                  each.name,
                  speakerView(
                    each,
                    (ending) => readIfThere(`${each.name}.${ending}`),
                    (address) => owners.get(address) ?? address,
                  ),
                ]),
              ),
              comebacks: comebacksOf(raw, Number(read('began'))),
            }),
        ...(shows === undefined
          ? {}
          : { shows: Object.fromEntries(shows.map(({ machine, command }, at) => [`${machine}# ${command}`, read(`show${at}`)])) }),
      };
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function runScript(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      'unshare',
      ['--mount', '--net', '--pid', '--fork', '--kill-child=SIGKILL', '--mount-proc', 'bash', '-euo', 'pipefail', '-s'],
      {
        stdio: ['pipe', 'pipe', 'pipe'],
      },
    );
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (part: string) => (said += part));
    child.on('error', reject);
    child.on('close', (status) =>
      status === 0 ? resolve() : reject(new Error(`the real network ended with ${status}: ${said.slice(-4000)}`)),
    );
    child.stdin.end(text);
  });
}

const quoted = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;

/** `wait` without a word would wait for the daemons too. */
const waitForLooks = '[ ${#looks[@]} = 0 ] || wait "${looks[@]}"; looks=()';

function script(plan: Plan, root: string, folder: string, gobgp: GobgpScript): string {
  const { speakers = [] } = plan;
  mkdirSync(join(folder, 'etc'));
  const lines: string[] = [
    // FRR wants its own user, group and PAM service: they exist in this mount namespace only.
    `mount -t tmpfs none ${folder}/etc; cp -a /etc/. ${folder}/etc/; mount --bind ${folder}/etc /etc`,
    'mount -t tmpfs none /run; mkdir -p /run/frr /run/netns; mount -t tmpfs none /var/tmp',
    "printf 'auth sufficient pam_permit.so\\naccount sufficient pam_permit.so\\n' > /etc/pam.d/frr",
    "sed -i '/^frr/d' /etc/group /etc/passwd",
    "printf 'frr:x:4001:\\nfrrvty:x:4002:root,frr\\n' >> /etc/group; echo 'frr:x:4001:4001::/nonexistent:/bin/false' >> /etc/passwd",
    'mkdir -p /etc/frr; : > /etc/frr/vtysh.conf; : > /etc/frr/frr.conf',
    ...(root === ''
      ? []
      : [
          `export LD_LIBRARY_PATH=${root}/usr/lib/x86_64-linux-gnu:${root}/usr/lib/x86_64-linux-gnu/frr:${root}/usr/lib/aarch64-linux-gnu:${root}/usr/lib/aarch64-linux-gnu/frr`,
        ]),
  ];
  const machines = [...plan.routers, ...plan.hosts, ...speakers].map(({ name }) => name);
  for (const machine of machines) {
    lines.push(
      `ip netns add ${machine}; ip -n ${machine} link set lo up`,
      `ip netns exec ${machine} sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0 net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0`,
    );
  }
  // Nodes forward too, as those of Kubernetes: else they would take addresses from the advertisements that FRR sends for RFC 8950.
  for (const { name } of [...plan.routers, ...speakers])
    lines.push(`ip netns exec ${name} sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1`);
  for (const [one, other] of plan.links) {
    lines.push(`ip link add ${one.device} netns ${one.machine} type veth peer name ${other.device} netns ${other.machine}`);
    for (const { machine, device, addresses } of [one, other]) {
      lines.push(`ip -n ${machine} link set ${device} up`);
      for (const address of addresses)
        lines.push(`ip -n ${machine} addr add ${address} dev ${device}${address.includes(':') ? ' nodad' : ''}`);
    }
  }
  for (const { name, gateways } of plan.hosts) {
    for (const gateway of gateways) lines.push(`ip -n ${name} route add default via ${gateway}`);
    const server = `require('node:http').createServer((q, s) => s.end('${name}\\n')).listen(80, '::')`;
    lines.push(`ip netns exec ${name} ${quoted(process.execPath)} -e ${quoted(server)} > /dev/null 2>&1 &`);
  }
  const start = (name: string, daemon: string) => {
    const at = `/run/${name}`;
    const more = daemon === 'bgpd' ? '-p 179' : '';
    return `ip netns exec ${name} ${root}/usr/lib/frr/${daemon} -d -f ${at}/${daemon}.conf -i ${at}/${daemon}.pid -z ${at}/zserv -A 127.0.0.1 -P 0 ${more} -u root -g root --vty_socket ${at} --log file:${at}/${daemon}.log 2> ${at}/${daemon}.err`;
  };
  for (const { name, addresses, blackholes, configuration, statics } of plan.routers) {
    lines.push(
      ...addresses.map((address) => `ip -n ${name} addr add ${address} dev lo`),
      ...blackholes.map((prefix) => `ip -n ${name} route add blackhole ${prefix}`),
      `mkdir /run/${name}`,
      ...Object.entries({ zebra: [], staticd: statics, bgpd: configuration }).flatMap(([daemon, text]) => [
        `cat > /run/${name}/${daemon}.conf <<'CONFIGURATION'\n${text.join('\n')}\nCONFIGURATION`,
        start(name, daemon),
      ]),
    );
  }
  const vtysh = (router: string, args: readonly string[]) =>
    `ip netns exec ${router} ${root}/usr/bin/vtysh --vty_socket /run/${router} ${args.map(quoted).join(' ')}`;
  // A configuration that real FRR refuses is a fault of the plan.
  for (const { name } of plan.routers)
    lines.push(
      `if grep -hE 'No such command|Unknown command|Error occurred|ERROR' /run/${name}/*.log /run/${name}/*.err >&2; then exit 9; fi`,
    );
  for (const speaker of speakers) lines.push(gobgp.configure(speaker), ...gobgp.start(speaker));
  const order = ({ machine, argv }: Action): string[] => {
    const [program, verb, prefix] = argv as [string, string, string];
    if (program === 'vtysh') return [vtysh(machine, argv.slice(1))];
    if (program === 'bgpd') return [verb === 'kill' ? `kill -9 $(cat /run/${machine}/bgpd.pid)` : start(machine, 'bgpd')];
    if (program !== 'gobgpd') return [`ip netns exec ${machine} ${argv.map(quoted).join(' ')}`];
    if (verb === 'announce' || verb === 'withdraw') return [gobgp.announce(machine, prefix, verb === 'announce' ? 'add' : 'del')];
    if (verb === 'kill' || verb === 'stop') return [gobgp.end(machine, verb)];
    const speaker = speakers.find(({ name }) => name === machine);
    return speaker === undefined ? [] : gobgp.start(speaker);
  };
  lines.push('looks=()');
  plan.stages.forEach(({ actions, settleSeconds, shows = [] }, index) => {
    const out = `${folder}/out/${index}`;
    lines.push(`mkdir -p ${out}`);
    for (const action of actions) lines.push(...order(action));
    lines.push(`date +%s > ${out}/began; sleep ${settleSeconds}`);
    // All looks at once, for the machines do not wait; a failed one leaves a file that cannot be parsed.
    for (const { name } of plan.routers) {
      lines.push(
        '(',
        ...[4, 6].flatMap((family) => [
          // Without a bgpd vtysh fails, which is what there is to see.
          `${vtysh(name, ['-c', `show bgp ipv${family} unicast json`])} > ${out}/${name}.bgp${family} || true`,
          `${vtysh(name, ['-c', `show bgp ipv${family} unicast summary json`])} > ${out}/${name}.summary${family} || true`,
        ]),
        `ip -n ${name} -j -4 route show proto bgp > ${out}/${name}.routes4`,
        `ip -n ${name} -j -6 route show proto bgp > ${out}/${name}.routes6`,
        `ip -n ${name} -j addr > ${out}/${name}.addresses`,
        ') & looks+=($!)',
      );
    }
    for (const speaker of speakers) lines.push('(', ...gobgp.look(speaker, out), ') & looks+=($!)');
    if (shows.length > 0) lines.push(waitForLooks);
    shows.forEach(({ machine, command }, at) => {
      lines.push(
        `( ${vtysh(
          machine,
          command.split('\n').flatMap((line) => ['-c', line]),
        )} > ${out}/show${at} 2>&1 || true )`,
      );
    });
    lines.push(waitForLooks);
    for (const from of plan.hosts) {
      for (const address of plan.hosts.flatMap((to) => (to === from ? [] : to.addresses))) {
        const url = address.includes(':') ? `http://[${address}]/` : `http://${address}/`;
        lines.push(
          `( status=0; answer=$(ip netns exec ${from.name} curl -s --max-time 3 -w '%{http_code}' '${url}') || status=$?`,
          // A file each: bash writes line by line, and an answer has two.
          `[ $status = 0 ] || answer="exit $status"; printf '%s\\t%s\\0' '${from.name} → ${address}' "$answer" > ${out}/http.${from.name}.${address} ) & looks+=($!)`,
        );
      }
    }
    lines.push(waitForLooks, `cat /dev/null $(ls ${out}/http.* 2> /dev/null) > ${out}/http`);
  });
  return `${lines.join('\n')}\n`;
}
