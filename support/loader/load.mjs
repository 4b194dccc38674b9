// Loads the project's TypeScript without a build step that anybody has to run: the sources are bundled once by esbuild into
// node_modules/.cache, keyed by their paths, sizes and times, and loaded from there. Three hundred small modules, each through a
// loader hook, would take longer than a whole run of the lab; one bundle takes some tens of milliseconds.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
const cache = join(root, 'node_modules', '.cache', 'outpost');

/** Imports a module of the project, e.g. `support/cli/main.ts`. Modules loaded this way share their instances. */
export async function load(source) {
  const folder = await bundled();
  return import(pathToFileURL(join(folder, source.replace(/\.ts$/, '.js'))).href);
}

/** Where the bundle of a source file is; both are absolute. */
export async function compiledPath(file) {
  return join(await bundled(), relative(root, file).replace(/\.ts$/, '.js'));
}

let folder;

/** Folder of an up-to-date bundle, made now if there is none. */
function bundled() {
  folder ??= prepare();
  return folder;
}

async function prepare() {
  const sources = listSources();
  const key = createHash('sha1');
  for (const { path, stat } of sources) key.update(`${path}\0${stat.size}\0${stat.mtimeMs}\0`);
  key.update(process.versions.node);
  key.update(readFileSync(fileURLToPath(import.meta.url)));
  const target = join(cache, key.digest('hex').slice(0, 20));
  if (existsSync(target)) {
    // The newest use decides which bundles are kept.
    const now = new Date();
    utimesSync(target, now, now);
    return target;
  }
  const { build } = await import('esbuild');
  const scratch = `${target}.${process.pid}`;
  mkdirSync(cache, { recursive: true });
  await build({
    absWorkingDir: root,
    entryPoints: sources.map(({ path }) => path).filter(isEntryPoint),
    outbase: root,
    outdir: scratch,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    packages: 'external',
    sourcemap: 'linked',
    logLevel: 'error',
    plugins: [keepModuleUrls],
  });
  writeFileSync(join(scratch, 'package.json'), '{ "type": "module" }\n');
  try {
    renameSync(scratch, target);
  } catch {
    // Another process was faster: its bundle is the same.
    rmSync(scratch, { recursive: true, force: true });
  }
  removeOld(target);
  return target;
}

function isEntryPoint(path) {
  return path === 'support/cli/main.ts' || path === 'support/cli/bench.ts' || path.startsWith('steps/') || path.startsWith('support/cucumber/');
}

function listSources() {
  const found = [];
  for (const top of ['steps', 'support']) {
    for (const entry of readdirSync(join(root, top), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !entry.name.endsWith('.ts') || /\.(test|contract)\.ts$/.test(entry.name)) continue;
      const file = join(entry.parentPath, entry.name);
      found.push({ path: relative(root, file), stat: statSync(file) });
    }
  }
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** `import.meta.url` keeps naming the source file, wherever the bundle is. */
const keepModuleUrls = {
  name: 'keep-module-urls',
  setup(build) {
    build.onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8');
      if (!text.includes('import.meta.url')) return undefined;
      return { contents: text.replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href)), loader: 'ts' };
    });
  },
};

/** Keeps the few bundles that were used last, for branches that are switched back and forth. */
function removeOld(current) {
  const others = readdirSync(cache)
    .map((name) => join(cache, name))
    .filter((path) => path !== current)
    .map((path) => ({ path, usedAt: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .sort((a, b) => b.usedAt - a.usedAt);
  for (const { path } of others.slice(3)) rmSync(path, { recursive: true, force: true });
}
