import { at, byText, type Dict, isDict, listAt, nameOf, numberAt, stringsAt, textAt } from '../values.ts';
import { writeAnnotations, writeLabels } from './parts.ts';
import { endpointsText } from './service.ts';
import type { DescribeWriter } from './writer.ts';

/** A service behind an ingress and its slices; a text: why it could not be read. */
export type Backend = { readonly service: Dict; readonly slices: readonly Dict[] } | string;

export function describeIngress(writer: DescribeWriter, ingress: Dict, backendOf: (service: string) => Backend): void {
  const backend = (given: unknown): string => {
    const service = at(given, 'service');
    if (service === undefined) {
      const resource = at(given, 'resource');
      if (resource === undefined) return '';
      return `APIGroup: ${textAt(resource, 'apiGroup') || '<none>'}, Kind: ${textAt(resource, 'kind')}, Name: ${textAt(resource, 'name')}`;
    }
    const number = numberAt(service, 'port', 'number');
    const portName = textAt(service, 'port', 'name');
    const text = `${textAt(service, 'name')}:${number === 0 ? portName : number}`;
    const found = backendOf(textAt(service, 'name'));
    if (typeof found === 'string') return `${text} (<error: ${found}>)`;
    const port = listAt(found.service, 'spec', 'ports').find((candidate) =>
      number === 0 ? portName !== '' && textAt(candidate, 'name') === portName : numberAt(candidate, 'port') === number,
    );
    return `${text} (${endpointsText(found.slices, textAt(port, 'name'))})`;
  };
  writer.line(0, 'Name:', nameOf(ingress));
  writeLabels(writer, ingress);
  writer.line(0, 'Namespace:', textAt(ingress, 'metadata', 'namespace'));
  const addresses = listAt(ingress, 'status', 'loadBalancer', 'ingress').map((entry) => textAt(entry, 'ip') || textAt(entry, 'hostname'));
  writer.line(0, 'Address:', [...new Set(addresses)].sort(byText).join(','));
  writer.line(0, 'Ingress Class:', textAt(ingress, 'spec', 'ingressClassName') || '<none>');
  const given = at(ingress, 'spec', 'defaultBackend');
  const byDefault = given === undefined ? '<default>' : backend(given);
  writer.line(0, 'Default backend:', byDefault);
  const tls = listAt(ingress, 'spec', 'tls');
  if (tls.length > 0) writer.line(0, 'TLS:');
  for (const entry of tls) {
    const hosts = listAt(entry, 'hosts').map(String).join(',');
    writer.line(1, textAt(entry, 'secretName') === '' ? `SNI routes ${hosts}` : `${textAt(entry, 'secretName')} terminates ${hosts}`);
  }
  writer.line(0, 'Rules:');
  writer.line(1, 'Host', 'Path', 'Backends');
  writer.line(1, '----', '----', '--------');
  const rules = listAt(ingress, 'spec', 'rules').filter((rule) => isDict(at(rule, 'http')));
  for (const rule of rules) {
    writer.line(1, textAt(rule, 'host') || '*', '');
    for (const path of listAt(rule, 'http', 'paths')) writer.line(2, '', `${textAt(path, 'path')} `, backend(at(path, 'backend')));
  }
  if (rules.length === 0) writer.line(1, '*', '*', byDefault);
  writeAnnotations(writer, stringsAt(ingress, 'metadata', 'annotations'));
}

export function describeIngressClass(writer: DescribeWriter, ingressClass: Dict): void {
  writer.line(0, 'Name:', nameOf(ingressClass));
  writeLabels(writer, ingressClass);
  writeAnnotations(writer, stringsAt(ingressClass, 'metadata', 'annotations'));
  writer.line(0, 'Controller:', textAt(ingressClass, 'spec', 'controller'));
  const parameters = at(ingressClass, 'spec', 'parameters');
  if (parameters === undefined) return;
  writer.line(0, 'Parameters:');
  if (at(parameters, 'apiGroup') !== undefined) writer.line(1, 'APIGroup:', textAt(parameters, 'apiGroup'));
  writer.line(1, 'Kind:', textAt(parameters, 'kind'));
  writer.line(1, 'Name:', textAt(parameters, 'name'));
}
