import type { FieldCause } from '../types.ts';
import { fieldDuplicate, fieldInvalid, fieldNotSupported, fieldRequired } from './errors.ts';
import { downwardFile } from './pod-validation.ts';
import {
  all,
  between,
  check,
  checkOneOf,
  each,
  fileMode,
  isUnset,
  items,
  type Json,
  label,
  noBacksteps,
  pass,
  type Rule,
  record,
  relativePath,
  required,
} from './rules.ts';

// Volumes of pods (Kubernetes 1.27 `pkg/apis/core/validation`).

const hostPathTypes = ['', 'BlockDevice', 'CharDevice', 'Directory', 'DirectoryOrCreate', 'File', 'FileOrCreate', 'Socket'];

const keyToPath: Rule = all([
  ['key', required()],
  ['path', required(), relativePath],
  ['mode', fileMode],
]);

const keyed = (nameField: string): Rule =>
  all([
    [nameField, required()],
    ['defaultMode', fileMode],
    ['items', each(keyToPath)],
  ]);

export const hostPath: Rule = (value, at, causes) => {
  const { path, type } = record(value);
  if (isUnset(path)) return void causes.push(fieldRequired(`${at}.path`));
  noBacksteps(path, `${at}.path`, causes);
  if (type !== undefined && !hostPathTypes.includes(String(type))) causes.push(fieldNotSupported(`${at}.type`, type, hostPathTypes));
};

export const nfs: Rule = (value, at, causes) => {
  check(record(value), at, causes, [
    ['server', required()],
    ['path', required()],
  ]);
  const { path } = record(value);
  if (typeof path === 'string' && path !== '' && !path.startsWith('/'))
    causes.push(fieldInvalid(`${at}.path`, path, 'must be an absolute path'));
};

const projections: Readonly<Record<string, Rule>> = {
  secret: all([
    ['name', required()],
    ['items', each(keyToPath)],
  ]),
  configMap: all([
    ['name', required()],
    ['items', each(keyToPath)],
  ]),
  downwardAPI: all([['items', each(downwardFileLate())]]),
  serviceAccountToken: all([
    ['expirationSeconds', between(600, 2 ** 32, 'may not specify a duration less than 10 minutes')],
    ['path', required(), relativePath],
  ]),
};

/** The two files need each other. */
function downwardFileLate(): Rule {
  return (value, at, causes) => downwardFile(value, at, causes);
}

const projected: Rule = (value, at, causes) => {
  check(record(value), at, causes, [['defaultMode', fileMode]]);
  for (const [index, source] of items(record(value)['sources']).entries())
    checkOneOf(source, `${at}.sources[${index}]`, causes, projections, 'volume type per source');
};

/** In the order in which the real server counts them; of those without rules here only the number is checked. */
const sources: Readonly<Record<string, Rule>> = {
  emptyDir: pass,
  hostPath,
  gitRepo: pass,
  gcePersistentDisk: pass,
  awsElasticBlockStore: pass,
  secret: keyed('secretName'),
  nfs,
  iscsi: pass,
  glusterfs: pass,
  flocker: pass,
  persistentVolumeClaim: all([['claimName', required()]]),
  rbd: pass,
  cinder: pass,
  cephfs: pass,
  quobyte: pass,
  downwardAPI: all([
    ['defaultMode', fileMode],
    ['items', each(downwardFileLate())],
  ]),
  fc: pass,
  flexVolume: pass,
  configMap: keyed('name'),
  azureFile: pass,
  vsphereVolume: pass,
  photonPersistentDisk: pass,
  portworxVolume: pass,
  azureDisk: pass,
  storageos: pass,
  projected,
  scaleIO: pass,
  csi: all([['driver', required()]]),
  ephemeral: all([['volumeClaimTemplate', required()]]),
};

/** @returns the names that containers may mount */
export function validateVolumes(spec: Json, path: string, causes: FieldCause[]): ReadonlySet<unknown> {
  const names = new Set<unknown>();
  for (const [index, volume] of items(spec['volumes']).entries()) {
    const at = `${path}.volumes[${index}]`;
    const own: FieldCause[] = [];
    if (checkOneOf(volume, at, own, sources, 'volume type') === 0) own.push(fieldRequired(at, 'must specify a volume type'));
    const { name } = volume;
    if (isUnset(name)) own.push(fieldRequired(`${at}.name`));
    else {
      label(name, `${at}.name`, own);
      if (names.has(name)) own.push(fieldDuplicate(`${at}.name`, name));
    }
    if (own.length === 0) names.add(name);
    causes.push(...own);
  }
  return names;
}
