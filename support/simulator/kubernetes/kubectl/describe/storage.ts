import { ageOf } from '../age.ts';
import { at, byText, type Dict, listAt, nameOf, stringsAt, textAt } from '../values.ts';
import { labelsLine, writeAnnotations, writeLabels } from './parts.ts';
import type { DescribeWriter } from './writer.ts';

const modeTexts: Readonly<Record<string, string>> = {
  ReadWriteOnce: 'RWO',
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOncePod: 'RWOP',
};

/** @param pods those of the namespace */
export function describeClaim(writer: DescribeWriter, claim: Dict, pods: readonly Dict[], now: number): void {
  writer.line(0, 'Name:', nameOf(claim));
  writer.line(0, 'Namespace:', textAt(claim, 'metadata', 'namespace'));
  const annotations = stringsAt(claim, 'metadata', 'annotations');
  writer.line(0, 'StorageClass:', annotations['volume.beta.kubernetes.io/storage-class'] ?? textAt(claim, 'spec', 'storageClassName'));
  const deletion = at(claim, 'metadata', 'deletionTimestamp');
  writer.line(0, 'Status:', deletion === undefined ? textAt(claim, 'status', 'phase') : `Terminating (lasts ${ageOf(deletion, now)})`);
  const volume = textAt(claim, 'spec', 'volumeName');
  writer.line(0, 'Volume:', volume);
  writeLabels(writer, claim);
  writeAnnotations(writer, annotations);
  writer.line(0, 'Finalizers:', `[${listAt(claim, 'metadata', 'finalizers').map(String).join(' ')}]`);
  writer.line(0, 'Capacity:', volume === '' ? '' : (stringsAt(claim, 'status', 'capacity').storage ?? '0'));
  const modes = listAt(claim, 'status', 'accessModes').map(String);
  const shown = Object.keys(modeTexts).filter((mode) => modes.includes(mode));
  writer.line(0, 'Access Modes:', volume === '' ? '' : shown.map((mode) => modeTexts[mode]).join(','));
  if (at(claim, 'spec', 'volumeMode') !== undefined) writer.line(0, 'VolumeMode:', textAt(claim, 'spec', 'volumeMode'));
  const source = at(claim, 'spec', 'dataSource');
  if (source !== undefined) {
    writer.line(0, 'DataSource:');
    if (at(source, 'apiGroup') !== undefined) writer.line(1, 'APIGroup:', textAt(source, 'apiGroup'));
    writer.line(1, 'Kind:', textAt(source, 'kind'));
    writer.line(1, 'Name:', textAt(source, 'name'));
  }
  const users = pods
    .filter((pod) => listAt(pod, 'spec', 'volumes').some((one) => textAt(one, 'persistentVolumeClaim', 'claimName') === nameOf(claim)))
    .map(nameOf);
  writer.list('Used By:', users.sort(byText));
}

export function describeStorageClass(writer: DescribeWriter, storage: Dict): void {
  const annotations = stringsAt(storage, 'metadata', 'annotations');
  const isDefault = ['storageclass.kubernetes.io/is-default-class', 'storageclass.beta.kubernetes.io/is-default-class'].some(
    (key) => annotations[key] === 'true',
  );
  writer.line(0, 'Name:', nameOf(storage));
  writer.line(0, 'IsDefaultClass:', isDefault ? 'Yes' : 'No');
  writer.line(0, 'Annotations:', labelsLine(annotations));
  writer.line(0, 'Provisioner:', textAt(storage, 'provisioner'));
  writer.line(0, 'Parameters:', labelsLine(stringsAt(storage, 'parameters')));
  const expansion = at(storage, 'allowVolumeExpansion');
  writer.line(0, 'AllowVolumeExpansion:', expansion === undefined ? '<unset>' : expansion === true ? 'True' : 'False');
  const options = listAt(storage, 'mountOptions').map(String);
  if (options.length === 0) writer.line(0, 'MountOptions:', '<none>');
  else {
    writer.line(0, 'MountOptions:');
    for (const option of options) writer.line(1, option);
  }
  if (at(storage, 'reclaimPolicy') !== undefined) writer.line(0, 'ReclaimPolicy:', textAt(storage, 'reclaimPolicy'));
  if (at(storage, 'volumeBindingMode') !== undefined) writer.line(0, 'VolumeBindingMode:', textAt(storage, 'volumeBindingMode'));
}
