import type { FileSystem } from './types.ts';

/** A file whose text is computed: `/etc/hosts`, `/proc/sys/…`. */
export interface VirtualFile {
  read(): string | undefined;
  write?(content: string): void;
}

/** Computed files below a folder, e.g. `/proc/sys`. Paths are relative to it, without a leading slash. */
export interface VirtualFolder {
  read(path: string): string | undefined;
  write(path: string, content: string): void;
  /** Names in the folder, undefined when it does not exist. */
  list(path: string): readonly string[] | undefined;
}

type Folder = Map<string, Folder | string>;

/** `/a/./b/../c/` → `/a/c`. */
export function normalisePath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') parts.pop();
    else parts.push(part);
  }
  return `/${parts.join('/')}`;
}

/** Resolves `path` against the working folder `cwd`. */
export function resolvePath(cwd: string, path: string): string {
  return normalisePath(path.startsWith('/') ? path : `${cwd}/${path}`);
}

/**
 * The files of one container, in memory. Texts only: what a lab mounts and what its commands write.
 * Folders appear with their first file and stay when it goes, as on a disk.
 */
export class MemoryFileSystem implements FileSystem {
  readonly #root: Folder = new Map();
  readonly #virtualFiles = new Map<string, VirtualFile>();
  readonly #virtualFolders: { readonly path: string; readonly folder: VirtualFolder }[] = [];
  readonly #modes = new Map<string, number>();

  constructor(files: Readonly<Record<string, string>> = {}) {
    for (const name of ['/tmp', '/root', '/etc', '/bin', '/usr/bin', '/var/log', '/proc', '/dev', '/home']) this.makeDirectory(name);
    for (const [path, content] of Object.entries(files)) this.write(path, content);
  }

  addVirtualFile(path: string, file: VirtualFile): void {
    this.#virtualFiles.set(normalisePath(path), file);
  }

  addVirtualFolder(path: string, folder: VirtualFolder): void {
    this.#virtualFolders.push({ path: normalisePath(path), folder });
  }

  read(path: string): string | undefined {
    const full = normalisePath(path);
    const virtual = this.#virtualFiles.get(full);
    if (virtual !== undefined) return virtual.read();
    const within = this.#virtualFolder(full);
    if (within !== undefined) return within.folder.read(within.rest);
    const found = this.#find(full);
    return typeof found === 'string' ? found : undefined;
  }

  write(path: string, content: string): void {
    const full = normalisePath(path);
    const virtual = this.#virtualFiles.get(full);
    const within = this.#virtualFolder(full);
    if (virtual?.write !== undefined) {
      virtual.write(content);
      return;
    }
    if (within !== undefined) {
      within.folder.write(within.rest, content);
      return;
    }
    this.#virtualFiles.delete(full);
    const slash = full.lastIndexOf('/');
    this.#folder(full.slice(0, slash)).set(full.slice(slash + 1), content);
  }

  remove(path: string): boolean {
    const full = normalisePath(path);
    if (this.#virtualFiles.delete(full)) return true;
    const slash = full.lastIndexOf('/');
    const parent = this.#find(full.slice(0, slash) || '/');
    this.#modes.delete(full);
    return parent instanceof Map && parent.delete(full.slice(slash + 1));
  }

  list(path: string): readonly string[] | undefined {
    const full = normalisePath(path);
    const within = this.#virtualFolder(full);
    if (within !== undefined) return within.folder.list(within.rest);
    const found = this.#find(full);
    if (!(found instanceof Map)) return undefined;
    const names = new Set(found.keys());
    const start = full === '/' ? '/' : `${full}/`;
    for (const virtual of [...this.#virtualFiles.keys(), ...this.#virtualFolders.map((entry) => entry.path)]) {
      if (virtual.startsWith(start)) names.add(virtual.slice(start.length).split('/')[0] as string);
    }
    return [...names].sort();
  }

  isDirectory(path: string): boolean {
    return this.list(path) !== undefined;
  }

  makeDirectory(path: string): void {
    this.#folder(normalisePath(path));
  }

  /** Permission bits, where `chmod` has set them. */
  modeOf(path: string): number | undefined {
    return this.#modes.get(normalisePath(path));
  }

  setMode(path: string, mode: number): void {
    this.#modes.set(normalisePath(path), mode);
  }

  #virtualFolder(full: string): { readonly folder: VirtualFolder; readonly rest: string } | undefined {
    for (const { path, folder } of this.#virtualFolders) {
      if (full === path || full.startsWith(`${path}/`)) return { folder, rest: full.slice(path.length + 1) };
    }
    return undefined;
  }

  #find(full: string): Folder | string | undefined {
    let here: Folder | string | undefined = this.#root;
    for (const part of full.split('/')) {
      if (part === '') continue;
      if (!(here instanceof Map)) return undefined;
      here = here.get(part);
    }
    return here;
  }

  #folder(full: string): Folder {
    let here = this.#root;
    for (const part of full.split('/')) {
      if (part === '') continue;
      const next = here.get(part);
      if (typeof next === 'string') throw new Error(`${full}: Not a directory`);
      if (next === undefined) {
        const created: Folder = new Map();
        here.set(part, created);
        here = created;
      } else {
        here = next;
      }
    }
    return here;
  }
}
