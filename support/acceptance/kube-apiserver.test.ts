import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { ApiRequest, ApiResponse } from '../simulator/kubernetes/types.ts';
import { type CaseFile, readCaseFile } from './kube-apiserver/case-file.ts';
import { playCase } from './kube-apiserver/play.ts';
import { simulated } from './kube-apiserver/simulated.ts';

/**
 * The simulated API server against the answers of a real one, recorded in testdata/kube-apiserver/.
 *
 * To record again: build `k8s.io/kubernetes/cmd/kube-apiserver` at v1.27.3 (a module of one's own that requires it, with `replace` for the
 * staging modules at v0.27.3) and etcd; run both alone, without controllers, in a network namespace, with `--authorization-mode=AlwaysAllow
 * --enable-admission-plugins=NodeRestriction --allow-privileged=true --service-cluster-ip-range=10.96.0.0/16,fd00:10:96::/112`; make the
 * service account `default`; for cilium-*.txt create the definitions of that release (`pkg/k8s/apis/cilium.io/client/crds`). Then run this
 * test with KUBE_APISERVER=https://127.0.0.1:6443, KUBE_APISERVER_TOKEN and NODE_TLS_REJECT_UNAUTHORIZED=0: the files are written anew.
 */
const folder = fileURLToPath(new URL('../testdata/kube-apiserver/', import.meta.url));
const files = readdirSync(folder)
  .filter((name) => name.endsWith('.txt'))
  .sort()
  .map((name) => readCaseFile(name, readFileSync(folder + name, 'utf8')));
const real = process.env.KUBE_APISERVER;

/** `file: case`, and why the simulator answers otherwise. A case that has become the same must leave this list. */
const differing: ReadonlyMap<string, string> = new Map(
  readFileSync(`${folder}differing`, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(' | ', 2) as [string, string]),
);

describe.skipIf(real !== undefined)('the API server as the real one', () => {
  for (const file of files)
    describe(file.path, () => {
      for (const of of file.cases)
        it(of.name, async () => {
          const answers = await playCase(of, simulated(file.settings));
          const got = of.steps.map((step, index) => ({ request: `${step.verb} ${step.target}`, answer: answers[index]?.join('\n') }));
          const recorded = of.steps.map((step) => ({ request: `${step.verb} ${step.target}`, answer: step.answer.join('\n') }));
          if (differing.has(`${file.path}: ${of.name}`)) expect(got).not.toEqual(recorded);
          else expect(got).toEqual(recorded);
        });
    });

  it('has cases of their own name, and knows all that it excuses', () => {
    const names = files.flatMap(({ path, cases }) => cases.map(({ name }) => `${path}: ${name}`));
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
    expect([...differing.keys()].filter((name) => !names.includes(name))).toEqual([]);
    expect(names.length).toBeGreaterThanOrEqual(400);
  });
});

async function ask(request: ApiRequest): Promise<ApiResponse> {
  const query = new URLSearchParams(request.query).toString();
  const response = await fetch(`${real}${encodeURI(request.path)}${query === '' ? '' : `?${query}`}`, {
    method: request.method,
    headers: { ...request.headers, authorization: `Bearer ${process.env.KUBE_APISERVER_TOKEN}` },
    ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') === true;
  const warnings = [...(response.headers.get('warning') ?? '').matchAll(/299 - "((?:[^"\\]|\\.)*)"/g)].map(([, said = '']) =>
    said.replace(/\\(.)/g, '$1'),
  );
  return { status: response.status, body: isJson ? (JSON.parse(text) as unknown) : text, warnings };
}

const plain = { query: {}, headers: { 'content-type': 'application/merge-patch+json', accept: 'application/json' } };

/** Takes away what a case made, whatever holds it. */
async function tidy(path: string): Promise<void> {
  await ask({ ...plain, method: 'PATCH', path, body: { metadata: { finalizers: null } } });
  await ask({ ...plain, method: 'DELETE', path, query: { gracePeriodSeconds: '0', propagationPolicy: 'Background' } });
  const { status, body } = await ask({ ...plain, method: 'GET', path });
  const isNamespace = status === 200 && (body as { readonly kind?: string }).kind === 'Namespace';
  const headers = { 'content-type': 'application/json' };
  if (isNamespace) await ask({ method: 'PUT', path: `${path}/finalize`, query: {}, headers, body: { ...(body as object), spec: {} } });
}

async function record(file: CaseFile): Promise<void> {
  const answers: (readonly string[])[] = [];
  for (const of of file.cases) {
    const made: string[] = [];
    answers.push(...(await playCase(of, ask, (path) => made.push(path))));
    for (const path of made.reverse()) await tidy(path);
  }
  writeFileSync(folder + file.path, file.write(answers));
}

describe.runIf(real !== undefined)('a recording of the real API server', () => {
  it.each(files)('$path', record);
});
