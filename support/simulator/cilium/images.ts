import type { Container, DockerEngine, ImageDefinition, Program } from '../docker/types.ts';
import { createAgentProgram } from './agent/agent.ts';
import { findInstallation } from './installations.ts';
import { createOperator } from './operator/operator.ts';
import type { CiliumVersion } from './types.ts';
import { imagesOf, repositories } from './version.ts';

/** A process whose work is not modelled beyond being there. */
const idle = (name: string) => (): Program => ({ name, start() {}, stop() {} });

const digestOf = (reference: string) => {
  const at = reference.indexOf('@');
  return at < 0 ? {} : { digest: reference.slice(at + 1) };
};

/** Tells an engine what runs in the images of a release. */
export function registerImages(engine: DockerEngine, version: CiliumVersion): void {
  const references = imagesOf(version);
  const find = (container: Container) => findInstallation(engine, container);
  const definitions: readonly ImageDefinition[] = [
    {
      name: repositories.agent,
      command: ['cilium-agent', '--config-dir=/tmp/cilium/config-map'],
      programs: [(container) => createAgentProgram(container, find)],
      commands: [],
      shell: 'bash',
      ...digestOf(references.agent),
    },
    {
      name: repositories.operator,
      command: ['cilium-operator-generic', '--config-dir=/tmp/cilium/config-map', '--debug=false'],
      programs: [(container) => createOperator(container, find)],
      commands: [],
      shell: undefined,
      ...digestOf(references.operator),
    },
    {
      name: repositories.relay,
      command: ['hubble-relay', 'serve'],
      programs: [idle('hubble-relay')],
      commands: [],
      shell: undefined,
      ...digestOf(references.relay),
    },
    {
      name: repositories.ui,
      command: ['nginx', '-g', 'daemon off;'],
      programs: [idle('nginx')],
      commands: [],
      shell: 'sh',
      ...digestOf(references.ui),
    },
    {
      name: repositories.uiBackend,
      command: ['/usr/bin/backend'],
      programs: [idle('backend')],
      commands: [],
      shell: undefined,
      ...digestOf(references.uiBackend),
    },
    {
      name: repositories.envoy,
      command: ['/usr/bin/cilium-envoy-starter', '--', '-c', '/var/run/cilium/envoy/bootstrap-config.json', '--base-id', '0'],
      programs: [idle('cilium-envoy')],
      commands: [],
      shell: 'bash',
      ...digestOf(references.envoy),
    },
  ];
  for (const definition of definitions) engine.images.add(definition);
}
