import type { HttpRequest } from '../net/http.ts';
import type { Field } from './image-reader.ts';
import type { Container } from './types.ts';

/** What `${…}` can stand for while a request is answered; outside of one only the container's own values are known. */
export interface TemplateValues {
  readonly container: Container;
  readonly request?: HttpRequest;
  readonly allowed?: string;
}

export type Template = (values: TemplateValues) => string;

/** Where a text stands decides what may be used in it. */
export type TemplatePlace = 'container' | 'request' | 'denied';

const containerNames = ['hostname', 'env.NAME', 'env.NAME:-DEFAULT'];
const requestNames = [
  'client.ip',
  'client.port',
  'server.ip',
  'server.port',
  'request.method',
  'request.path',
  'request.query',
  'request.body',
  'request.headers.NAME',
];

/**
 * Compiles a text with `${…}` in it; `$${` stands for a plain `${`.
 * @throws Error naming the field when it uses what is not known there
 */
export function compileTemplate(field: Field, text: string, place: TemplatePlace): Template {
  const parts: (string | Template)[] = [];
  let rest = text;
  for (;;) {
    const match = /\$?\$\{([^}]*)\}/.exec(rest);
    if (match === null) break;
    parts.push(rest.slice(0, match.index));
    if (match[0].startsWith('$$')) parts.push(match[0].slice(1));
    else parts.push(compileName(field, match[1] as string, place));
    rest = rest.slice(match.index + match[0].length);
  }
  if (parts.length === 0) return () => text;
  parts.push(rest);
  return (values) => {
    let result = '';
    for (const part of parts) result += typeof part === 'string' ? part : part(values);
    return result;
  };
}

function compileName(field: Field, name: string, place: TemplatePlace): Template {
  const variable = /^(?:env\.)?([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s.exec(name);
  if (name === 'hostname') return ({ container }) => container.hostname;
  if (variable !== null && (name.startsWith('env.') || variable[2] !== undefined)) {
    const [, key = '', fallback = ''] = variable;
    return ({ container }) => container.env.get(key) || fallback;
  }
  if (place === 'denied' && name === 'allowed') return ({ allowed }) => allowed ?? '';
  if (place !== 'container') {
    const header = /^request\.headers\.([A-Za-z0-9-]+)$/.exec(name)?.[1]?.toLowerCase();
    if (header !== undefined) return ({ request }) => request?.headers.get(header) ?? '';
    const found = requestValues[name];
    if (found !== undefined) return ({ request }) => (request === undefined ? '' : found(request));
  }
  const known = [...containerNames, ...(place === 'container' ? [] : requestNames), ...(place === 'denied' ? ['allowed'] : [])];
  return field.fail(`only \${${known.join('}, ${')}} in it (write $\${ for a plain \${)`);
}

const requestValues: Readonly<Record<string, (request: HttpRequest) => string>> = {
  'client.ip': (request) => request.remote.ip.text,
  'client.port': (request) => String(request.remote.port),
  'server.ip': (request) => request.local.ip.text,
  'server.port': (request) => String(request.local.port),
  'request.method': (request) => request.method,
  'request.path': (request) => request.path.split('?')[0] ?? '',
  'request.query': (request) => request.path.split('?')[1] ?? '',
  'request.body': (request) => request.body,
};
