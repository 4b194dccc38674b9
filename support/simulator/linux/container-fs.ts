import type { FsStat, IFileSystem } from 'just-bash';
import { decodeRaw, encodeRaw } from '../docker/byte-text.ts';
import { normalisePath, resolvePath } from '../docker/file-system.ts';
import { formatIso } from '../docker/timestamp.ts';
import type { FileSystem } from '../docker/types.ts';
import { NetworkError } from '../net/network-error.ts';

type FileContent = string | Uint8Array;
type Encoding = string | { encoding?: string | null } | undefined;

function problem(code: string, text: string, path: string, operation: string): Error {
  return Object.assign(new Error(`${code}: ${text}, ${operation} '${path}'`), { code });
}

function missing(path: string, operation: string): Error {
  return problem('ENOENT', 'no such file or directory', path, operation);
}

function textOf(content: FileContent, encoding: Encoding): string {
  if (typeof content !== 'string') return decodeRaw(content);
  const name = typeof encoding === 'string' ? encoding : encoding?.encoding;
  // a shell's redirection hands over bytes, one per character
  if (name === 'binary' || name === 'latin1') return decodeRaw(Buffer.from(content, 'latin1'));
  return content;
}

/**
 * The files of a container as just-bash wants them. Programs of the container stand in /usr/bin as empty files, so
 * that `which`, `type` and `command -v` find them.
 */
export class ContainerFileSystem implements IFileSystem {
  readonly #files: FileSystem;
  readonly #programs: () => readonly string[];
  readonly #now: () => number;

  constructor(files: FileSystem, programs: () => readonly string[], now: () => number) {
    this.#files = files;
    this.#programs = programs;
    this.#now = now;
  }

  async readFile(path: string): Promise<string> {
    const text = this.#files.read(path);
    if (text !== undefined) return text;
    if (this.#files.isDirectory(path)) throw problem('EISDIR', 'illegal operation on a directory', path, 'read');
    if (this.#isProgram(path) || path === '/dev/null') return '';
    throw missing(path, 'open');
  }

  async readFileBuffer(path: string): Promise<Uint8Array> {
    return encodeRaw(await this.readFile(path));
  }

  async writeFile(path: string, content: FileContent, encoding?: Encoding): Promise<void> {
    if (path === '/dev/null') return;
    if (this.#files.isDirectory(path)) throw problem('EISDIR', 'illegal operation on a directory', path, 'open');
    const parent = normalisePath(path).replace(/\/[^/]*$/, '') || '/';
    if (!this.#files.isDirectory(parent)) throw missing(path, 'open');
    const isNew = this.#files.read(path) === undefined;
    try {
      this.#files.write(path, textOf(content, encoding));
      // what a shell creates is not executable (umask 022); scripts that a lab brings along are
      if (isNew) this.#files.setMode?.(path, 0o644);
    } catch (error) {
      if (error instanceof NetworkError) throw problem(error.errno, error.message.toLowerCase(), path, 'write');
      throw error;
    }
  }

  async appendFile(path: string, content: FileContent, encoding?: Encoding): Promise<void> {
    if (path === '/dev/null') return;
    // settings of the kernel are set, not extended
    const before = path.startsWith('/proc/sys/') ? '' : (this.#files.read(path) ?? '');
    await this.writeFile(path, before + textOf(content, encoding));
  }

  async exists(path: string): Promise<boolean> {
    return this.#files.read(path) !== undefined || this.#files.isDirectory(path) || this.#isProgram(path) || path === '/dev/null';
  }

  async stat(path: string): Promise<FsStat> {
    const isDirectory = this.#files.isDirectory(path);
    const text = isDirectory ? undefined : this.#files.read(path);
    const isProgram = this.#isProgram(path);
    if (!isDirectory && text === undefined && !isProgram && path !== '/dev/null') throw missing(path, 'stat');
    return {
      isFile: !isDirectory,
      isDirectory,
      isSymbolicLink: false,
      mode: this.#files.modeOf?.(path) ?? (isDirectory || isProgram ? 0o755 : text?.startsWith('#!') === true ? 0o755 : 0o644),
      size: isDirectory ? 4096 : encodeRaw(text ?? '').length,
      // just-bash asks for this type; the moment is the simulated one
      mtime: new Date(formatIso(this.#now())),
    };
  }

  lstat(path: string): Promise<FsStat> {
    return this.stat(path);
  }

  async mkdir(path: string, options?: { recursive?: boolean }): Promise<void> {
    if (await this.exists(path)) {
      if (options?.recursive === true && this.#files.isDirectory(path)) return;
      throw problem('EEXIST', 'file already exists', path, 'mkdir');
    }
    const parent = normalisePath(path).replace(/\/[^/]*$/, '') || '/';
    if (options?.recursive !== true && !this.#files.isDirectory(parent)) throw missing(path, 'mkdir');
    if (this.#files.makeDirectory !== undefined) this.#files.makeDirectory(path);
    else this.#files.write(`${path}/.keep`, '');
  }

  async readdir(path: string): Promise<string[]> {
    const names = this.#files.list(path);
    if (names === undefined)
      throw (await this.exists(path)) ? problem('ENOTDIR', 'not a directory', path, 'scandir') : missing(path, 'scandir');
    if (normalisePath(path) !== '/usr/bin') return [...names];
    return [...new Set([...names, ...this.#programs()])].sort();
  }

  async rm(path: string, options?: { recursive?: boolean; force?: boolean }): Promise<void> {
    const names = this.#files.list(path);
    if (names !== undefined && names.length > 0) {
      if (options?.recursive !== true) throw problem('ENOTEMPTY', 'directory not empty', path, 'rm');
      for (const name of names) await this.rm(`${path}/${name}`, options);
    }
    if (!this.#files.remove(path) && options?.force !== true) throw missing(path, 'rm');
  }

  async cp(source: string, destination: string, options?: { recursive?: boolean }): Promise<void> {
    const names = this.#files.list(source);
    if (names === undefined) {
      const { mode } = await this.stat(source);
      await this.writeFile(destination, await this.readFile(source));
      this.#files.setMode?.(destination, mode);
      return;
    }
    if (options?.recursive !== true) throw problem('EISDIR', 'is a directory', source, 'cp');
    await this.mkdir(destination, { recursive: true });
    for (const name of names) await this.cp(`${source}/${name}`, `${destination}/${name}`, options);
  }

  async mv(source: string, destination: string): Promise<void> {
    await this.cp(source, destination, { recursive: true });
    await this.rm(source, { recursive: true });
  }

  resolvePath(base: string, path: string): string {
    return resolvePath(base, path);
  }

  getAllPaths(): string[] {
    const found: string[] = [];
    const walk = (folder: string): void => {
      // the kernel's own folder is large, and nobody globs over it by accident
      if (folder === '/proc') return;
      for (const name of this.#files.list(folder) ?? []) {
        const path = folder === '/' ? `/${name}` : `${folder}/${name}`;
        found.push(path);
        if (this.#files.isDirectory(path)) walk(path);
      }
    };
    walk('/');
    return found;
  }

  async chmod(path: string, mode: number): Promise<void> {
    if (!(await this.exists(path))) throw missing(path, 'chmod');
    this.#files.setMode?.(path, mode);
  }

  async symlink(target: string, linkPath: string): Promise<void> {
    throw problem('EPERM', 'symbolic links are not simulated', `${target}' -> '${linkPath}`, 'symlink');
  }

  async link(existingPath: string, newPath: string): Promise<void> {
    await this.cp(existingPath, newPath);
  }

  async readlink(path: string): Promise<string> {
    if (!(await this.exists(path))) throw missing(path, 'readlink');
    throw problem('EINVAL', 'invalid argument', path, 'readlink');
  }

  async realpath(path: string): Promise<string> {
    if (!(await this.exists(path))) throw missing(path, 'realpath');
    return normalisePath(path);
  }

  async utimes(path: string): Promise<void> {
    if (!(await this.exists(path))) throw missing(path, 'utimes');
  }

  #isProgram(path: string): boolean {
    const match = /^\/(?:usr\/)?bin\/([^/]+)$/.exec(path);
    return match !== null && this.#programs().includes(match[1] as string);
  }
}
