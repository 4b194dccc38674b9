/** Ports that /etc/services names, of those that labs use. */
const services: Readonly<Record<string, number>> = {
  ftp: 21,
  ssh: 22,
  telnet: 23,
  smtp: 25,
  domain: 53,
  http: 80,
  ntp: 123,
  snmp: 161,
  bgp: 179,
  https: 443,
  'http-alt': 8080,
};

const names = new Map(Object.entries(services).map(([name, port]) => [port, name]));

export function serviceNumber(name: string): number | undefined {
  return services[name];
}

export function serviceName(port: number): string | undefined {
  return names.get(port);
}
