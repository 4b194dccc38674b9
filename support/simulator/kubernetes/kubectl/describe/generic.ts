import { goValueText } from '../printers.ts';
import { type Dict, isDict, sortedKeys } from '../values.ts';
import { writeHead } from './parts.ts';
import type { DescribeWriter } from './writer.ts';

const skipped = new Set(['.metadata.managedFields', '.metadata.name', '.metadata.namespace', '.metadata.labels', '.metadata.annotations']);

/** Kinds that kubectl does not know: all their fields, under labels made from the field names. */
export function describeGeneric(writer: DescribeWriter, object: Dict): void {
  writeHead(writer, object);
  writeContent(writer, 0, object, '');
}

function writeContent(writer: DescribeWriter, level: number, content: Dict, prefix: string): void {
  for (const field of sortedKeys(content)) {
    const path = `${prefix}.${field}`;
    if (skipped.has(path)) continue;
    const value = content[field];
    const label = labelFor(field);
    if (isDict(value)) {
      writer.line(level, `${label}:`);
      writeContent(writer, level + 1, value, path);
    } else if (Array.isArray(value)) {
      writer.line(level, `${label}:`);
      for (const item of value) {
        if (isDict(item)) writeContent(writer, level + 1, item, path);
        else writer.line(level + 1, goValueText(item));
      }
    } else writer.line(level, `${label}:`, goValueText(value));
  }
}

const acronyms = new Set(['API', 'URL', 'UID', 'OSB', 'GUID']);

/** `peerASN` → `Peer ASN`; a name with other characters than letters and dashes stays as it is. */
export function labelFor(field: string): string {
  if (/[^\p{L}-]/u.test(field)) return field;
  return (field.match(/\p{Lu}+(?=\p{Lu}\p{Ll})|\p{Lu}?\p{Ll}+|\p{Lu}+|-+/gu) ?? [field])
    .map((part) => (acronyms.has(part.toUpperCase()) ? part.toUpperCase() : part[0]?.toUpperCase() + part.slice(1)))
    .join(' ');
}
