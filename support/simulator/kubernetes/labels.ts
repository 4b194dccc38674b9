import type { LabelSelector } from './types.ts';

type Labels = Readonly<Record<string, string>>;
type Requirement = NonNullable<LabelSelector['matchExpressions']>[number];

/** A selector's text that does not parse, in the words of apimachinery's label parser. */
export class SelectorError extends Error {}

/** Undefined selects nothing and an empty selector everything, as in the API (`LabelSelectorAsSelector`). */
export function matchesSelector(selector: LabelSelector | undefined, labels: Labels | undefined): boolean {
  if (selector === undefined) return false;
  const { matchLabels } = selector;
  for (const key in matchLabels) if (labels?.[key] !== matchLabels[key]) return false;
  for (const requirement of selector.matchExpressions ?? []) if (!matchesRequirement(requirement, labels)) return false;
  return true;
}

/** `spec.selector` of a Service: a plain map; an absent or empty one selects nothing. */
export function matchesMap(selector: Labels | undefined, labels: Labels | undefined): boolean {
  if (selector === undefined) return false;
  let isBare = true;
  for (const key in selector) {
    if (labels?.[key] !== selector[key]) return false;
    isBare = false;
  }
  return !isBare;
}

function matchesRequirement(requirement: Requirement, labels: Labels | undefined): boolean {
  const value = labels !== undefined && Object.hasOwn(labels, requirement.key) ? labels[requirement.key] : undefined;
  switch (requirement.operator) {
    case 'In':
      return value !== undefined && (requirement.values ?? []).includes(value);
    case 'NotIn':
      return value === undefined || !(requirement.values ?? []).includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
  }
}

/** Parses the syntax of `kubectl -l`: `a=b,c==d,e!=f,g in (h,i),j notin (k),l,!m`. @throws SelectorError */
export function parseSelector(text: string): LabelSelector {
  const matchExpressions: Requirement[] = [];
  const matchLabels: Record<string, string> = {};
  const scanner = new Scanner(text);
  if (scanner.peek() === '') return {};
  for (;;) {
    if (scanner.peek() === '!') {
      scanner.next();
      matchExpressions.push({ key: scanner.word(), operator: 'DoesNotExist' });
    } else {
      const key = scanner.word();
      const operator = scanner.peek();
      if (operator === '=' || operator === '==') {
        scanner.next();
        const value = scanner.value();
        if (Object.hasOwn(matchLabels, key) && matchLabels[key] !== value) matchExpressions.push({ key, operator: 'In', values: [value] });
        else matchLabels[key] = value;
      } else if (operator === '!=') {
        scanner.next();
        matchExpressions.push({ key, operator: 'NotIn', values: [scanner.value()] });
      } else if (operator === 'in' || operator === 'notin') {
        scanner.next();
        matchExpressions.push({ key, operator: operator === 'in' ? 'In' : 'NotIn', values: scanner.values() });
      } else if (operator === '' || operator === ',') {
        matchExpressions.push({ key, operator: 'Exists' });
      } else {
        throw new SelectorError(`found '${operator}', expected: in, notin, =, ==, !=, gt, lt`);
      }
    }
    const separator = scanner.next();
    if (separator === '') break;
    if (separator !== ',') throw new SelectorError(`found '${separator}', expected: ',' or 'end of string'`);
    if (scanner.peek() === '') throw new SelectorError("found '', expected: identifier after ','");
  }
  const found = Object.keys(matchLabels).length > 0;
  return { ...(found ? { matchLabels } : {}), ...(matchExpressions.length > 0 ? { matchExpressions } : {}) };
}

/** The text form with sorted keys, as `kubectl get` prints selectors and as status.selector holds it. */
export function formatSelector(selector: LabelSelector | undefined): string {
  if (selector === undefined) return '<none>';
  const parts: { key: string; text: string }[] = [];
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) parts.push({ key, text: `${key}=${value}` });
  for (const { key, operator, values } of selector.matchExpressions ?? []) {
    const list = [...(values ?? [])].sort().join(',');
    const text =
      operator === 'In' ? `${key} in (${list})` : operator === 'NotIn' ? `${key} notin (${list})` : operator === 'Exists' ? key : `!${key}`;
    parts.push({ key, text });
  }
  if (parts.length === 0) return '<none>';
  return parts
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map((part) => part.text)
    .join(',');
}

/** `a=b,c=d` with sorted keys, `<none>` when empty. */
export function formatLabels(labels: Labels | undefined): string {
  const entries = Object.entries(labels ?? {});
  if (entries.length === 0) return '<none>';
  return entries
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(',');
}

class Scanner {
  readonly #tokens: string[];
  #index = 0;

  constructor(text: string) {
    this.#tokens = text.match(/\s*(==|!=|[=!,()]|[^\s=!,()]+)/g)?.map((token) => token.trim()) ?? [];
  }

  peek(): string {
    return this.#tokens[this.#index] ?? '';
  }

  next(): string {
    return this.#tokens[this.#index++] ?? '';
  }

  word(): string {
    const token = this.next();
    if (!/^[^=!,()]+$/.test(token)) throw new SelectorError(`found '${token}', expected: !, identifier, or 'end of string'`);
    return checkKey(token);
  }

  /** May be empty: `a=` selects the empty value. */
  value(): string {
    const token = this.peek();
    if (token === '' || token === ',') return '';
    if (!/^[^=!,()]+$/.test(token)) throw new SelectorError(`found '${token}', expected: identifier`);
    this.#index++;
    if (!/^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/.test(token) || token.length > 63)
      throw new SelectorError(`values[0][key]: Invalid value: ${JSON.stringify(token)}: ${labelValueMessage}`);
    return token;
  }

  values(): string[] {
    const open = this.next();
    if (open !== '(') throw new SelectorError(`found '${open}' expected: '('`);
    const values: string[] = [];
    for (;;) {
      const token = this.next();
      if (token === ')') return values.length === 0 ? [''] : values;
      if (token === '') throw new SelectorError("found '', expected: ',' or ')'");
      if (token !== ',') values.push(token);
    }
  }
}

const labelValueMessage =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

function checkKey(key: string): string {
  const name = key.includes('/') ? key.slice(key.indexOf('/') + 1) : key;
  if (/^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/.test(name) && name.length <= 63) return key;
  throw new SelectorError(
    `key: Invalid value: ${JSON.stringify(key)}: name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
  );
}
