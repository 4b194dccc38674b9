import { at, byText, type Dict, listAt, nameOf, numberAt, stringsAt, textAt } from '../values.ts';
import { labelsLine, selectorText } from './parts.ts';
import type { DescribeWriter } from './writer.ts';

/** What limits others: quotas, limit ranges, disruption budgets, priorities. */

const scopeTexts: Readonly<Record<string, string>> = {
  Terminating:
    'Matches all pods that have an active deadline. These pods have a limited lifespan on a node before being actively terminated by the system.',
  NotTerminating:
    'Matches all pods that do not have an active deadline. These pods usually include long running pods whose container command is not expected to terminate.',
  BestEffort: 'Matches all pods that do not have resource requirements set. These pods have a best effort quality of service.',
  NotBestEffort:
    'Matches all pods that have at least one resource requirement set. These pods have a burstable or guaranteed quality of service.',
};

/** @param level 1 in the description of a namespace, whose table differs in small things */
export function writeQuota(writer: DescribeWriter, quota: Dict, level: 0 | 1): void {
  const scopes = listAt(quota, 'spec', 'scopes').map(String).sort(byText);
  if (scopes.length > 0) {
    writer.line(level, 'Scopes:', scopes.join(', '));
    for (const scope of scopes) if (scopeTexts[scope] !== undefined) writer.line(level, `${level === 0 ? ' ' : ''}* ${scopeTexts[scope]}`);
  }
  writer.line(level, 'Resource', 'Used', 'Hard');
  writer.line(level, '--------', level === 0 ? '----' : '---', level === 0 ? '----' : '---');
  const hard = stringsAt(quota, 'status', 'hard');
  for (const name of Object.keys(hard).sort(byText))
    writer.line(level, name, stringsAt(quota, 'status', 'used')[name] ?? '0', hard[name] as string);
}

export function describeQuota(writer: DescribeWriter, quota: Dict): void {
  writer.line(0, 'Name:', nameOf(quota));
  writer.line(0, 'Namespace:', textAt(quota, 'metadata', 'namespace'));
  writeQuota(writer, quota, 0);
}

const limitColumns = ['Type', 'Resource', 'Min', 'Max', 'Default Request', 'Default Limit', 'Max Limit/Request Ratio'];

/** @param prefix a blank in the description of a namespace */
export function writeLimits(writer: DescribeWriter, ranges: readonly Dict[], prefix: '' | ' '): void {
  const [first, ...others] = limitColumns as [string, ...string[]];
  writer.line(0, prefix + first, ...others);
  writer.line(0, ...limitColumns.map((title, index) => (index === 0 ? prefix : '') + '-'.repeat(title.length)));
  for (const limit of ranges.flatMap((range) => listAt(range, 'spec', 'limits'))) {
    const amounts = ['min', 'max', 'defaultRequest', 'default', 'maxLimitRequestRatio'].map((field) => stringsAt(limit, field));
    const names = [...new Set(amounts.flatMap((amount) => Object.keys(amount)))].sort(byText);
    for (const name of names) writer.line(0, prefix + textAt(limit, 'type'), name, ...amounts.map((amount) => amount[name] ?? '-'));
  }
}

export function describeLimitRange(writer: DescribeWriter, range: Dict): void {
  writer.line(0, 'Name:', nameOf(range));
  writer.line(0, 'Namespace:', textAt(range, 'metadata', 'namespace'));
  writeLimits(writer, [range], '');
}

export function describeDisruptionBudget(writer: DescribeWriter, budget: Dict): void {
  writer.line(0, 'Name:', nameOf(budget));
  writer.line(0, 'Namespace:', textAt(budget, 'metadata', 'namespace'));
  const [least, most] = [at(budget, 'spec', 'minAvailable'), at(budget, 'spec', 'maxUnavailable')];
  if (least !== undefined) writer.line(0, 'Min available:', String(least));
  else if (most !== undefined) writer.line(0, 'Max unavailable:', String(most));
  const selector = at(budget, 'spec', 'selector');
  writer.line(0, 'Selector:', selector === undefined ? '<unset>' : selectorText(selector));
  writer.line(0, 'Status:');
  for (const [title, field] of [
    ['Allowed disruptions:', 'disruptionsAllowed'],
    ['Current:', 'currentHealthy'],
    ['Desired:', 'desiredHealthy'],
    ['Total:', 'expectedPods'],
  ] as const)
    writer.line(2, title, String(numberAt(budget, 'status', field)));
}

export function describePriorityClass(writer: DescribeWriter, priority: Dict): void {
  writer.line(0, 'Name:', nameOf(priority));
  writer.line(0, 'Value:', String(numberAt(priority, 'value')));
  writer.line(0, 'GlobalDefault:', String(at(priority, 'globalDefault') === true));
  writer.line(0, 'PreemptionPolicy:', textAt(priority, 'preemptionPolicy'));
  writer.line(0, 'Description:', textAt(priority, 'description'));
  writer.line(0, 'Annotations:', labelsLine(stringsAt(priority, 'metadata', 'annotations')));
}
