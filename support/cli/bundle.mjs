import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { getHeapCodeStatistics } from 'node:v8';
import { Script } from 'node:vm';

const clone = join(dirname(fileURLToPath(import.meta.url)), '../..');
const cache = join(clone, '.cache/outpost');
const urlOf = (path) => pathToFileURL(path).href;

/**
 * The program in one piece, with V8's code cache of an earlier start: some thousand modules and their functions would
 * otherwise take longer to load and compile than a whole lab to grade. It is made anew whenever a source has changed.
 * Where it cannot be made (no esbuild, no place to write), the sources do as well, more slowly.
 * @param command the first word of the command line: different commands use different parts of the program
 */
export async function openProgram(isUnbundled, command = '') {
  if (!isUnbundled) {
    try {
      return await openBundle(command);
    } catch (error) {
      if (process.env.DEBUG) process.stderr.write(`no bundle: ${error.message}\n`);
    }
  }
  await import('../cucumber/register.mjs');
  const { main } = await import('./main.ts');
  const vocabulary = vocabularySources().map(({ path }) => path);
  const allureReporter = urlOf(createRequire(import.meta.url).resolve('allure-cucumberjs/reporter'));
  return { main, place: { clone, vocabulary, allureReporter }, end: () => {} };
}

async function openBundle(command) {
  const sources = ['support', 'steps'].flatMap((folder) => sourcesIn(join(clone, folder)));
  const folder = join(cache, fingerprint(sources));
  const parts = vocabularySources();
  if (!existsSync(folder)) await build(folder, parts);
  const { exports, keepCode } = run(join(folder, 'program.cjs'), join(folder, `${command.replaceAll(/\W/g, '') || 'none'}.code`));
  globalThis[Symbol.for('outpost.parts')] = exports.parts;
  const vocabulary = parts.map(({ name }) => join(folder, `${name}.mjs`));
  return { main: exports.main, place: { clone, vocabulary, allureReporter: urlOf(join(folder, 'allure-reporter.mjs')) }, end: keepCode };
}

/** Runs the bundle, with its functions already compiled if an earlier run has left them. */
function run(file, codeFile) {
  const cachedData = existsSync(codeFile) ? readFileSync(codeFile) : undefined;
  // The text is ASCII: read so, it stays one byte a character in memory.
  const source = `(function (exports, require, module, __filename, __dirname, __url, __import) {${readFileSync(file, 'latin1')}\n})`;
  const script = new Script(source, { filename: file, cachedData });
  const module = { exports: {} };
  script.runInThisContext()(
    module.exports,
    createRequire(file),
    module,
    file,
    dirname(file),
    urlOf(file),
    (specifier) => import(specifier),
  );
  const keepCode = () => {
    // A run that ended early, at a fault of the content say, has left little; the next whole one leaves more.
    const isWhole = cachedData !== undefined && getHeapCodeStatistics().code_and_metadata_size < 2 * cachedData.length;
    if (isWhole && !script.cachedDataRejected) return;
    try {
      writeFileSync(`${codeFile}.${process.pid}`, script.createCachedData());
      renameSync(`${codeFile}.${process.pid}`, codeFile);
    } catch {
      // The next start is slower; nothing else.
    }
  };
  return { exports: module.exports, keepCode };
}

/** Packages that find files beside themselves or hold native code; a command loads them only when it needs them. */
const external = ['just-bash', 'dockerode', 'elkjs', 'execa', 'esbuild', 'allure-commandline', '@cucumber/html-formatter'];

/** Files that Cucumber imports, in this order. */
function vocabularySources() {
  const steps = readdirSync(join(clone, 'steps'))
    .filter((name) => name.endsWith('.steps.ts'))
    .sort();
  return [
    ...['parameter-types.ts', 'world.ts', 'hooks.ts'].map((name) => join(clone, 'support/cucumber', name)),
    ...steps.map((name) => join(clone, 'steps', name)),
  ].map((path) => ({ path, name: basename(path, '.ts') }));
}

async function build(folder, parts) {
  const esbuild = await import('esbuild');
  const all = [...parts, { name: 'allure-reporter', path: 'allure-cucumberjs/reporter' }];
  const importers = all.map(({ name, path }) => `${JSON.stringify(name)}: () => import(${JSON.stringify(path)})`);
  const { outputFiles } = await esbuild.build({
    stdin: {
      contents: `export { main } from ${JSON.stringify(join(clone, 'support/cli/main.ts'))};\nexport const parts = { ${importers.join(', ')} };`,
      resolveDir: clone,
      sourcefile: 'program.js',
    },
    write: false,
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    minifyWhitespace: true,
    legalComments: 'none',
    external,
    alias: { 'regexp-match-indices': join(clone, 'support/cli/regexp-match-indices.mjs') },
    define: { 'import.meta.url': '__url' },
    logLevel: 'silent',
    absWorkingDir: clone,
  });
  const unfinished = `${folder}.${process.pid}`;
  mkdirSync(unfinished, { recursive: true });
  // A script with a code cache cannot import; the launcher does it for the script. (`#import(` is somebody's method.)
  writeFileSync(join(unfinished, 'program.cjs'), outputFiles[0].text.replaceAll(/(?<![#.\w$])import\(/g, '__import('));
  for (const { name } of all) {
    writeFileSync(
      join(unfinished, `${name}.mjs`),
      `const part = await globalThis[Symbol.for('outpost.parts')][${JSON.stringify(name)}]();\nexport default part.default;\n`,
    );
  }
  try {
    renameSync(unfinished, folder);
  } catch (error) {
    // Another run made the same bundle at the same time, and was first.
    rmSync(unfinished, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
  removeOld();
}

/** Bundles of older sources go, but not at once: a run that started before the sources changed may still use its own. */
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
