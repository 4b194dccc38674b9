import type { FieldCause } from '../types.ts';
import { isObject } from './decode.ts';
import { fieldForbidden, fieldInvalid, fieldNotSupported, fieldRequired, GoLiteral } from './errors.ts';
import {
  isLabel,
  isSubdomain,
  labelMessage,
  subdomainMessage,
  validateLabels,
  validatePort,
  validatePortName,
  validateQualifiedName,
} from './field-rules.ts';

// Rules of single fields. A kind's validation is a table of these in the order in which the real server looks at the fields.

export type Json = Readonly<Record<string, unknown>>;

/** Looks at a value; what is not set passes unless the rule says otherwise. */
export type Rule = (value: unknown, at: string, causes: FieldCause[]) => void;
export type Rules = readonly (readonly [field: string, ...rules: Rule[]])[];

export function items(value: unknown): readonly Json[] {
  return Array.isArray(value) ? (value as Json[]) : [];
}

export function record(value: unknown): Json {
  return isObject(value) ? value : {};
}

export function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? (value as string[]) : [];
}

export function isUnset(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

export function check(object: Json, at: string, causes: FieldCause[], rules: Rules): void {
  for (const entry of rules) {
    const [field] = entry;
    const value = object[field];
    const path = at === '' ? field : `${at}.${field}`;
    for (let index = 1; index < entry.length; index++) (entry[index] as Rule)(value, path, causes);
  }
}

const set =
  (rule: Rule): Rule =>
  (value, at, causes) => {
    if (!isUnset(value)) rule(value, at, causes);
  };

export const required =
  (detail = ''): Rule =>
  (value, at, causes) => {
    if (isUnset(value)) causes.push(fieldRequired(at, detail));
  };

export const atLeastZero: Rule = (value, at, causes) => {
  if (typeof value === 'number' && value < 0) causes.push(fieldInvalid(at, value, 'must be greater than or equal to 0'));
};

export const between =
  (lowest: number, highest: number, words = `must be between ${lowest} and ${highest}, inclusive`): Rule =>
  (value, at, causes) => {
    if (typeof value === 'number' && (value < lowest || value > highest)) causes.push(fieldInvalid(at, value, words));
  };

export const oneOf = (...supported: readonly string[]): Rule =>
  set((value, at, causes) => {
    if (!supported.includes(String(value))) causes.push(fieldNotSupported(at, value, supported));
  });

export const subdomain: Rule = set((value, at, causes) => {
  if (!isSubdomain(String(value))) causes.push(fieldInvalid(at, value, subdomainMessage));
});

export const label: Rule = set((value, at, causes) => {
  const text = String(value);
  if (text.length > 63) causes.push(fieldInvalid(at, text, 'must be no more than 63 characters'));
  if (!isLabel(text.slice(0, 63).replace(/-+$/, text.length > 63 ? '' : '$&'))) causes.push(fieldInvalid(at, text, labelMessage));
});

export const qualifiedName: Rule = (value, at, causes) => validateQualifiedName(String(value ?? ''), at, causes, String(value ?? ''));

export const labels: Rule = (value, at, causes) => validateLabels(value, at, causes);

export const portNumberOrName: Rule = (value, at, causes) => {
  if (typeof value === 'string') validatePortName(value, at, causes);
  else validatePort(value ?? 0, at, causes);
};

export const noBacksteps: Rule = (value, at, causes) => {
  if (typeof value === 'string' && value.split('/').includes('..')) causes.push(fieldInvalid(at, value, "must not contain '..'"));
};

export const relativePath: Rule = (value, at, causes) => {
  if (typeof value === 'string' && value.startsWith('/')) causes.push(fieldInvalid(at, value, 'must be a relative path'));
  noBacksteps(value, at, causes);
};

export const configKeyMessage =
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

export const configKey: Rule = (value, at, causes) => {
  const key = String(value);
  if (key.length > 253) causes.push(fieldInvalid(at, key, 'must be no more than 253 characters'));
  if (!/^[-._a-zA-Z0-9]+$/.test(key)) causes.push(fieldInvalid(at, key, configKeyMessage));
  else if (key === '.' || key === '..') causes.push(fieldInvalid(at, key, `must not be '${key}'`));
  else if (key.startsWith('..')) causes.push(fieldInvalid(at, key, "must not start with '..'"));
};

export const fileMode: Rule = between(0, 0o777, 'must be a number between 0 and 0777 (octal), both inclusive');

export const userId: Rule = between(0, 2_147_483_647);

const percentMessage =
  "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";

/** `%#v` of an IntOrString. */
export function goIntOrString(value: unknown): GoLiteral {
  return new GoLiteral(
    typeof value === 'string'
      ? `intstr.IntOrString{Type:1, IntVal:0, StrVal:${JSON.stringify(value)}}`
      : `intstr.IntOrString{Type:0, IntVal:${Number(value ?? 0)}, StrVal:""}`,
  );
}

export const countOrPercent: Rule = (value, at, causes) => {
  if (typeof value === 'string') {
    if (!/^[0-9]+%$/.test(value)) causes.push(fieldInvalid(at, goIntOrString(value), percentMessage));
  } else atLeastZero(value, at, causes);
};

export const atMostAll: Rule = (value, at, causes) => {
  if (typeof value === 'string' && /^[0-9]+%$/.test(value) && Number.parseInt(value, 10) > 100)
    causes.push(fieldInvalid(at, goIntOrString(value), 'must not be greater than 100%'));
};

/** Exactly one of several kinds of a thing (`what`): a handler, a peer… Each has rules of its own. */
export function checkOneOf(object: Json, at: string, causes: FieldCause[], kinds: Readonly<Record<string, Rule>>, what: string): number {
  let count = 0;
  for (const [kind, rule] of Object.entries(kinds)) {
    if (object[kind] === undefined || object[kind] === null) continue;
    count++;
    if (count > 1) causes.push(fieldForbidden(`${at}.${kind}`, `may not specify more than 1 ${what}`));
    else rule(object[kind], `${at}.${kind}`, causes);
  }
  return count;
}

/** A rule made of a table. */
export const all =
  (rules: Rules): Rule =>
  (value, at, causes) =>
    check(record(value), at, causes, rules);

export const each =
  (rule: Rule): Rule =>
  (value, at, causes) => {
    if (Array.isArray(value)) for (const [index, item] of value.entries()) rule(item, `${at}[${index}]`, causes);
  };

export const pass: Rule = () => {};
