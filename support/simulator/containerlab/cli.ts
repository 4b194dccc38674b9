import { civilTime, formatTime } from '../docker/timestamp.ts';
import type { Command, CommandContext, CommandResult, DockerEngine } from '../docker/types.ts';
import { type CliOptions, readOptions } from './cli-options.ts';
import { cleanPath, type DeployedLab, type DeployOptions, deployTopology, destroyTopology, labFolder } from './deploy.ts';
import { expandVariables } from './expand-variables.ts';
import { dotGraph, mermaidGraph } from './graph.ts';
import { refusalText } from './refusal.ts';
import { splitWords } from './shell-words.ts';
import { interfaceTable, nodeJson, nodeTable } from './tables.ts';
import { containerName, parseTopology, type Topology } from './topology.ts';

/** Ends a command with containerlab's `Error: …`. */
class Refusal extends Error {}

const aliases: Readonly<Record<string, string>> = {
  dep: 'deploy',
  des: 'destroy',
  ins: 'inspect',
  i: 'inspect',
  rdep: 'redeploy',
  ver: 'version',
};

const version = `    version: 0.68.0
     commit: a90b6684
       date: 2025-05-05T15:29:00Z
     source: https://github.com/srl-labs/containerlab
 rel. notes: https://containerlab.dev/rn/0.68/
`;

/** `containerlab` of the lab host (containerlab 0.68: docs, "Commands"; texts recorded from it on a real engine). */
export function createContainerlabCli(engine: DockerEngine, labs: DeployedLab[]): Command {
  return async (args, context) => {
    const run = new ClabRun(engine, labs, context);
    // Options may stand before the command too: `containerlab -t FILE deploy`.
    const at = args.findIndex(
      (arg, index) =>
        !arg.startsWith('-') && !/^(?:-t|-r|--topo|--name|--vars|--runtime|--timeout|--log-level)$/.test(args[index - 1] ?? ''),
    );
    const word = at < 0 ? 'help' : (args[at] ?? 'help');
    const command = aliases[word] ?? word;
    try {
      return await run.run(command, at < 0 ? args : [...args.slice(0, at), ...args.slice(at + 1)]);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      run.say(`Error: ${error.message}`);
      return { stdout: run.stdout, stderr: run.stderr, exitCode: 1 };
    }
  };
}

class ClabRun {
  stdout = '';
  stderr = '';
  readonly #engine: DockerEngine;
  readonly #labs: DeployedLab[];
  readonly #context: CommandContext;
  readonly #isBold: boolean;

  constructor(engine: DockerEngine, labs: DeployedLab[], context: CommandContext) {
    this.#engine = engine;
    this.#labs = labs;
    this.#context = context;
    // Where a terminal is named; the real one makes headings bold even in a pipe.
    this.#isBold = (context.env.get('TERM') ?? 'dumb') !== 'dumb';
  }

  say(line: string): void {
    this.stderr += `${line}\n`;
  }

  log(level: 'INFO' | 'WARN' | 'ERRO', message: string): void {
    this.say(`${formatTime(civilTime(this.#context.clock.now()))} ${level} ${message}`);
  }

  async run(command: string, args: readonly string[]): Promise<CommandResult> {
    const options = readOptions(args, command);
    if (command === 'completion' || command === 'config' || command === 'generate' || command === 'tools' || command === 'help')
      throw new Refusal(`not simulated: containerlab ${command}`);
    const verbs: Readonly<Record<string, (options: CliOptions) => Promise<void> | void>> = {
      deploy: (given) => this.#deploy(given),
      destroy: (given) => this.#destroy(given),
      redeploy: (given) => this.#redeploy(given),
      inspect: (given) => this.#inspect(given),
      exec: (given) => this.#exec(given),
      graph: (given) => this.#graph(given),
      save: (given) => this.#save(given),
      version: () => {
        this.stdout += version;
      },
    };
    const verb = verbs[command];
    if (verb === undefined)
      throw new Refusal(`unknown command ${JSON.stringify(command)} for "containerlab"\nRun 'containerlab --help' for usage.`);
    if (typeof options === 'string') throw new Refusal(options);
    if (options.has('help')) throw new Refusal(`not simulated: containerlab ${command} --help`);
    for (const unsupported of ['node-filter', 'export-template', 'drawio', 'details'])
      if (options.has(unsupported)) throw new Refusal(`not simulated: containerlab ${command} --${unsupported}`);
    await verb(options);
    return { stdout: this.stdout, stderr: this.stderr, exitCode: 0 };
  }

  // ── files ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** The topology file of `-t`, else the only one of the folder. */
  #path(options: CliOptions): string {
    const { files, cwd } = this.#context;
    const given = options.last('topo');
    const inside = (folder: string) => (files.list(folder) ?? []).filter((name) => /\.clab\.ya?ml$/.test(name)).sort();
    const only = (folder: string) => {
      const [name, ...more] = inside(folder);
      if (name === undefined) throw new Refusal('no topology files matching the pattern *.clab.yml or *.clab.yaml found');
      if (more.length > 0)
        throw new Refusal(
          `more than one topology file matching the pattern *.clab.yml or *.clab.yaml found, can't pick one: [${[name, ...more].map((each) => JSON.stringify(each)).join(' ')}]`,
        );
      return `${folder}/${name}`;
    };
    if (given === undefined) return only(cwd);
    if (given === 'stdin' || given === '-' || /^https?:/.test(given)) throw new Refusal(`not simulated: a topology from ${given}`);
    const path = given.startsWith('/') ? given : `${cwd}/${given.replace(/^\.\//, '')}`.replace(/\/\.$/, '');
    return files.isDirectory(path) ? only(path.replace(/\/$/, '')) : path;
  }

  async #read(path: string): Promise<{ readonly topology: Topology; readonly text: string }> {
    const text = this.#context.files.read(path);
    if (text === undefined) throw new Refusal(`failed to read topology file: stat ${path}: no such file or directory`);
    if (/\.gotmpl$/.test(path) || /\{\{.*\}\}/.test(text)) throw new Refusal('not simulated: a topology file with template expressions');
    this.log('INFO', `Parsing & checking topology file=${path.replace(/^.*\//, '')}`);
    const { load } = await import('js-yaml');
    try {
      return { topology: parseTopology(load(expandVariables(text, this.#context.env))), text };
    } catch (error) {
      if (error instanceof RangeError) throw new Refusal(`failed to read topology file: ${error.message}`);
      throw new Refusal(refusalText(error, text));
    }
  }

  /** The files of the topology's folder, and those that its nodes name by `..`. */
  #filesBeside(path: string, nodes: Topology['nodes']): DeployOptions['files'] {
    const found = new Map<string, string>();
    const folder = path.replace(/\/[^/]*$/, '');
    const { files } = this.#context;
    const walk = (place: string, name: string) => {
      for (const inner of files.list(place) ?? []) {
        const below = name === '' ? inner : `${name}/${inner}`;
        if (files.isDirectory(`${place}/${inner}`)) walk(`${place}/${inner}`, below);
        else found.set(below, files.read(`${place}/${inner}`) ?? '');
      }
    };
    walk(folder, '');
    for (const name of nodes.flatMap(({ binds, envFiles }) => [...binds.map((bind) => bind.split(':')[0] ?? ''), ...envFiles])) {
      if (!name.split('/').includes('..') || name.startsWith('/')) continue;
      const place = `/${cleanPath(`${folder}/${name}`)}`;
      const text = files.isDirectory(place) ? undefined : files.read(place);
      if (text === undefined) walk(place, name.replace(/\/$/, ''));
      else found.set(name, text);
    }
    return found;
  }

  /** Deployed labs that the options mean. Without any, those of the folder's file, or, where it has none, all. */
  async #chosen(options: CliOptions): Promise<readonly DeployedLab[]> {
    if (options.has('all')) return this.#labs;
    const name = options.last('name');
    if (name !== undefined) return this.#labs.filter((lab) => lab.topology.name === name);
    const given = options.last('topo');
    if (given !== undefined && this.#context.files.read(this.#path(options)) === undefined) {
      // The file that the lab's author deployed is not in the learner's home.
      const same = this.#labs.filter((lab) => lab.path.replace(/^.*\//, '') === given.replace(/^.*\//, ''));
      if (same.length > 0) return same;
    }
    const isHere = (this.#context.files.list(this.#context.cwd) ?? []).some((file) => /\.clab\.ya?ml$/.test(file));
    if (given === undefined && !isHere && this.#labs.length > 0) return this.#labs;
    const { topology } = await this.#read(this.#path(options));
    return this.#labs.filter((lab) => lab.topology.name === topology.name);
  }

  // ── commands ──────────────────────────────────────────────────────────────────────────────────────────────

  async #deploy(options: CliOptions): Promise<void> {
    const path = this.#path(options);
    this.log('INFO', 'Containerlab started version=0.68.0');
    const read = await this.#read(path);
    const topology = withOverrides(read.topology, options);
    if (options.has('reconfigure')) {
      for (const lab of this.#labs.filter((candidate) => candidate.topology.name === topology.name)) this.#remove(lab, true);
    }
    const names = topology.nodes.filter((node) => node.kind === 'linux').map((node) => containerName(topology, node.name));
    const taken = names.filter((name) => this.#engine.findContainer(name)?.name === name);
    if (taken.length > 0)
      throw new Refusal(
        `containers [${taken.map((name) => JSON.stringify(name)).join(' ')}] already exist. Add '--reconfigure' flag to the deploy command to first remove the containers and then deploy the lab`,
      );
    const folder = labFolder({ path }, topology);
    this.log('INFO', `Creating lab directory path=${folder}`);
    let lab: DeployedLab;
    try {
      lab = await deployTopology(topology, this.#engine, {
        path,
        files: this.#filesBeside(path, topology.nodes),
        log: (level, message) => this.log(level, message),
      });
    } catch (error) {
      throw new Refusal(refusalText(error, read.text));
    }
    this.#context.files.write(`${folder}/topology-data.json`, `${JSON.stringify({ name: topology.name, type: 'clab' }, undefined, 2)}\n`);
    this.#labs.push(lab);
    for (const warning of lab.warnings) this.say(`containerlab: not simulated: ${warning}`);
    for (const { node, command, ...result } of lab.execResults) this.#logExec(node, command, result);
    this.log('INFO', 'Adding host entries path=/etc/hosts');
    this.log('INFO', `Adding SSH config for nodes path=/etc/ssh/ssh_config.d/clab-${topology.name}.conf`);
    this.stdout +=
      options.last('format') === 'json' ? nodeJson([lab], this.#engine) : nodeTable([lab], this.#engine, { isBold: this.#isBold });
  }

  #logExec(node: string, command: string, result: { readonly stdout: string; readonly stderr: string; readonly exitCode: number }): void {
    if (result.exitCode === 0) {
      this.log('INFO', `Executed command node=${node} command=${quoted(splitWords(command).join(' '))}${block('stdout', result.stdout)}`);
      return;
    }
    this.log(
      'ERRO',
      `Failed to execute command command=${quoted(splitWords(command).join(' '))} node=${node} rc=${result.exitCode}${block('stdout', result.stdout)}${block('stderr', result.stderr)}`,
    );
  }

  async #destroy(options: CliOptions): Promise<void> {
    const chosen = [...(await this.#chosen(options))];
    if (chosen.length === 0) {
      if (options.has('all')) throw new Refusal('no containerlab labs found');
      this.log('INFO', 'no containerlab containers found');
      return;
    }
    for (const lab of chosen) this.#remove(lab, options.has('cleanup'));
  }

  async #redeploy(options: CliOptions): Promise<void> {
    const path = this.#path(options);
    const { topology } = await this.#read(path);
    for (const lab of this.#labs.filter((candidate) => candidate.topology.name === topology.name))
      this.#remove(lab, options.has('cleanup'));
    await this.#deploy(options);
  }

  #remove(lab: DeployedLab, isCleanup: boolean): void {
    const { name } = lab.topology;
    this.log('INFO', `Destroying lab name=${name}`);
    destroyTopology(lab, this.#engine);
    for (const node of [...lab.topology.nodes].reverse())
      if (lab.containers.has(node.name) && node.kind === 'linux')
        this.log('INFO', `Removed container name=${containerName(lab.topology, node.name)}`);
    this.log('INFO', 'Removing host entries path=/etc/hosts');
    this.log('INFO', `Removing SSH config path=/etc/ssh/ssh_config.d/clab-${name}.conf`);
    this.#labs.splice(this.#labs.indexOf(lab), 1);
    if (!isCleanup) return;
    const folder = labFolder(lab, lab.topology);
    this.log('INFO', `Removing directory path=${folder}`);
    const clear = (path: string) => {
      for (const inner of this.#context.files.list(path) ?? []) clear(`${path}/${inner}`);
      this.#context.files.remove(path);
    };
    clear(folder);
  }

  async #inspect(options: CliOptions): Promise<void> {
    const isInterfaces = options.words[0] === 'interfaces';
    if (options.words.length > 0 && !isInterfaces)
      throw new Refusal(`unknown command ${JSON.stringify(options.words[0])} for "containerlab inspect"`);
    const chosen = await this.#chosen(options);
    const isJson = options.last('format') === 'json';
    if (chosen.length === 0) {
      if (isJson) this.stdout += '{}\n';
      else this.log('INFO', 'no containers found');
      return;
    }
    if (isInterfaces) {
      if (isJson) throw new Refusal('not simulated: containerlab inspect interfaces -f json');
      for (const lab of chosen) this.stdout += interfaceTable(lab, options.last('node'), { isBold: this.#isBold });
      return;
    }
    this.stdout += isJson
      ? nodeJson(chosen, this.#engine)
      : nodeTable(chosen, this.#engine, { isBold: this.#isBold, isAll: options.has('all'), isWide: options.has('wide') });
  }

  async #exec(options: CliOptions): Promise<void> {
    const commands = options.all('cmd');
    if (commands.length === 0) throw new Refusal('provide command to execute');
    const labels = options.all('label').flatMap((text) => text.split(','));
    const results: Record<string, unknown[]> = {};
    for (const lab of await this.#chosen(options)) {
      const containers = [...lab.containers.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
      for (const container of containers) {
        const own = container.options.labels ?? {};
        if (!labels.every((label) => own[label.split('=')[0] ?? ''] === label.split('=').slice(1).join('='))) continue;
        for (const command of commands) {
          const words = splitWords(command);
          const result = await this.#engine.shell.exec(container, words);
          results[container.name] ??= [];
          results[container.name]?.push({ cmd: words, 'return-code': result.exitCode, stdout: result.stdout, stderr: result.stderr });
          if (options.last('format') !== 'json') this.#logExec(container.name, command, result);
        }
      }
    }
    if (Object.keys(results).length === 0) throw new Refusal('filter did not match any containers');
    if (options.last('format') === 'json') this.stdout += `${JSON.stringify(results, undefined, 2)}\n`;
  }

  async #graph(options: CliOptions): Promise<void> {
    if (!options.has('mermaid') && !options.has('dot'))
      throw new Refusal('not simulated: the web page of containerlab graph; use --mermaid or --dot');
    const path = this.#path(options);
    const { topology } = await this.#read(path);
    const base = `${labFolder({ path }, topology)}/graph/${path.replace(/^.*\//, '').replace(/\.ya?ml$/, '')}`;
    if (options.has('dot')) {
      this.log('INFO', 'Generating lab graph...');
      this.#context.files.write(`${base}.dot`, dotGraph(topology, base.replace(/^.*\//, '')));
      this.log('INFO', `Created ${base}.dot`);
      return;
    }
    this.#context.files.write(`${base}.mermaid`, mermaidGraph(topology, options.last('mermaid-direction') ?? 'TD'));
    this.log('INFO', `Created mermaid diagram file: ${base}.mermaid`);
  }

  async #save(options: CliOptions): Promise<void> {
    // A linux node has no configuration that containerlab knows how to save.
    await this.#chosen(options);
  }
}

function withOverrides(topology: Topology, options: CliOptions): Topology {
  const { mgmt } = topology;
  return {
    ...topology,
    name: options.last('name') ?? topology.name,
    mgmt: {
      ...mgmt,
      network: options.last('network') ?? mgmt.network,
      ipv4Subnet: options.last('ipv4-subnet') ?? mgmt.ipv4Subnet,
      ipv6Subnet: options.last('ipv6-subnet') ?? mgmt.ipv6Subnet,
    },
  };
}

/** A value of a log line: quoted where it has a blank, or is empty. */
function quoted(text: string): string {
  return /^[^\s"=]+$/.test(text) ? text : JSON.stringify(text);
}

/** Output of a command as the log shows it: several lines stand below, each after a bar. */
function block(key: string, text: string): string {
  if (!text.includes('\n')) return ` ${key}=${JSON.stringify(text)}`;
  const lines = text.replace(/\n$/, '').split('\n');
  return `\n  ${key}=\n${lines.map((line) => `  │ ${line}\n`).join('')}`;
}
