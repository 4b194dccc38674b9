import type { FieldCause } from '../types.ts';
import { isObject } from './decode.ts';
import { fieldInvalid, fieldNotSupported, fieldRequired } from './errors.ts';

// The rules that many kinds share, in the words of Kubernetes 1.27 (`apimachinery/pkg/util/validation`, `pkg/apis/core/validation`).

export const subdomainMessage =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
export const labelMessage =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
export const label1035Message =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const qualifiedNameMessage =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const labelValueMessage =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

export const isSubdomain = (text: string): boolean =>
  text.length <= 253 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(text);
export const isLabel = (text: string): boolean => text.length <= 63 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(text);

export function validateLabels(labels: unknown, path: string, causes: FieldCause[]): void {
  for (const [key, value] of Object.entries(isObject(labels) ? labels : {})) {
    validateQualifiedName(key, path, causes, key);
    const text = String(value);
    if (text.length > 63) causes.push(fieldInvalid(path, text, 'must be no more than 63 characters'));
    if (!/^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/.test(text)) causes.push(fieldInvalid(path, text, labelValueMessage));
  }
}

export function validateQualifiedName(key: string, path: string, causes: FieldCause[], shown: string): void {
  const parts = key.split('/');
  const [prefix, name] = parts.length === 2 ? [parts[0], parts[1] ?? ''] : [undefined, key];
  if (parts.length > 2) {
    causes.push(
      fieldInvalid(
        path,
        shown,
        `a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
      ),
    );
    return;
  }
  if (prefix === '') causes.push(fieldInvalid(path, shown, 'prefix part must be non-empty'));
  else if (prefix !== undefined && !isSubdomain(prefix)) causes.push(fieldInvalid(path, shown, `prefix part ${subdomainMessage}`));
  if (name === '') causes.push(fieldInvalid(path, shown, 'name part must be non-empty'));
  else if (name.length > 63) causes.push(fieldInvalid(path, shown, 'name part must be no more than 63 characters'));
  if (!/^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/.test(name)) causes.push(fieldInvalid(path, shown, qualifiedNameMessage));
}

export function validatePort(port: unknown, path: string, causes: FieldCause[]): void {
  if (typeof port === 'number' && (port < 1 || port > 65535))
    causes.push(fieldInvalid(path, port, 'must be between 1 and 65535, inclusive'));
}

export function validateProtocol(protocol: unknown, path: string, causes: FieldCause[]): void {
  if (protocol === undefined || protocol === '') causes.push(fieldRequired(path));
  else if (!['SCTP', 'TCP', 'UDP'].includes(String(protocol))) causes.push(fieldNotSupported(path, protocol, ['SCTP', 'TCP', 'UDP']));
}

export function validatePortName(name: string, path: string, causes: FieldCause[]): void {
  if (name.length > 15) causes.push(fieldInvalid(path, name, 'must be no more than 15 characters'));
  if (!/^[-a-z0-9]+$/.test(name))
    causes.push(fieldInvalid(path, name, 'must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)'));
  if (!/[a-z]/.test(name)) causes.push(fieldInvalid(path, name, 'must contain at least one letter (a-z)'));
  if (name.includes('--')) causes.push(fieldInvalid(path, name, 'must not contain consecutive hyphens'));
  if (name.startsWith('-') || name.endsWith('-')) causes.push(fieldInvalid(path, name, 'must not begin or end with a hyphen'));
}
