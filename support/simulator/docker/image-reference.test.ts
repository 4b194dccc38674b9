import { describe, expect, it } from 'vitest';
import { createImageCatalogue } from './image-catalogue.ts';
import { imageReferenceProblem, parseImageReference } from './image-reference.ts';

const digest = `sha256:${'0'.repeat(64)}`;

describe('image references', () => {
  it.each([
    { text: 'nginx', parsed: { name: 'nginx', tag: undefined, digest: undefined } },
    { text: 'nicolaka/netshoot:v0.11', parsed: { name: 'nicolaka/netshoot', tag: 'v0.11', digest: undefined } },
    { text: 'registry.example:5000/team/web:1.2', parsed: { name: 'registry.example:5000/team/web', tag: '1.2', digest: undefined } },
    { text: `kindest/node:v1.30.0@${digest}`, parsed: { name: 'kindest/node', tag: 'v1.30.0', digest } },
    { text: 'localhost:5000/a__b/c-d', parsed: { name: 'localhost:5000/a__b/c-d', tag: undefined, digest: undefined } },
    { text: 'Web', parsed: undefined },
    { text: 'web:', parsed: undefined },
    { text: 'web@sha256:12', parsed: undefined },
    { text: '', parsed: undefined },
    { text: 'a//b', parsed: undefined },
  ])('$text', ({ text, parsed }) => expect(parseImageReference(text)).toEqual(parsed));

  it('explains what is wrong', () => {
    expect([imageReferenceProblem('nginx:1.27'), imageReferenceProblem('team/Web:1'), imageReferenceProblem('a b')]).toEqual([
      undefined,
      'invalid reference format: repository name must be lowercase',
      'invalid reference format',
    ]);
  });
});

describe('the catalogue', () => {
  it('takes the long and the short name of an image for the same, whatever the tag', () => {
    const catalogue = createImageCatalogue();
    const image = { name: 'docker.io/library/web', command: ['web'], programs: [], commands: [], shell: undefined } as const;
    catalogue.add(image);
    for (const name of ['web', 'web:1', 'docker.io/web', 'docker.io/library/web:2', `library/web@${digest}`])
      expect([name, catalogue.resolve(name)]).toEqual([name, image]);
    expect([catalogue.isDescribed('web:9'), catalogue.isDescribed('team/web')]).toEqual([true, false]);
  });

  it('takes an undescribed image for an idle one with a shell', () => {
    expect(createImageCatalogue().resolve('team/unknown:1')).toEqual({
      name: 'team/unknown',
      command: ['sleep', 'infinity'],
      programs: [],
      commands: ['*'],
      shell: 'bash',
    });
  });
});
