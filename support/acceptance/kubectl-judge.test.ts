import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { CommandContext } from '../simulator/docker/types.ts';
import type { LabContent } from '../simulator/host/content.ts';
import { SimulatedLab } from '../simulator/host/simulator.ts';
import { createKubectl } from '../simulator/kubernetes/kubectl/kubectl.ts';
import { type Listener, listen } from './kubectl-judge/listener.ts';

/**
 * The real kubectl as the judge of ours: two labs of the same seed get the same commands, one from our kubectl, one from the real
 * one over HTTP. Output and exit code must be the same to the byte.
 *
 * The labs' time is virtual and begins on a fixed day. Ages that the server prints are virtual on both sides; those that the client
 * computes (describe and events) are right because the listener moves all times by the difference of the clocks, by whole seconds,
 * and the absolute times that come out are moved back here. Objects are more than ten minutes old then, so that ages have no seconds.
 */
const data = (name: string): string => fileURLToPath(new URL(`../testdata/kubectl/judge/${name}`, import.meta.url));
const lines = (name: string): readonly string[] =>
  readFileSync(data(name), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
const files = parse(readFileSync(data('files.yaml'), 'utf8')) as Readonly<Record<string, string>>;
const minutesPassed = 25;

/** A kubectl 1.32 on the PATH. Some installations keep several behind one that chooses: then theirs is beside it. */
function find(): { readonly program: string } | { readonly reason: string } {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((path) => existsSync(join(path, 'kubectl')));
  const [first] = folders;
  if (first === undefined) return { reason: 'there is no kubectl on this machine' };
  const beside = join(dirname(realpathSync(join(first, 'kubectl'))), 'kubectl.1.32');
  const program = existsSync(beside) ? beside : join(first, 'kubectl');
  const { stdout } = spawnSync(program, ['version', '--client', '-o', 'json'], { encoding: 'utf8', env: {} });
  const minor = /"minor": "(\d+)/.exec(stdout ?? '')?.[1];
  return minor === '32' ? { program } : { reason: `the kubectl of this machine is 1.${minor}, ours is 1.32` };
}

const found = find();
const reason = 'reason' in found ? found.reason : undefined;
const program = 'program' in found ? found.program : '';

interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/** Splits as a shell does: blanks, '…' and "…". */
/** What Go prints of a map comes in another order every time: such commands begin with `* `. */
function sorted({ stdout, stderr, exitCode }: Outcome): unknown {
  const words = (text: string): readonly string[] => text.split(/[\s,[\]]+/).sort();
  return { stdout: words(stdout), stderr: words(stderr), exitCode };
}

function wordsOf(line: string): readonly string[] {
  return [...line.matchAll(/(?:[^\s'"]|'[^']*'|"[^"]*")+/g)].map(([word]) => word.replace(/'([^']*)'|"([^"]*)"/g, (_all, a, b) => a ?? b));
}

async function boot(): Promise<SimulatedLab> {
  const content: LabContent = {
    name: 'judge',
    cluster: {
      file: 'cluster.yaml',
      documents: [
        {
          kind: 'Cluster',
          apiVersion: 'kind.x-k8s.io/v1alpha4',
          networking: { ipFamily: 'dual', disableDefaultCNI: true, kubeProxyMode: 'none' },
          nodes: [{ role: 'control-plane' }, { role: 'worker' }],
        },
      ],
    },
    topology: undefined,
    cilium: { version: '1.16.0', values: undefined },
    homeFiles: new Map(Object.entries(files)),
    setup: ['setup.yaml'],
    images: [],
    programs: new Map(),
  };
  const lab = new SimulatedLab(content, 1);
  await lab.up();
  lab.machine.clock.advance(minutesPassed * 60_000 + 15_000);
  return lab;
}

describe.skipIf(reason !== undefined)(`kubectl as the real one${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'outpost-judge-'));
  let ours: SimulatedLab;
  let judges: SimulatedLab;
  let listener: Listener;
  /** Set once: both sides of a comparison must be moved by the same. */
  let secondsAhead = 0;
  let timePasses = false;

  beforeAll(async () => {
    ours = await boot();
    judges = await boot();
    listener = await listen(
      judges.machine.cluster.server,
      () => secondsAhead,
      () => timePasses,
    );
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    writeFileSync(
      join(folder, 'config'),
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        clusters: [{ name: 'kind-kind', cluster: { server: listener.url } }],
        users: [{ name: 'kind-kind', user: {} }],
        contexts: [{ name: 'kind-kind', context: { cluster: 'kind-kind', user: 'kind-kind' } }],
        'current-context': 'kind-kind',
      }),
    );
  }, 60_000);
  afterAll(async () => {
    await listener?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const real = (argv: readonly string[]): Promise<Outcome> =>
    new Promise((resolve) => {
      const env = {
        PATH: process.env.PATH,
        HOME: folder,
        TZ: 'UTC',
        KUBECONFIG: join(folder, 'config'),
        KUBECACHEDIR: join(folder, 'cache'),
        EDITOR: 'cat',
      };
      const child = execFile(program, argv, { cwd: folder, env }, (error, stdout, stderr) =>
        resolve({ stdout, stderr, exitCode: error === null ? 0 : Number(error.code) }),
      );
      child.stdin?.end();
    });

  /** Ours, without the time that a real process takes: both labs stand still while nobody waits. */
  const own = async (argv: readonly string[]): Promise<Outcome> => {
    const { cluster, clock } = ours.machine;
    const home = '/home';
    const inHome = (path: string): string => path.slice(home.length + 1);
    const context = {
      container: { pid: 1 },
      clock,
      files: {
        read: (path: string) => files[inHome(path)],
        write: () => undefined,
        remove: () => false,
        list: (path: string) =>
          inHome(path) === '' ? Object.keys(files) : Object.keys(files).flatMap((name) => name.split(`${inHome(path)}/`)[1] ?? []),
        isDirectory: (path: string) => Object.keys(files).some((name) => name.startsWith(`${inHome(path)}/`)),
      },
      stdin: '',
      hasStdin: true,
      isTerminal: false,
      env: new Map(),
      cwd: home,
    } as unknown as CommandContext;
    return createKubectl(() => cluster.server)(argv, context);
  };

  /** Times as the real kubectl prints them, moved back by what the listener moved them. */
  const movedBack = (text: string): string =>
    text
      .replace(/[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d \+0000/g, (time) =>
        new Date(Date.parse(time) - secondsAhead * 1000).toUTCString().replace('GMT', '+0000'),
      )
      .replace(/(\d{4}-\d\d-\d\d)([T ])(\d\d:\d\d:\d\d)(?=(\.\d+)?Z| \+0000 UTC)/g, (_all, day, between, time) =>
        new Date(Date.parse(`${day}T${time}Z`) - secondsAhead * 1000).toISOString().slice(0, 19).replace('T', between),
      )
      .replaceAll(listener.url, 'https://127.0.0.1:6443');

  const judge = async (line: string): Promise<{ readonly ours: Outcome; readonly real: Outcome }> => {
    const argv = wordsOf(line);
    const theirs = await real(argv);
    const { stdout, stderr, exitCode } = await own(argv);
    return {
      ours: { stdout, stderr, exitCode },
      real: { stdout: movedBack(theirs.stdout), stderr: movedBack(theirs.stderr), exitCode: theirs.exitCode },
    };
  };

  const inStep = (): void => {
    const [a, b] = [ours.machine.clock, judges.machine.clock];
    const now = Math.max(a.now(), b.now());
    a.advance(now - a.now());
    b.advance(now - b.now());
    secondsAhead = Math.floor((Date.now() - now) / 1000);
  };

  describe('reading', () => {
    const commands = lines('reading.txt');
    let outcomes: readonly { readonly ours: Outcome; readonly real: Outcome }[];
    beforeAll(async () => {
      inStep();
      const results: { ours: Outcome; real: Outcome }[] = [];
      const left = commands.map((command, index) => ({ command, index }));
      const work = async (): Promise<void> => {
        for (let next = left.shift(); next !== undefined; next = left.shift()) results[next.index] = await judge(next.command);
      };
      await Promise.all([work(), work()]);
      outcomes = results;
    }, 60_000);
    it.each(commands.map((command, index) => ({ command, index })))('kubectl $command', ({ index }) => {
      expect(outcomes[index]?.ours).toEqual(outcomes[index]?.real);
    });
  });

  describe('writing', () => {
    it.each(lines('writing.txt'))('kubectl %s', async (line) => {
      inStep();
      timePasses = true;
      const isUnordered = line.startsWith('* ');
      const outcome = await judge(isUnordered ? line.slice(2) : line);
      if (isUnordered) expect(sorted(outcome.ours)).toEqual(sorted(outcome.real));
      else expect(outcome.ours).toEqual(outcome.real);
    });
  });
});
