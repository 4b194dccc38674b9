import { byText, type Dict, isDict, listAt, stringsAt, textAt } from '../values.ts';
import { writeAnnotations, writeLabels } from './parts.ts';
import type { DescribeWriter } from './writer.ts';

/** Roles and bindings, as kubectl's describe.go and util/rbac print them. */

interface Rule {
  readonly verbs: string[];
  readonly groups: readonly string[];
  readonly resources: readonly string[];
  readonly names: readonly string[];
  readonly urls: readonly string[];
}

function writeRoleHead(writer: DescribeWriter, object: Dict): void {
  writer.line(0, 'Name:', textAt(object, 'metadata', 'name'));
  writeLabels(writer, object);
  writeAnnotations(writer, stringsAt(object, 'metadata', 'annotations'));
}

export function describeRole(writer: DescribeWriter, role: Dict): void {
  writeRoleHead(writer, role);
  writer.line(0, 'PolicyRule:');
  writer.line(1, 'Resources', 'Non-Resource URLs', 'Resource Names', 'Verbs');
  writer.line(1, '---------', '-----------------', '--------------', '-----');
  const rules = listAt(role, 'rules').filter(isDict).flatMap(brokenDown);
  for (const rule of compacted(rules).sort((a, b) => byText(textOf(a), textOf(b))))
    writer.line(1, resourceText(rule), goList(rule.urls), goList(rule.names), goList(rule.verbs));
}

/** One rule for each verb, resource and name. */
function brokenDown(rule: Dict): Rule[] {
  const texts = (field: string): readonly string[] => listAt(rule, field).map(String);
  const names: readonly (readonly string[])[] = texts('resourceNames').length === 0 ? [[]] : texts('resourceNames').map((name) => [name]);
  const ofResources = texts('apiGroups').flatMap((group) =>
    texts('resources').flatMap((resource) =>
      texts('verbs').flatMap((verb) =>
        names.map((name) => ({ verbs: [verb], groups: [group], resources: [resource], names: name, urls: [] })),
      ),
    ),
  );
  const ofUrls = texts('nonResourceURLs').flatMap((url) =>
    texts('verbs').map((verb) => ({ verbs: [verb], groups: [], resources: [], names: [], urls: [url] })),
  );
  return [...ofResources, ...ofUrls];
}

/** Rules that differ only by their verb become one; those of URLs stay as they are. */
function compacted(rules: readonly Rule[]): Rule[] {
  const found: Rule[] = rules.filter(({ urls }) => urls.length > 0);
  const byTarget = new Map<string, Rule>();
  for (const rule of rules) {
    if (rule.urls.length > 0) continue;
    const target = JSON.stringify([rule.groups, rule.resources, rule.names]);
    const known = byTarget.get(target);
    if (known === undefined) byTarget.set(target, { ...rule, verbs: [...rule.verbs] });
    else for (const verb of rule.verbs) if (!known.verbs.includes(verb)) known.verbs.push(verb);
  }
  return [...found, ...byTarget.values()];
}

/** The text by which the real one sorts. */
function textOf({ verbs, groups, resources, names, urls }: Rule): string {
  return `&PolicyRule{Verbs:${goList(verbs)},APIGroups:${goList(groups)},Resources:${goList(resources)},ResourceNames:${goList(names)},NonResourceURLs:${goList(urls)},}`;
}

function goList(values: readonly string[]): string {
  return `[${values.join(' ')}]`;
}

function resourceText({ resources, groups }: Rule): string {
  const [resource] = resources;
  if (resource === undefined) return '';
  const [name, subresource] = resource.split(/\/(.*)/s) as [string, string | undefined];
  const group = groups[0] ?? '';
  return `${name}${group === '' ? '' : `.${group}`}${subresource === undefined ? '' : `/${subresource}`}`;
}

export function describeBinding(writer: DescribeWriter, binding: Dict): void {
  writeRoleHead(writer, binding);
  writer.line(0, 'Role:');
  writer.line(1, 'Kind:', textAt(binding, 'roleRef', 'kind'));
  writer.line(1, 'Name:', textAt(binding, 'roleRef', 'name'));
  writer.line(0, 'Subjects:');
  writer.line(1, 'Kind', 'Name', 'Namespace');
  writer.line(1, '----', '----', '---------');
  for (const subject of listAt(binding, 'subjects'))
    writer.line(1, textAt(subject, 'kind'), textAt(subject, 'name'), textAt(subject, 'namespace'));
}
