import { expect, it } from 'vitest';
import { evaluateJsonPath } from './json-path.ts';

const object = {
  metadata: { name: 'web', labels: { 'example.com/tier': 'front' } },
  spec: {
    ports: [
      { name: 'http', port: 80 },
      { name: 'https', port: 443 },
    ],
  },
  status: {
    conditions: [
      { type: 'Ready', status: 'True' },
      { type: 'Progressing', status: 'False' },
    ],
  },
};

it.each<{ expression: string; found: unknown[] }>([
  { expression: '.metadata.name', found: ['web'] },
  { expression: '{.metadata.name}', found: ['web'] },
  { expression: '$.spec.ports[0].port', found: [80] },
  { expression: '.spec.ports[-1].name', found: ['https'] },
  { expression: '.spec.ports[*].port', found: [80, 443] },
  { expression: '.spec.ports[0:1].name', found: ['http'] },
  { expression: ".metadata.labels['example.com/tier']", found: ['front'] },
  { expression: '.metadata.labels.example\\.com/tier', found: ['front'] },
  { expression: '.status.conditions[?(@.type=="Ready")].status', found: ['True'] },
  { expression: '.spec.ports[?(@.port>100)].name', found: ['https'] },
  { expression: '..port', found: [80, 443] },
  { expression: ".spec.ports[0]['name','port']", found: ['http', 80] },
  { expression: '.spec.missing.deeper', found: [] },
  { expression: '.spec.ports[7]', found: [] },
])('$expression', ({ expression, found }) => expect(evaluateJsonPath(expression, object)).toEqual(found));
