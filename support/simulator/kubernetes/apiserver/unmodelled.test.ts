import { describe, expect, it } from 'vitest';
import { unmodelledParts } from './unmodelled.ts';

const podWith = (container: object, spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web' },
  spec: { containers: [{ name: 'web', ...container }], ...spec },
});

describe('what the simulator does not do is said when it is written', () => {
  it.each([
    { name: 'a plain pod', object: podWith({ readinessProbe: { httpGet: { port: 80 } } }), says: [] },
    {
      name: 'an exec probe',
      object: podWith({ readinessProbe: { exec: { command: ['curl', 'localhost'] } } }),
      says: ['not simulated: the command of an exec probe beyond plain work on files; the readinessProbe of container web always holds'],
    },
    {
      name: 'a gRPC probe in a template',
      object: {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'web' },
        spec: { template: podWith({ livenessProbe: { grpc: { port: 9000 } } }) },
      },
      says: ['not simulated: gRPC health checks; the livenessProbe of container web looks at the port only'],
    },
    {
      name: 'a host port',
      object: podWith({ ports: [{ containerPort: 80, hostPort: 8080 }] }),
      says: ['not simulated: hostPort; container web is not reached through its node'],
    },
    {
      name: 'a host port of the host network',
      object: podWith({ ports: [{ containerPort: 80, hostPort: 80 }] }, { hostNetwork: true }),
      says: [],
    },
    {
      name: 'a kind that is only stored',
      object: { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'q' } },
      says: ['not simulated: ResourceQuota is stored, but not enforced'],
    },
    {
      name: 'a kind of a hostile shape',
      object: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x' }, spec: { containers: 'no' } },
      says: [],
    },
  ])('$name', ({ object, says }) => {
    expect(unmodelledParts(object)).toEqual(says);
  });
});
