import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** The engine that the docker command talks to, where that is another one than everybody else's. */
export interface OtherEngine {
  readonly context: string;
  readonly host: string;
}

/**
 * `docker context use` is heard by the docker command, and by kind, which calls it; containerlab and this program hear DOCKER_HOST
 * alone. Where both speak of different engines, half of a lab would be made on each.
 */
export function otherEngine(env: NodeJS.ProcessEnv): OtherEngine | undefined {
  if ((env['DOCKER_HOST'] ?? '') !== '') return undefined;
  try {
    const folder = env['DOCKER_CONFIG'] ?? join(env['HOME'] ?? homedir(), '.docker');
    const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as { currentContext?: string };
    const context = env['DOCKER_CONTEXT'] ?? config.currentContext ?? 'default';
    if (context === 'default' || context === '') return undefined;
    const id = createHash('sha256').update(context).digest('hex');
    const meta = JSON.parse(readFileSync(join(folder, 'contexts', 'meta', id, 'meta.json'), 'utf8')) as {
      Endpoints?: { docker?: { Host?: string } };
    };
    const host = meta.Endpoints?.docker?.Host ?? '';
    return host === '' || host === 'unix:///var/run/docker.sock' ? undefined : { context, host };
  } catch {
    return undefined;
  }
}
