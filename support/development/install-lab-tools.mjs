// Puts the tools of a real lab on this machine's PATH, in the versions of support/live/versions.ts. `--print` tells the commands only.
import { spawnSync } from 'node:child_process';
import { register } from 'tsx/esm/api';

register();
const { installCommand, toolPins } = await import('../live/versions.ts');
const arch = process.arch === 'arm64' ? 'arm64' : 'amd64';
const platform = process.platform === 'darwin' ? 'darwin' : 'linux';
for (const { tool, pinned } of toolPins) {
  // Docker is the machine's own.
  if (pinned === '') continue;
  const command = installCommand(tool, platform, arch);
  console.log(command);
  if (process.argv.includes('--print')) continue;
  const { status } = spawnSync('bash', ['-euo', 'pipefail', '-c', command], { stdio: 'inherit' });
  if (status !== 0) {
    console.error(`${tool} could not be installed`);
    process.exit(status ?? 1);
  }
}
