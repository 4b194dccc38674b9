import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { execa } from 'execa';
import { clone } from './real-lab.fixture.ts';

/**
 * A machine in a folder, for the program as a whole: an engine that answers with two containers of one kind cluster, and tools that
 * write down what they were called with. `docker start` starts the second node, as the engine does when it is asked to.
 */
export class MachineInFolder {
  readonly folder: string;
  /** What was asked of tools and of the engine, in order. */
  readonly #log: string;
  readonly #server: Server;

  constructor(folder: string, { worker = 'running', tools = {} }: { worker?: string; tools?: Readonly<Record<string, string>> } = {}) {
    this.folder = folder;
    this.#log = join(folder, 'log');
    const started = join(folder, 'started');
    mkdirSync(join(folder, 'bin'), { recursive: true });
    writeFileSync(this.#log, '');
    const scripts: Record<string, string> = {
      docker: `[ "$1" = start ] && : >${started}; echo Docker version 27.5.1`,
      kind: 'echo kind v0.27.0',
      kubectl: 'case "$*" in *current-context) echo kind-demo;; *version*) echo v1.32.3;; esac',
      ...tools,
    };
    for (const [name, script] of Object.entries(scripts)) {
      const file = join(folder, 'bin', name);
      // Questions are not written down: many ask them, in no particular order.
      writeFileSync(file, `#!/bin/sh\ncase "$*" in *version*|*current-context) ;; *) echo "${name} $*" >>${this.#log};; esac\n${script}\n`);
      chmodSync(file, 0o755);
    }
    const container = (name: string, State: string) => ({
      Id: `${name}-id`,
      Names: [`/${name}`],
      Labels: { 'io.x-k8s.kind.cluster': 'demo' },
      State,
      NetworkSettings: { Networks: { kind: { IPAddress: '192.0.2.7', GlobalIPv6Address: '' } } },
    });
    this.#server = createServer((request, response) => {
      const { pathname } = new URL(request.url ?? '', 'http://engine');
      const path = pathname.replace(/^\/v[\d.]+/, '');
      const start = /^\/containers\/demo-worker-id\/start$/.test(path);
      if (start) {
        writeFileSync(started, '');
        writeFileSync(this.#log, 'engine: start demo-worker\n', { flag: 'a' });
      }
      const state = existsSync(started) ? 'running' : worker;
      const answers: Record<string, unknown> = {
        '/_ping': 'OK',
        '/version': { Version: '27.5.1' },
        // Another kernel than this machine's: its settings are not looked at.
        '/info': { CgroupVersion: '2', MemTotal: 2 ** 34, KernelVersion: 'another' },
        '/networks': [],
        '/containers/json': [container('demo-control-plane', 'running'), container('demo-worker', state)],
      };
      response.writeHead(start ? 204 : path in answers ? 200 : 404, { 'content-type': 'application/json' });
      response.end(start ? undefined : JSON.stringify(answers[path] ?? { message: `no ${path}` }));
    });
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(join(this.folder, 'engine.sock'), resolve));
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  get environment() {
    return {
      // Nothing of the real machine: not its firewall, and no sudo.
      PATH: join(this.folder, 'bin'),
      DOCKER_HOST: `unix://${join(this.folder, 'engine.sock')}`,
      HOME: this.folder,
      XDG_STATE_HOME: join(this.folder, 'state'),
      NO_COLOR: '1',
    };
  }

  /** Runs outpost here, on the lab in this folder. */
  async outpost(...words: readonly string[]) {
    const argv = [join(clone, 'support/cli/outpost.mjs'), ...words, '--lab', this.folder];
    const { exitCode, stdout, stderr } = await execa(process.execPath, argv, { reject: false, env: this.environment, extendEnv: false });
    const said = [...stdout.split('\n'), ...stderr.split('\n')].filter((line) => line !== '');
    return { exitCode, said, called: this.called };
  }

  get called(): string[] {
    return readFileSync(this.#log, 'utf8').replaceAll(this.folder, '').split('\n').slice(0, -1);
  }
}
