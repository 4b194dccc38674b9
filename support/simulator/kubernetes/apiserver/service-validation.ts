import type { FieldCause } from '../types.ts';
import { isEqual, isObject } from './decode.ts';
import { fieldDuplicate, fieldForbidden, fieldInvalid, fieldNotSupported, fieldRequired, GoLiteral, goQuote } from './errors.ts';
import {
  isLabel,
  isSubdomain,
  labelMessage,
  subdomainMessage,
  validateLabels,
  validatePort,
  validatePortName,
  validateProtocol,
  validateQualifiedName,
} from './field-rules.ts';
import { isCidr, isIpv4, isIpv6 } from './schema.ts';

// Validation of Services, Endpoints and EndpointSlices in the words and the order of Kubernetes 1.27
// (`pkg/apis/core/validation/validation.go`, `pkg/apis/discovery/validation`).

type Json = Readonly<Record<string, unknown>>;

const notAnAddress = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';
const families = ['IPv4', 'IPv6'];
const policies = ['PreferDualStack', 'RequireDualStack', 'SingleStack'];
const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const kubeletPort = 10250;
const longestAffinitySeconds = 86_400;

function items(value: unknown): readonly Json[] {
  return Array.isArray(value) ? (value as Json[]) : [];
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? (value as string[]) : [];
}

function isAddress(text: string): boolean {
  return isIpv4(text) || isIpv6(text);
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '' && value !== 0;
}

function isHeadless(spec: Json): boolean {
  const list = texts(spec['clusterIPs']);
  return list.length === 1 && list[0] === 'None';
}

/** `%#v` of a list of families. */
function goFamilies(value: unknown): GoLiteral {
  return value === undefined || value === null
    ? new GoLiteral('[]core.IPFamily(nil)')
    : new GoLiteral(`[]core.IPFamily{${texts(value).map(goQuote).join(', ')}}`);
}

function goTexts(value: unknown): unknown {
  return value === undefined || value === null ? new GoLiteral('[]string(nil)') : texts(value);
}

export function validateService(spec: Json, old: Json | undefined, causes: FieldCause[]): void {
  if (old !== undefined) validateServiceUpdate(spec, old, causes);
  const type = String(spec['type'] ?? '');
  const ports = items(spec['ports']);
  if (ports.length === 0 && !isHeadless(spec) && type !== 'ExternalName') causes.push(fieldRequired('spec.ports'));
  if (type === 'LoadBalancer')
    for (const [index, port] of ports.entries())
      if (port['port'] === kubeletPort)
        causes.push(
          fieldInvalid(`spec.ports[${index}]`, kubeletPort, `may not expose port ${kubeletPort} externally since it is used by kubelet`),
        );
  if ((type === 'LoadBalancer' || type === 'NodePort') && isHeadless(spec))
    causes.push(fieldInvalid('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${type} services`));
  if (type === 'ExternalName') validateExternalName(spec, causes);
  const names = new Set<unknown>();
  for (const [index, port] of ports.entries()) validateServicePort(port, ports.length > 1, names, `spec.ports[${index}]`, causes);
  validateLabels(spec['selector'], 'spec.selector', causes);
  validateAffinity(spec, causes);
  validateClusterIpFields(spec, causes);
  for (const [index, address] of texts(spec['externalIPs']).entries()) {
    const at = `spec.externalIPs[${index}]`;
    if (!isAddress(address)) causes.push(fieldInvalid(at, address, notAnAddress));
    else validateNonSpecial(address, at, causes);
  }
  if (!types.includes(type)) causes.push(fieldNotSupported('spec.type', type, types));
  if (type === 'ClusterIP')
    for (const [index, port] of ports.entries())
      if (isSet(port['nodePort']))
        causes.push(fieldForbidden(`spec.ports[${index}].nodePort`, "may not be used when `type` is 'ClusterIP'"));
  validateDuplicatePorts(ports, causes);
  validateLoadBalancerFields(spec, type, causes);
  validateTrafficPolicies(spec, type, causes);
}

function validateExternalName(spec: Json, causes: FieldCause[]): void {
  const forbid = (field: string): void => void causes.push(fieldForbidden(`spec.${field}`, 'may not be set for ExternalName services'));
  if (texts(spec['clusterIPs']).length > 0) forbid('clusterIPs');
  if (texts(spec['ipFamilies']).length > 0) forbid('ipFamilies');
  if (isSet(spec['ipFamilyPolicy'])) forbid('ipFamilyPolicy');
  const name = String(spec['externalName'] ?? '').replace(/\.$/, '');
  if (name === '') causes.push(fieldRequired('spec.externalName'));
  else if (!isSubdomain(name)) causes.push(fieldInvalid('spec.externalName', name, subdomainMessage));
}

function validateServicePort(port: Json, needsName: boolean, names: Set<unknown>, at: string, causes: FieldCause[]): void {
  const { name, appProtocol, targetPort } = port;
  if (typeof name !== 'string' || name === '') {
    if (needsName) causes.push(fieldRequired(`${at}.name`));
  } else {
    if (name.length > 63) causes.push(fieldInvalid(`${at}.name`, name, 'must be no more than 63 characters'));
    else if (!isLabel(name)) causes.push(fieldInvalid(`${at}.name`, name, labelMessage));
    if (names.has(name)) causes.push(fieldDuplicate(`${at}.name`, name));
    names.add(name);
  }
  validatePort(port['port'] ?? 0, `${at}.port`, causes);
  validateProtocol(port['protocol'], `${at}.protocol`, causes);
  if (typeof targetPort === 'number') validatePort(targetPort, `${at}.targetPort`, causes);
  else if (typeof targetPort === 'string') validatePortName(targetPort, `${at}.targetPort`, causes);
  if (typeof appProtocol === 'string') validateQualifiedName(appProtocol, `${at}.appProtocol`, causes, appProtocol);
}

function validateAffinity(spec: Json, causes: FieldCause[]): void {
  const { sessionAffinity, sessionAffinityConfig } = spec;
  if (!['ClientIP', 'None'].includes(String(sessionAffinity)))
    causes.push(fieldNotSupported('spec.sessionAffinity', sessionAffinity, ['ClientIP', 'None']));
  if (sessionAffinity !== 'ClientIP') return;
  const client = isObject(sessionAffinityConfig) ? sessionAffinityConfig['clientIP'] : undefined;
  const seconds = isObject(client) ? client['timeoutSeconds'] : undefined;
  if (typeof seconds === 'number' && (seconds <= 0 || seconds > longestAffinitySeconds))
    causes.push(
      fieldInvalid(
        'spec.sessionAffinityConfig.clientIP.timeoutSeconds',
        seconds,
        `must be greater than 0 and less than ${longestAffinitySeconds}`,
      ),
    );
}

/** Families, policy and addresses for themselves and against each other (`ValidateServiceClusterIPsRelatedFields`). */
export function validateClusterIpFields(spec: Json, causes: FieldCause[]): void {
  if (spec['type'] === 'ExternalName') return;
  const list = texts(spec['clusterIPs']);
  const { clusterIP, ipFamilyPolicy } = spec;
  if (isSet(clusterIP)) {
    if (list.length === 0) causes.push(fieldRequired('spec.clusterIPs'));
    else if (list[0] !== clusterIP) causes.push(fieldInvalid('spec.clusterIPs', list, 'first value must match `clusterIP`'));
  } else if (list.length > 0) causes.push(fieldInvalid('spec.clusterIPs', list, 'must be empty when `clusterIP` is not specified'));
  const wanted = texts(spec['ipFamilies']);
  for (const [index, family] of wanted.entries()) {
    if (!families.includes(family)) causes.push(fieldNotSupported(`spec.ipFamilies[${index}]`, family, families));
    if (wanted.indexOf(family) < index) causes.push(fieldDuplicate(`spec.ipFamilies[${index}]`, family));
  }
  if (isSet(ipFamilyPolicy) && !policies.includes(String(ipFamilyPolicy)))
    causes.push(fieldNotSupported('spec.ipFamilyPolicy', ipFamilyPolicy, policies));
  let hasWrong = false;
  for (const [index, address] of list.entries()) {
    if (index === 0 && address === 'None') {
      if (list.length === 1) continue;
      hasWrong = true;
      causes.push(fieldInvalid('spec.clusterIPs', list, "'None' must be the first and only value"));
    } else if (!isAddress(address)) {
      hasWrong = true;
      causes.push(fieldInvalid(`spec.clusterIPs[${index}]`, address, notAnAddress));
    }
  }
  if (list.length > 2) causes.push(fieldInvalid('spec.clusterIPs', list, 'may only hold up to 2 values'));
  if (hasWrong) return;
  if (list.length > 1 && new Set(list.map(isIpv6)).size < 2)
    causes.push(fieldInvalid('spec.clusterIPs', list, 'may specify no more than one IP for each IP family'));
  if (isHeadless(spec)) return;
  for (const [index, address] of list.entries()) {
    const family = wanted[index];
    if (family === undefined) break;
    if (families.includes(family) && (family === 'IPv6') !== isIpv6(address))
      causes.push(
        fieldInvalid(`spec.clusterIPs[${index}]`, address, `expected an ${family} value as indicated by \`ipFamilies[${index}]\``),
      );
  }
}

/** What is neither a host's nor everybody's address (`ValidateNonSpecialIP`). */
function validateNonSpecial(address: string, at: string, causes: FieldCause[]): void {
  if (address === '0.0.0.0' || /^(0{0,4}:)+0{0,4}$/.test(address))
    causes.push(fieldInvalid(at, address, `may not be unspecified (${address})`));
  else if (/^127\./.test(address) || /^(0{0,4}:)+0{0,3}1$/.test(address))
    causes.push(fieldInvalid(at, address, 'may not be in the loopback range (127.0.0.0/8, ::1/128)'));
  else if (/^169\.254\.|^fe[89ab][0-9a-f]:/i.test(address))
    causes.push(fieldInvalid(at, address, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'));
  else if (/^224\.0\.0\.|^ff02:/i.test(address))
    causes.push(fieldInvalid(at, address, 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)'));
}

function validateDuplicatePorts(ports: readonly Json[], causes: FieldCause[]): void {
  const nodePorts = new Set<string>();
  for (const [index, port] of ports.entries()) {
    if (!isSet(port['nodePort'])) continue;
    const key = `${String(port['protocol'])}/${String(port['nodePort'])}`;
    if (nodePorts.has(key)) causes.push(fieldDuplicate(`spec.ports[${index}].nodePort`, port['nodePort']));
    nodePorts.add(key);
  }
  const numbers = new Set<string>();
  for (const [index, { port, protocol }] of ports.entries()) {
    const key = `${String(protocol)}/${String(port)}`;
    if (numbers.has(key))
      causes.push(
        fieldDuplicate(
          `spec.ports[${index}]`,
          new GoLiteral(
            `core.ServicePort{Name:"", Protocol:${goQuote(String(protocol))}, AppProtocol:(*string)(nil), Port:${String(port)}, TargetPort:intstr.IntOrString{Type:0, IntVal:0, StrVal:""}, NodePort:0}`,
          ),
        ),
      );
    numbers.add(key);
  }
}

function validateLoadBalancerFields(spec: Json, type: string, causes: FieldCause[]): void {
  const ranges = texts(spec['loadBalancerSourceRanges']);
  if (ranges.length > 0) {
    if (type !== 'LoadBalancer')
      causes.push(fieldForbidden('spec.LoadBalancerSourceRanges', "may only be used when `type` is 'LoadBalancer'"));
    if (!ranges.every((range) => isCidr(range.trim())))
      causes.push(
        fieldInvalid(
          'spec.LoadBalancerSourceRanges',
          `[${ranges.join(' ')}]`,
          'must be a list of IP ranges. For example, 10.240.0.0/24,10.250.0.0/24 ',
        ),
      );
  }
  const { allocateLoadBalancerNodePorts, loadBalancerClass } = spec;
  if (allocateLoadBalancerNodePorts !== undefined && type !== 'LoadBalancer')
    causes.push(fieldForbidden('spec.allocateLoadBalancerNodePorts', "may only be used when `type` is 'LoadBalancer'"));
  if (loadBalancerClass === undefined) return;
  if (type !== 'LoadBalancer') causes.push(fieldForbidden('spec.loadBalancerClass', "may only be used when `type` is 'LoadBalancer'"));
  else validateQualifiedName(String(loadBalancerClass), 'spec.loadBalancerClass', causes, String(loadBalancerClass));
}

function validateTrafficPolicies(spec: Json, type: string, causes: FieldCause[]): void {
  const { externalTrafficPolicy: external, healthCheckNodePort: health, internalTrafficPolicy: internal } = spec;
  if (type !== 'NodePort' && type !== 'LoadBalancer') {
    if (isSet(external))
      causes.push(fieldInvalid('spec.externalTrafficPolicy', external, "may only be set when `type` is 'NodePort' or 'LoadBalancer'"));
  } else if (external !== 'Cluster' && external !== 'Local')
    causes.push(fieldNotSupported('spec.externalTrafficPolicy', external, ['Cluster', 'Local']));
  if (type !== 'LoadBalancer' || external !== 'Local') {
    if (isSet(health))
      causes.push(
        fieldInvalid(
          'spec.healthCheckNodePort',
          health,
          "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
        ),
      );
  } else validatePort(health ?? 0, 'spec.healthCheckNodePort', causes);
  if (internal !== undefined && internal !== 'Cluster' && internal !== 'Local')
    causes.push(fieldNotSupported('spec.internalTrafficPolicy', internal, ['Cluster', 'Local']));
}

function validateServiceUpdate(spec: Json, old: Json, causes: FieldCause[]): void {
  if (spec['type'] !== 'ExternalName' && old['type'] !== 'ExternalName') {
    validateKeptAddresses(spec, old, causes);
    validateKeptFamilies(spec, old, causes);
  }
  if (old['type'] !== 'LoadBalancer' || spec['type'] !== 'LoadBalancer') return;
  if (spec['loadBalancerClass'] !== old['loadBalancerClass'])
    causes.push(fieldInvalid('spec.loadBalancerClass', spec['loadBalancerClass'] ?? null, 'may not change once set'));
  if (spec['externalTrafficPolicy'] === 'Local' && old['externalTrafficPolicy'] === 'Local')
    if (spec['healthCheckNodePort'] !== old['healthCheckNodePort'])
      causes.push(fieldForbidden('spec.healthCheckNodePort', 'field is immutable'));
}

/** The first address stays for good; the second comes and goes with the policy. */
function validateKeptAddresses(spec: Json, old: Json, causes: FieldCause[]): void {
  if (isHeadless(spec) && isHeadless(old)) return;
  const now = texts(spec['clusterIPs']);
  const was = texts(old['clusterIPs']);
  const changed = (index: number): void =>
    void causes.push(fieldInvalid(`spec.clusterIPs[${index}]`, goTexts(spec['clusterIPs']), 'may not change once set'));
  if (now.length === was.length) {
    for (const [index, address] of was.entries()) if (address !== now[index]) changed(index);
    return;
  }
  if (now.length === 0) causes.push(fieldInvalid('spec.clusterIPs[0]', goTexts(spec['clusterIPs']), 'primary clusterIP can not be unset'));
  else if (was.length > 0 && now[0] !== was[0]) changed(0);
  if (was.length > now.length && now.length === 1 && spec['ipFamilyPolicy'] !== 'SingleStack')
    causes.push(
      fieldInvalid(
        'spec.ipFamilyPolicy',
        spec['ipFamilyPolicy'] ?? null,
        "must be set to 'SingleStack' when releasing the secondary clusterIP",
      ),
    );
}

function validateKeptFamilies(spec: Json, old: Json, causes: FieldCause[]): void {
  if (isHeadless(spec) || isHeadless(old)) return;
  const now = texts(spec['ipFamilies']);
  const was = texts(old['ipFamilies']);
  const changed = (): void =>
    void causes.push(
      fieldInvalid(
        'spec.ipFamilies[0]',
        now.length === was.length ? goFamilies(spec['ipFamilies']) : goTexts(spec['clusterIPs']),
        'may not change once set',
      ),
    );
  if (now.length === was.length) {
    if (!isEqual(now, was)) for (const [index, family] of was.entries()) if (family !== now[index]) changed();
    return;
  }
  if (now.length > 0 && was.length > 0 && now[0] !== was[0]) changed();
  if (was.length > now.length && now.length === 1 && spec['ipFamilyPolicy'] !== 'SingleStack')
    causes.push(
      fieldInvalid(
        'spec.ipFamilyPolicy',
        spec['ipFamilyPolicy'] ?? null,
        "must be set to 'SingleStack' when releasing the secondary ipFamily",
      ),
    );
}

// ── endpoints ───────────────────────────────────────────────────────────────────────────────────────────────

/** `status.loadBalancer`, which whoever gives addresses writes. */
export function validateServiceStatus(object: Json, causes: FieldCause[]): void {
  const status = isObject(object['status']) ? object['status'] : {};
  const balancer = isObject(status['loadBalancer']) ? status['loadBalancer'] : {};
  for (const [index, { ip, hostname }] of items(balancer['ingress']).entries()) {
    const at = `status.loadBalancer.ingress[${index}]`;
    if (isSet(ip) && !isAddress(String(ip))) causes.push(fieldInvalid(`${at}.ip`, ip, 'must be a valid IP address'));
    if (!isSet(hostname)) continue;
    if (!isSubdomain(String(hostname))) causes.push(fieldInvalid(`${at}.hostname`, hostname, subdomainMessage));
    if (isAddress(String(hostname))) causes.push(fieldInvalid(`${at}.hostname`, hostname, 'must be a DNS name, not an IP address'));
  }
}

export function validateEndpoints(object: Json, causes: FieldCause[]): void {
  for (const [index, subset] of items(object['subsets']).entries()) {
    const at = `subsets[${index}]`;
    const lists = ['addresses', 'notReadyAddresses'] as const;
    if (lists.every((list) => items(subset[list]).length === 0))
      causes.push(fieldRequired(at, 'must specify `addresses` or `notReadyAddresses`'));
    for (const list of lists)
      for (const [place, { ip, hostname, nodeName }] of items(subset[list]).entries()) {
        const address = String(ip ?? '');
        const path = `${at}.${list}[${place}]`;
        if (!isAddress(address)) {
          causes.push(fieldInvalid(`${path}.ip`, address, notAnAddress));
          causes.push(fieldInvalid(`${path}.ip`, address, 'must be a valid IP address'));
        } else validateNonSpecial(address, `${path}.ip`, causes);
        if (typeof hostname === 'string' && hostname !== '' && !isLabel(hostname))
          causes.push(fieldInvalid(`${path}.hostname`, hostname, labelMessage));
        if (typeof nodeName === 'string' && !isSubdomain(nodeName))
          causes.push(fieldInvalid(`${path}.nodeName`, nodeName, subdomainMessage));
      }
    const ports = items(subset['ports']);
    for (const [place, port] of ports.entries()) {
      const path = `${at}.ports[${place}]`;
      const name = String(port['name'] ?? '');
      if (name === '') {
        if (ports.length > 1) causes.push(fieldRequired(`${path}.name`));
      } else if (!isLabel(name)) causes.push(fieldInvalid(`${path}.name`, name, labelMessage));
      validatePort(port['port'] ?? 0, `${path}.port`, causes);
      validateProtocol(port['protocol'], `${path}.protocol`, causes);
    }
  }
}

const addressTypes = ['FQDN', 'IPv4', 'IPv6'];

export function validateEndpointSlice(object: Json, old: Json | undefined, causes: FieldCause[]): void {
  const type = String(object['addressType'] ?? '');
  if (type === '') causes.push(fieldRequired('addressType'));
  else if (!addressTypes.includes(type)) causes.push(fieldNotSupported('addressType', type, addressTypes));
  for (const [index, endpoint] of items(object['endpoints']).entries()) {
    const list = texts(endpoint['addresses']);
    const at = `endpoints[${index}].addresses`;
    if (list.length === 0) causes.push(fieldRequired(at, 'must contain at least 1 address'));
    for (const [place, address] of list.entries()) {
      const path = `${at}[${place}]`;
      if (type === 'IPv4' && !isIpv4(address)) causes.push(fieldInvalid(path, address, 'must be a valid IPv4 address'));
      else if (type === 'IPv6' && !isIpv6(address)) causes.push(fieldInvalid(path, address, 'must be a valid IPv6 address'));
      if ((type === 'IPv4' || type === 'IPv6') && !isAddress(address))
        causes.push(fieldInvalid(path, address, 'must be a valid IP address'));
      else if (type === 'IPv4' || type === 'IPv6') validateNonSpecial(address, path, causes);
    }
    const { nodeName, hostname } = endpoint;
    if (typeof nodeName === 'string' && !isSubdomain(nodeName))
      causes.push(fieldInvalid(`endpoints[${index}].nodeName`, nodeName, subdomainMessage));
    if (typeof hostname === 'string' && !isLabel(hostname))
      causes.push(fieldInvalid(`endpoints[${index}].hostname`, hostname, labelMessage));
  }
  const names = new Set<string>();
  for (const [index, port] of items(object['ports']).entries()) {
    const name = String(port['name'] ?? '');
    const at = `ports[${index}]`;
    if (name !== '' && !isLabel(name)) causes.push(fieldInvalid(`${at}.name`, name, labelMessage));
    if (names.has(name)) causes.push(fieldDuplicate(`${at}.name`, name));
    names.add(name);
    validateProtocol(port['protocol'], `${at}.protocol`, causes);
  }
  if (old !== undefined && old['addressType'] !== object['addressType'])
    causes.push(fieldInvalid('addressType', type, 'field is immutable'));
}
