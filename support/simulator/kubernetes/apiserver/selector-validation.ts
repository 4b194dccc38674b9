import type { FieldCause } from '../types.ts';
import { fieldForbidden, fieldInvalid, fieldRequired, GoLiteral, goQuote } from './errors.ts';
import { items, labels, qualifiedName, record } from './rules.ts';

/** `ValidateLabelSelector` of apimachinery. */
export function validateSelector(selector: unknown, path: string, causes: FieldCause[]): void {
  const { matchLabels, matchExpressions } = record(selector);
  labels(matchLabels, `${path}.matchLabels`, causes);
  for (const [index, requirement] of items(matchExpressions).entries()) {
    const at = `${path}.matchExpressions[${index}]`;
    const count = ((requirement['values'] ?? []) as readonly unknown[]).length;
    const { operator } = requirement;
    if (operator === 'In' || operator === 'NotIn') {
      if (count === 0) causes.push(fieldRequired(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
    } else if (operator === 'Exists' || operator === 'DoesNotExist') {
      if (count > 0) causes.push(fieldForbidden(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
    } else causes.push(fieldInvalid(`${at}.operator`, operator ?? '', 'not a valid selector operator'));
    qualifiedName(requirement['key'], `${at}.key`, causes);
  }
}

/** `%#v` of a label selector. */
export function goSelector(selector: unknown): GoLiteral {
  const { matchLabels, matchExpressions } = record(selector);
  const texts = (list: unknown): string =>
    list === undefined || list === null ? '[]string(nil)' : `[]string{${(list as string[]).map(goQuote).join(', ')}}`;
  const requirements = items(matchExpressions).map(
    (item) =>
      `v1.LabelSelectorRequirement{Key:${goQuote(String(item['key'] ?? ''))}, Operator:${goQuote(String(item['operator'] ?? ''))}, Values:${texts(item['values'])}}`,
  );
  const list = matchExpressions === undefined ? '(nil)' : `{${requirements.join(', ')}}`;
  return new GoLiteral(
    `v1.LabelSelector{MatchLabels:${goLabels(matchLabels).text}, MatchExpressions:[]v1.LabelSelectorRequirement${list}}`,
  );
}

/** `%#v` of labels. */
export function goLabels(value: unknown): GoLiteral {
  if (value === undefined || value === null) return new GoLiteral('map[string]string(nil)');
  const entries = Object.entries(record(value)).sort(([a], [b]) => (a < b ? -1 : 1));
  return new GoLiteral(`map[string]string{${entries.map(([key, text]) => `${goQuote(key)}:${goQuote(String(text))}`).join(', ')}}`);
}
