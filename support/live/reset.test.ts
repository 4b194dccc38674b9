import { describe, expect, it } from 'vitest';
import { loadLab } from '../content/lab.ts';
import { SimulatedLab } from '../simulator/host/simulator.ts';
import type { HostRunner } from './live-context.ts';
import { clone } from './real-lab.fixture.ts';
import { undoManifests } from './reset.ts';

describe('a lab that is brought back to its start', () => {
  it('has what it had, whatever its manifests made meanwhile and whatever was changed in its setup', async () => {
    const definition = loadLab(clone);
    const lab = new SimulatedLab(definition, 1);
    await lab.up();
    // The simulated host in the place of the real one: its home holds the same files.
    const run: HostRunner = async (argv) => await lab.exec(argv);
    const say = async (...argv: string[]) => {
      const { stdout, stderr, exitCode } = await lab.exec(argv);
      if (exitCode !== 0) throw new Error(`${argv.join(' ')}: ${stderr}`);
      return stdout;
    };
    const kinds = 'namespaces,ciliumloadbalancerippools,ciliuml2announcementpolicies,ciliumegressgatewaypolicies,ciliumbgppeeringpolicies';
    const state = async () => ({
      names: await say('kubectl', 'get', kinds, '-o', 'name'),
      policies: await say('kubectl', 'get', 'ciliumbgppeeringpolicies', '-o', 'jsonpath={.items[*].spec}'),
    });
    const before = await state();
    for (const file of ['batuu.yaml', 'lb-pool.yaml', 'layer2-policy.yaml', 'egress-gw-policy.yaml'])
      await say('kubectl', 'apply', '-f', file);
    await say('kubectl', '-n', 'batuu', 'label', 'service', 'deathstar', 'announced=bgp');
    const [policy = '', other = ''] = (await say('kubectl', 'get', 'ciliumbgppeeringpolicies', '-o', 'name')).trim().split('\n');
    await say('kubectl', 'delete', policy);
    await say(
      'kubectl',
      'patch',
      other,
      '--type=json',
      '-p',
      '[{"op": "replace", "path": "/spec/virtualRouters/0/localASN", "value": 64999}]',
    );
    expect((await state()).names).not.toBe(before.names);

    const told: string[] = [];
    await undoManifests({ definition: { ...definition, home: '.' }, cluster: 'kind', run }, (text) => told.push(text));
    expect(told).toEqual([
      'batuu.yaml is undone',
      'egress-gw-policy.yaml is undone',
      'layer2-policy.yaml is undone',
      'lb-pool.yaml is undone',
      'applied again: bgp-peering-policies.yaml',
    ]);
    expect(await state()).toEqual(before);
  });
});
