import { describe, expect, it } from 'vitest';
import { EnvironmentError } from '../verdict/errors.ts';
import { execOnHost } from './host.ts';
import { LiveLab } from './live-lab.ts';
import { probeDocker } from './probe.ts';

describe('programs of the lab host', () => {
  it('run in the home, with their words as they are', async () => {
    expect(await execOnHost(['printf', '%s|', '$HOME', 'a  b'], '/', {})).toEqual({ stdout: '$HOME|a  b|', stderr: '', exitCode: 0 });
    expect((await execOnHost(['pwd'], '/', {})).stdout).toBe('/\n');
  });

  it('end as they end', async () => {
    expect(await execOnHost(['sh', '-c', 'cat; echo err >&2; exit 3'], '/', { stdin: 'in' })).toEqual({
      stdout: 'in',
      stderr: 'err\n',
      exitCode: 3,
    });
  });

  it('that are not there, or take too long, are no verdict', async () => {
    await expect(execOnHost(['no-such-program-here'], '/', {})).rejects.toMatchObject({ code: 'exec/not-run', fault: 'environment' });
    await expect(execOnHost(['sleep', '5'], '/', { timeoutMs: 50 })).rejects.toMatchObject({ code: 'exec/timeout', fault: 'environment' });
  });
});

describe('Docker', () => {
  it('does not answer where there is no socket, and nothing is loaded to find out', async () => {
    expect(await probeDocker({ DOCKER_HOST: 'unix:///no/such/docker.sock' })).toEqual({
      answers: false,
      reason: 'no Docker: there is no /no/such/docker.sock',
    });
  });
});

describe('a live lab', () => {
  const lab = new LiveLab({ name: 'x', root: '/', home: undefined, cluster: { documents: [{}] } });

  it.each(['up', 'down', 'reset'] as const)('says that %s is not built yet', async (what) => {
    await expect(lab[what]()).rejects.toThrow(EnvironmentError);
    await expect(lab[what]()).rejects.toThrow(`not built yet: live ${what}`);
  });
});
