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
      name: 'topology aware routing',
      object: {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'web', annotations: { 'service.kubernetes.io/topology-mode': 'Auto' } },
        spec: {},
      },
      says: ['not simulated: topology aware routing; no endpoint gets a hint of its zone'],
    },
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

  it.each([undefined, null, 'x', { annotations: 7 }, { annotations: { 'service.kubernetes.io/topology-mode': 7 } }])(
    'of metadata like %j nothing is said: they are refused later',
    (metadata) => {
      expect(unmodelledParts({ apiVersion: 'v1', kind: 'Service', metadata } as never)).toEqual([]);
    },
  );
});
