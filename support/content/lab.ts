import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { type ContentPath, ContentProblem, FieldReader } from '../port/content-problem.ts';
import { expandVariables } from '../simulator/containerlab/expand-variables.ts';
import { parseTopology, type Topology } from '../simulator/containerlab/topology.ts';
import { type Dialogue, parseDialogue } from '../simulator/host/dialogue.ts';
import { ContentError, UsageError } from '../verdict/errors.ts';
import { type Builds, readBuilds } from './builds.ts';
import { checkManifests, type HomeObject } from './manifests.ts';
import { checking, contentErrorAt, readText, readYamlFile, shown, type YamlFile } from './yaml-file.ts';

export interface Task {
  readonly name: string;
  readonly title: string;
  readonly points: number;
  readonly hint: string | undefined;
}

export interface Challenge {
  /** Its id on the command line, e.g. `egress-gateway`. */
  readonly name: string;
  readonly title: string;
  /** Absolute path of its feature file. */
  readonly feature: string;
  readonly tasks: readonly Task[];
}

/** A lab as its files describe it, read and checked; nothing of it runs yet. */
export interface LabDefinition {
  readonly name: string;
  readonly title: string;
  /** The file that `--lab` led to: lab.yaml, or a kind file alone. */
  readonly file: string;
  /** Folder of that file; paths inside lab.yaml are relative to it. */
  readonly directory: string;
  /** Folder that holds features/. */
  readonly root: string;
  readonly cluster: YamlFile;
  /** With the files that its nodes mount, by path as the topology names them (a folder's files by path below it). */
  readonly topology: { readonly source: YamlFile; readonly parsed: Topology; readonly files: ReadonlyMap<string, string> } | undefined;
  readonly cilium: { readonly version: string; readonly values: YamlFile | undefined } | undefined;
  /** Folder whose files are the home of the lab host's terminal. */
  readonly home: string | undefined;
  /** Files of the home, by path relative to it. */
  readonly homeFiles: ReadonlyMap<string, string>;
  /** What the manifests of the home describe. */
  readonly homeObjects: readonly HomeObject[];
  /** Manifests applied before the learner arrives, relative to home. */
  readonly setup: readonly string[];
  /** Parsed files that describe the behaviour of images. */
  readonly images: readonly YamlFile[];
  /** Images that `outpost up` builds, each with the folder of its Dockerfile. */
  readonly builds: Builds;
  /** Programs of the lab host that this lab brings along: a conversation each. */
  readonly programs: ReadonlyMap<string, Dialogue>;
  readonly challenges: readonly Challenge[];
}

const knownFields = ['name', 'title', 'cluster', 'topology', 'cilium', 'home', 'setup', 'images', 'build', 'programs', 'challenges'];

/** What a file that lab.yaml names holds one of. */
const documentWords: Readonly<Record<string, string>> = {
  cluster: 'a kind cluster',
  topology: 'a topology',
  cilium: 'a file of Helm values',
};

/**
 * Reads and checks a lab.
 * @param folder a folder that holds lab/lab.yaml, lab.yaml, or a kind cluster file alone
 * @throws UsageError when there is no lab in `folder`; ContentError for whatever is wrong in its files
 */
export function loadLab(folder: string): LabDefinition {
  const start = resolve(folder);
  if (!existsSync(start))
    throw new UsageError('usage/no-lab', `there is no folder ${folder}`, { fix: 'outpost … --lab DIR names the folder of a lab' });
  if (folder === '' || !statSync(start).isDirectory())
    throw new UsageError('usage/no-lab', `--lab takes a folder, and ${folder === '' ? 'got none' : `${folder} is a file`}`, {
      fix: 'name the folder that holds lab/lab.yaml',
    });
  const file = [join(start, 'lab', 'lab.yaml'), join(start, 'lab.yaml'), join(start, 'lab.yml')].find((candidate) => existsSync(candidate));
  if (file === undefined) return loadKindFolder(start, folder);
  const source = readYamlFile(file);
  const directory = dirname(file);
  const root = basename(directory) === 'lab' ? dirname(directory) : directory;
  return checking(source, () => readLab(notEmpty(oneDocument(source, 'a lab.yaml'), 'the description of a lab'), directory, root));
}

function readLab(source: YamlFile, directory: string, root: string): LabDefinition {
  const lab = new FieldReader(source.documents[0], []);
  lab.allowOnly(knownFields);
  const name = lab.string('name');
  const fileOf = (key: string, relativePath: string, prepare?: (text: string) => string) =>
    oneDocument(
      readYamlFile(existingFile(join(directory, relativePath), lab.at(key), relativePath), `${shown(source.file)}: ${key}`, prepare),
      documentWords[key] ?? key,
    );
  const cluster = notEmpty(fileOf('cluster', lab.string('cluster')), 'a kind cluster');
  const topologyPath = lab.optionalString('topology');
  const topology =
    topologyPath === undefined ? undefined : readTopology(notEmpty(fileOf('topology', topologyPath, topologyVariables), 'a topology'));
  const homePath = lab.optionalString('home');
  const home = homePath === undefined ? undefined : existing(join(directory, homePath), lab.at('home'), homePath);
  const homeFiles = home === undefined ? new Map<string, string>() : readFolder(home);
  const setup = lab.strings('setup');
  setup.forEach((manifest, index) => {
    if (!homeFiles.has(manifest)) {
      throw new ContentProblem(
        [...lab.at('setup'), index],
        `setup names "${manifest}", which is not in ${homePath ?? 'home (none is given)'}`,
        { hint: `files there: ${[...homeFiles.keys()].join(', ') || 'none'}` },
      );
    }
  });
  const homeObjects = home === undefined ? [] : checkManifests(home, homeFiles);
  return {
    name,
    title: lab.optionalString('title') ?? name,
    file: source.file,
    directory,
    root,
    cluster,
    topology,
    cilium: readCilium(lab, fileOf),
    home,
    homeFiles,
    homeObjects,
    setup,
    images: lab.strings('images').flatMap((path, index) => imageFiles(existing(join(directory, path), [...lab.at('images'), index], path))),
    builds: readBuilds(lab, directory),
    programs: readPrograms(lab, directory),
    challenges: readChallenges(lab, directory),
  };
}

/** containerlab puts the caller's environment into the text before it reads it. */
function topologyVariables(text: string): string {
  return expandVariables(text, { get: (name) => process.env[name] });
}

function readTopology(source: YamlFile): NonNullable<LabDefinition['topology']> {
  const parsed = checking(source, () => parseTopology(source.documents[0]));
  const files = new Map<string, string>();
  for (const node of parsed.nodes) {
    for (const path of [...node.binds.map((bind) => bind.split(':')[0] ?? ''), ...node.envFiles]) {
      const file = join(dirname(source.file), path);
      // A path outside the lab's folder (/lib/modules, a socket) belongs to the machine; the deployment speaks of it.
      if (path === '' || path.startsWith('/') || !existsSync(file)) continue;
      if (statSync(file).isDirectory()) for (const [name, text] of readFolder(file)) files.set(`${path.replace(/\/$/, '')}/${name}`, text);
      else files.set(path, readText(file));
    }
  }
  return { source, parsed, files };
}

function readCilium(lab: FieldReader, fileOf: (key: string, path: string) => YamlFile): LabDefinition['cilium'] {
  const cilium = lab.mapping('cilium');
  if (cilium === undefined) return undefined;
  cilium.allowOnly(['version', 'values']);
  const version = cilium.string('version').replace(/^v/, '');
  if (!/^1\.(1[6-9])(\.\d+)?$/.test(version)) {
    throw new ContentProblem(cilium.at('version'), `Cilium ${version} is not modelled`, { hint: 'modelled: 1.16, 1.17, 1.18 and 1.19' });
  }
  const values = cilium.optionalString('values');
  return {
    version: version.split('.').length === 2 ? `${version}.0` : version,
    values: values === undefined ? undefined : fileOf('cilium', values),
  };
}

/** Programs that every lab host has, and that labs and checks rely on. */
const hostTools =
  'kubectl k docker cilium hubble containerlab clab kind helm yq jq curl ping ip bash sh ls cat echo cd exit test true false sleep env which sudo outpost'.split(
    ' ',
  );

function readPrograms(lab: FieldReader, directory: string): ReadonlyMap<string, Dialogue> {
  const programs = lab.mapping('programs');
  const found = new Map<string, Dialogue>();
  for (const name of programs?.keys ?? []) {
    if (!/^[a-z][a-z0-9-]*$/.test(name))
      throw new ContentProblem([...(programs?.path ?? []), name], `"${name}" cannot be the name of a program`, {
        hint: 'lower-case letters, digits and dashes',
      });
    if (hostTools.includes(name))
      throw new ContentProblem(
        [...(programs?.path ?? []), name],
        `"${name}" is a tool of the lab host, and cannot be a program of the lab`,
        {
          fix: 'give the program another name',
        },
      );
    const path = programs?.string(name) ?? '';
    const source = notEmpty(readYamlFile(existingFile(join(directory, path), [...(programs?.path ?? []), name], path)), 'a dialogue');
    found.set(
      name,
      checking(source, () => parseDialogue(source.documents[0])),
    );
  }
  return found;
}

function readChallenges(lab: FieldReader, directory: string): readonly Challenge[] {
  const names = new Set<string>();
  return lab.list('challenges').map((value, index) => {
    const challenge = new FieldReader(value, [...lab.at('challenges'), index]);
    challenge.allowOnly(['name', 'title', 'feature', 'tasks']);
    const name = challenge.string('name');
    if (names.has(name)) throw new ContentProblem(challenge.at('name'), `two challenges are called "${name}"`);
    names.add(name);
    const feature = challenge.string('feature');
    return {
      name,
      title: challenge.optionalString('title') ?? name,
      feature: existingFile(join(directory, feature), challenge.at('feature'), feature),
      tasks: readTasks(challenge),
    };
  });
}

function readTasks(challenge: FieldReader): readonly Task[] {
  const names = new Set<string>();
  return challenge.list('tasks').map((value, index) => {
    const task = new FieldReader(value, [...challenge.at('tasks'), index]);
    task.allowOnly(['name', 'title', 'points', 'hint']);
    const name = task.string('name');
    if (names.has(name)) throw new ContentProblem(task.at('name'), `two tasks of the challenge are called "${name}"`);
    names.add(name);
    const points = task.optionalNumber('points') ?? 1;
    if (points < 0) throw new ContentProblem(task.at('points'), `points must not be negative, saw ${points}`);
    return { name, title: task.optionalString('title') ?? name, points, hint: task.optionalString('hint') };
  });
}

/** A folder with a kind file and no lab.yaml is a lab too: a bare cluster. */
function loadKindFolder(folder: string, asked: string): LabDefinition {
  const candidates = readdirSync(folder).filter((name) => /\.ya?ml$/.test(name));
  for (const name of candidates.sort()) {
    const source = readYamlFile(join(folder, name));
    const first = source.documents[0];
    const isKind =
      typeof first === 'object' && first !== null && String((first as { apiVersion?: unknown }).apiVersion).startsWith('kind.x-k8s.io/');
    if (!isKind) continue;
    return {
      name: basename(folder),
      title: basename(folder),
      file: source.file,
      directory: folder,
      root: folder,
      cluster: source,
      topology: undefined,
      cilium: undefined,
      home: undefined,
      homeFiles: new Map(),
      homeObjects: [],
      setup: [],
      images: [],
      builds: new Map(),
      programs: new Map(),
      challenges: [],
    };
  }
  throw new UsageError('usage/no-lab', `${asked} holds no lab`, {
    hint: 'a lab is a folder with lab/lab.yaml, lab.yaml, or a kind cluster file',
    fix: 'name the folder with --lab DIR',
  });
}

function existing(file: string, path: ContentPath, asked: string): string {
  if (existsSync(file)) return file;
  throw new ContentProblem(path, `"${asked}" does not exist`, {
    hint: `looked for ${shown(file)}`,
    fix: 'create it, or correct the path (it is relative to this file)',
  });
}

function existingFile(file: string, path: ContentPath, asked: string): string {
  existing(file, path, asked);
  if (!statSync(file).isDirectory()) return file;
  throw new ContentProblem(path, `"${asked}" is a folder, not a file`, { fix: 'name a file (relative to this one)' });
}

/** @throws ContentError for a second document, which the real tools would not read either */
function oneDocument(source: YamlFile, what: string): YamlFile {
  if (source.documents.length <= 1) return source;
  throw contentErrorAt(
    source,
    new ContentProblem([], `the file has ${source.documents.length} documents, and ${what} is one`, {
      hint: 'a line --- begins a second document, which the real tools would not read',
      fix: 'make one document of them: remove the line --- if the keys differ',
    }),
    1,
  );
}

/** @throws ContentError for a file of nothing but comments */
function notEmpty(source: YamlFile, what: string): YamlFile {
  if (source.documents.length > 0) return source;
  throw contentErrorAt(source, new ContentProblem([], `the file is empty, ${what} was expected`));
}

function imageFiles(path: string): readonly YamlFile[] {
  if (!statSync(path).isDirectory()) return [readYamlFile(path)];
  return readdirSync(path)
    .filter((name) => /\.ya?ml$/.test(name))
    .sort()
    .map((name) => readYamlFile(join(path, name)));
}

function readFolder(folder: string): ReadonlyMap<string, string> {
  if (!statSync(folder).isDirectory()) throw new ContentError('content/home', `${shown(folder)}: home must be a folder`);
  const files = new Map<string, string>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    files.set(path.slice(folder.length + 1), readText(path));
  }
  return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
}
