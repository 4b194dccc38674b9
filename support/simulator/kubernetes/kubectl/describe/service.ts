import { at, type Dict, isDict, listAt, numberAt, stringsAt, textAt } from '../values.ts';
import { labelsLine, writeHead } from './parts.ts';
import type { DescribeWriter } from './writer.ts';

export function describeService(writer: DescribeWriter, service: Dict, slices: readonly Dict[]): void {
  const texts = (...path: string[]): string =>
    listAt(service, ...path)
      .map(String)
      .join(',');
  writeHead(writer, service);
  writer.line(0, 'Selector:', labelsLine(stringsAt(service, 'spec', 'selector')));
  writer.line(0, 'Type:', textAt(service, 'spec', 'type'));
  if (at(service, 'spec', 'ipFamilyPolicy') !== undefined) writer.line(0, 'IP Family Policy:', textAt(service, 'spec', 'ipFamilyPolicy'));
  writer.line(0, 'IP Families:', texts('spec', 'ipFamilies') || '<none>');
  writer.line(0, 'IP:', textAt(service, 'spec', 'clusterIP'));
  writer.line(0, 'IPs:', texts('spec', 'clusterIPs') || '<none>');
  if (texts('spec', 'externalIPs') !== '') writer.line(0, 'External IPs:', texts('spec', 'externalIPs'));
  if (textAt(service, 'spec', 'loadBalancerIP') !== '')
    writer.line(0, 'Desired LoadBalancer IP:', textAt(service, 'spec', 'loadBalancerIP'));
  const ingress = listAt(service, 'status', 'loadBalancer', 'ingress').map((entry) => {
    const mode = at(entry, 'ipMode');
    return textAt(entry, 'ip') === ''
      ? textAt(entry, 'hostname')
      : `${textAt(entry, 'ip')}${mode === undefined ? '' : ` (${String(mode)})`}`;
  });
  if (ingress.length > 0) writer.line(0, 'LoadBalancer Ingress:', ingress.join(', '));
  if (textAt(service, 'spec', 'externalName') !== '') writer.line(0, 'External Name:', textAt(service, 'spec', 'externalName'));
  for (const port of listAt(service, 'spec', 'ports')) {
    const name = textAt(port, 'name') || '<unset>';
    const protocol = textAt(port, 'protocol') || 'TCP';
    writer.line(0, 'Port:', name, `${numberAt(port, 'port')}/${protocol}`);
    writer.line(0, 'TargetPort:', `${String(at(port, 'targetPort') ?? 0)}/${protocol}`);
    if (numberAt(port, 'nodePort') !== 0) writer.line(0, 'NodePort:', name, `${numberAt(port, 'nodePort')}/${protocol}`);
    writer.line(0, 'Endpoints:', endpointsText(slices, textAt(port, 'name')));
  }
  writer.line(0, 'Session Affinity:', textAt(service, 'spec', 'sessionAffinity'));
  if (textAt(service, 'spec', 'externalTrafficPolicy') !== '')
    writer.line(0, 'External Traffic Policy:', textAt(service, 'spec', 'externalTrafficPolicy'));
  if (textAt(service, 'spec', 'internalTrafficPolicy') !== '')
    writer.line(0, 'Internal Traffic Policy:', textAt(service, 'spec', 'internalTrafficPolicy'));
  if (numberAt(service, 'spec', 'healthCheckNodePort') !== 0)
    writer.line(0, 'HealthCheck NodePort:', String(numberAt(service, 'spec', 'healthCheckNodePort')));
  if (texts('spec', 'loadBalancerSourceRanges') !== '')
    writer.line(0, 'LoadBalancer Source Ranges:', texts('spec', 'loadBalancerSourceRanges'));
}

const shownEndpoints = 3;

/** The ready endpoints of a port: three, and how many more. Slices without a ready endpoint are not the same as no slice. */
export function endpointsText(slices: readonly Dict[], portName: string): string {
  if (slices.length === 0) return '<none>';
  const all: string[] = [];
  for (const slice of slices) {
    const ready = listAt(slice, 'endpoints').filter((endpoint) => at(endpoint, 'conditions', 'ready') !== false);
    const ports = listAt(slice, 'ports');
    if (ports.length === 0) for (const endpoint of ready) all.push(String(listAt(endpoint, 'addresses')[0] ?? ''));
    for (const port of ports) {
      if (!isDict(port) || port.port === undefined || textAt(port, 'name') !== portName) continue;
      for (const endpoint of ready) {
        const address = String(listAt(endpoint, 'addresses')[0] ?? '');
        all.push(`${address.includes(':') ? `[${address}]` : address}:${numberAt(port, 'port')}`);
      }
    }
  }
  const shown = all.slice(0, shownEndpoints).join(',');
  return all.length > shownEndpoints ? `${shown} + ${all.length - shownEndpoints} more...` : shown;
}
