import { createHash } from 'node:crypto';
import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const clone = join(dirname(fileURLToPath(import.meta.url)), '../..');
const cache = join(clone, '.cache/outpost');

/**
 * Where the program is: in one piece from the cache, freshly made if need be; or in its sources, where no bundle can be
 * made (no esbuild, no place to write), which do as well, more slowly.
 */
export async function openProgram(isUnbundled) {
  const sources = ['support', 'steps'].flatMap((folder) => sourcesIn(join(clone, folder)));
  const folder = join(cache, fingerprint(sources));
  const entries = vocabulary();
  try {
    if (isUnbundled) throw new Error('not asked for');
    if (!existsSync(folder)) await build(folder, entries);
    const built = (name) => join(folder, `${name}.js`);
    return {
      isBundled: true,
      clone,
      main: urlOf(built('main')),
      allureReporter: urlOf(built('allure-reporter')),
      vocabulary: entries.map(({ name }) => built(name)),
    };
  } catch {
    return {
      isBundled: false,
      clone,
      main: new URL('./main.ts', import.meta.url).href,
      allureReporter: urlOf(createRequire(import.meta.url).resolve(allureReporter)),
      vocabulary: entries.map(({ path }) => path),
    };
  }
}

const allureReporter = 'allure-cucumberjs/reporter';

const urlOf = (path) => pathToFileURL(path).href;

/** Packages that find files beside themselves or hold native code; a command loads them only when it needs them. */
const external = ['just-bash', 'yaml', 'dockerode', 'execa', 'esbuild', 'allure-commandline', '@cucumber/html-formatter'];

/** What CommonJS code, which most packages are, takes for granted. */
const commonJsNames = [
  "import { createRequire as outpostRequire } from 'node:module';",
  "import { dirname as outpostDirname } from 'node:path';",
  "import { fileURLToPath as outpostPath } from 'node:url';",
  'const require = outpostRequire(import.meta.url), __filename = outpostPath(import.meta.url), __dirname = outpostDirname(__filename);',
].join('\n');

/** Files that Cucumber imports, in this order. */
function vocabulary() {
  const steps = readdirSync(join(clone, 'steps'))
    .filter((name) => name.endsWith('.steps.ts'))
    .sort();
  return [
    ...['parameter-types.ts', 'world.ts', 'hooks.ts'].map((name) => join(clone, 'support/cucumber', name)),
    ...steps.map((name) => join(clone, 'steps', name)),
  ].map((path) => ({ path, name: basename(path, '.ts') }));
}

async function build(folder, entries) {
  const esbuild = await import('esbuild');
  const unfinished = `${folder}.${process.pid}`;
  await esbuild.build({
    entryPoints: [
      { name: 'main', path: join(clone, 'support/cli/main.ts') },
      { name: 'allure-reporter', path: allureReporter },
      ...entries,
    ].map(({ name, path }) => ({ in: path, out: name })),
    outdir: unfinished,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    minifyWhitespace: true,
    legalComments: 'none',
    external,
    alias: { 'regexp-match-indices': join(clone, 'support/cli/regexp-match-indices.mjs') },
    banner: { js: commonJsNames },
    logLevel: 'silent',
    absWorkingDir: clone,
  });
  try {
    renameSync(unfinished, folder);
  } catch (error) {
    // Another run made the same bundle at the same time, and was first.
    rmSync(unfinished, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
  removeOld();
}

/** Bundles of older sources go, but not at once: a run that started before the sources changed may still load from its own. */
function removeOld() {
  for (const name of readdirSync(cache)) {
    const path = join(cache, name);
    if (Date.now() - statSync(path).mtimeMs > 3_600_000) rmSync(path, { recursive: true, force: true });
  }
}

function sourcesIn(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'testdata' ? [] : sourcesIn(path);
    return /(?<!\.test)\.(ts|mjs)$/.test(entry.name) ? [path] : [];
  });
}

function fingerprint(files) {
  const hash = createHash('sha1');
  hash.update(process.version);
  for (const file of [...files, join(clone, 'package-lock.json')]) {
    const { size, mtimeMs } = statSync(file);
    hash.update(`${file}\0${size}\0${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

// `node support/cli/bundle.mjs` makes the bundle, so that the first command need not.
if (process.argv[1] === fileURLToPath(import.meta.url)) await openProgram(false);
