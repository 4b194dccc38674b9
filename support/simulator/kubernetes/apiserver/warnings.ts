import { isObject } from './decode.ts';
import { goQuote } from './errors.ts';
import { items, type Json, record } from './rules.ts';
import { isAddress } from './schema.ts';

// What the API server stores, but warns of (Kubernetes 1.27 `pkg/api/pod/warnings.go`, `pkg/api/service/warnings.go`).

const templates: Readonly<Record<string, readonly [path: string, spec: (object: Json) => unknown]>> = {
  Pod: ['spec', (object) => object['spec']],
  CronJob: ['spec.jobTemplate.spec.template.spec', (object) => record(record(record(object['spec'])['jobTemplate'])['spec'])],
};

function podOf(object: Json): readonly [path: string, spec: Json] | undefined {
  const kind = String(object['kind']);
  const known = templates[kind];
  if (known === undefined) {
    const template = record(object['spec'])['template'];
    return isObject(template) && isObject(template['spec']) ? ['spec.template.spec', template['spec']] : undefined;
  }
  const found = record(known[1](object));
  return [known[0], kind === 'CronJob' ? record(record(found['template'])['spec']) : found];
}

export function objectWarnings(object: Json): readonly string[] {
  const warnings: string[] = [];
  const pod = podOf(object);
  if (pod !== undefined) podWarnings(pod[0], pod[1], warnings);
  const spec = record(object['spec']);
  if (object['kind'] === 'Service') {
    const address = spec['loadBalancerIP'];
    if (typeof address === 'string' && address !== '' && !isAddress(address))
      warnings.push(
        `spec.loadBalancerIP: IP address was accepted, but will be invalid in a future Kubernetes release: ParseAddr(${goQuote(address)}): unable to parse IP`,
      );
  }
  if (object['kind'] === 'CronJob' && String(spec['schedule'] ?? '').includes('TZ'))
    warnings.push(
      'CRON_TZ or TZ used in spec.spec.schedule is not officially supported, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details',
    );
  return warnings;
}

function podWarnings(path: string, spec: Json, warnings: string[]): void {
  for (const [index, secret] of items(spec['imagePullSecrets']).entries())
    if ((secret['name'] ?? '') === '') warnings.push(`${path}.imagePullSecrets[${index}].name: invalid empty name ""`);
  for (const list of ['initContainers', 'containers'])
    for (const [index, container] of items(spec[list]).entries()) {
      const names = new Set<unknown>();
      for (const [place, { name }] of items(container['env']).entries()) {
        if (names.has(name)) warnings.push(`${path}.${list}[${index}].env[${place}].name: duplicate name ${goQuote(String(name))}`);
        names.add(name);
      }
    }
}
