import { goTime } from '../age.ts';
import { at, type Dict, listAt, stringsAt, textAt } from '../values.ts';
import { selectorText, writeAnnotations, writeLabels } from './parts.ts';
import type { DescribeWriter } from './writer.ts';

export function describeNetworkPolicy(writer: DescribeWriter, policy: Dict): void {
  writer.line(0, 'Name:', textAt(policy, 'metadata', 'name'));
  writer.line(0, 'Namespace:', textAt(policy, 'metadata', 'namespace'));
  writer.line(0, 'Created on:', goTime(at(policy, 'metadata', 'creationTimestamp')));
  writeLabels(writer, policy);
  writeAnnotations(writer, stringsAt(policy, 'metadata', 'annotations'));
  const types = listAt(policy, 'spec', 'policyTypes').map(String);
  const selector = at(policy, 'spec', 'podSelector');
  const selects =
    selectorText(selector) === '<none>' ? '<none> (Allowing the specific traffic to all pods in this namespace)' : selectorText(selector);
  writer.write(0, 'Spec:\n');
  writer.line(1, `PodSelector:     ${selects}`);
  for (const [type, title, field, peers, word] of [
    ['Ingress', 'ingress', 'ingress', 'from', 'From'],
    ['Egress', 'egress', 'egress', 'to', 'To'],
  ] as const) {
    if (!types.includes(type)) {
      writer.write(1, `Not affecting ${title} traffic\n`);
      continue;
    }
    writer.write(1, `Allowing ${title} traffic:\n`);
    const rules = listAt(policy, 'spec', field);
    if (rules.length === 0) writer.write(2, `<none> (Selected pods are isolated for ${title} connectivity)\n`);
    for (const [index, rule] of rules.entries()) {
      writePorts(writer, listAt(rule, 'ports'));
      writePeers(writer, word, listAt(rule, peers));
      if (index < rules.length - 1) writer.write(2, '----------\n');
    }
  }
  writer.write(1, `Policy Types: ${types.join(', ')}\n`);
}

function writePorts(writer: DescribeWriter, ports: readonly unknown[]): void {
  if (ports.length === 0) writer.write(2, 'To Port: <any> (traffic allowed to all ports)\n');
  for (const port of ports) {
    const number = at(port, 'port');
    writer.write(2, `To Port: ${number === undefined ? '<any>' : String(number)}/${textAt(port, 'protocol') || 'TCP'}\n`);
  }
}

function writePeers(writer: DescribeWriter, word: string, peers: readonly unknown[]): void {
  if (peers.length === 0) writer.write(2, `${word}: <any> (traffic not restricted by ${word === 'To' ? 'destination' : 'source'})\n`);
  for (const peer of peers) {
    writer.write(2, `${word}:\n`);
    const [pods, namespaces, block] = [at(peer, 'podSelector'), at(peer, 'namespaceSelector'), at(peer, 'ipBlock')];
    if (namespaces !== undefined) writer.write(3, `NamespaceSelector: ${selectorText(namespaces)}\n`);
    if (pods !== undefined) writer.write(3, `PodSelector: ${selectorText(pods)}\n`);
    if (block !== undefined) {
      writer.write(3, 'IPBlock:\n');
      writer.write(4, `CIDR: ${textAt(block, 'cidr')}\n`);
      writer.write(4, `Except: ${listAt(block, 'except').map(String).join(', ')}\n`);
    }
  }
}
