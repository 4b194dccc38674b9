// Installs the packages of package-lock.json unless they are there already: `npm start` and `npm test` work in a fresh clone.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const stamp = join(root, 'node_modules', '.outpost-installed');
const wanted = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex');

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`outpost needs Node 20.19 or newer; this is ${process.versions.node}`);
  process.exit(2);
}

if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
  console.error('Installing packages (once; about a minute)…');
  // Not `npm ci`: it refuses a lock file without the variants of a package for other platforms, which not every registry serves.
  // No package of this project needs its install script, and some of them would build native code.
  const npm = process.env.npm_execpath === undefined ? ['npm'] : [process.execPath, process.env.npm_execpath];
  const result = spawnSync(
    npm[0],
    [...npm.slice(1), 'install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'],
    {
      cwd: root,
      stdio: ['ignore', 2, 2],
    },
  );
  if (result.status !== 0) {
    console.error('The packages could not be installed; npm said why above.');
    process.exit(3);
  }
  writeFileSync(stamp, wanted);
  // So that the first run does not have to.
  spawnSync(process.execPath, [join(root, 'support/cli/bundle.mjs')], { cwd: root, stdio: 'ignore' });
}
