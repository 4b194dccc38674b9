import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type ContentPath, ContentProblem, type FieldReader } from '../port/content-problem.ts';
import { parseImageReference } from '../simulator/docker/image-reference.ts';
import { parseDocuments } from './yaml-file.ts';

/** Images that no registry has: the folder of each, which holds its Dockerfile. A real lab is brought up with them. */
export type Builds = ReadonlyMap<string, string>;

/**
 * Reads `build` of a lab.yaml: name and tag of an image → folder, relative to the file.
 * @throws ContentProblem for a name that could not be used, or a folder without a Dockerfile
 */
export function readBuilds(lab: FieldReader, directory: string): Builds {
  const build = lab.mapping('build');
  return new Map(
    (build?.keys ?? []).map((image): [string, string] => {
      const at: ContentPath = [...(build?.path ?? []), image];
      checkName(image, at);
      const path = build?.string(image) ?? '';
      const folder = join(directory, path);
      if (!existsSync(folder) || !statSync(folder).isDirectory())
        throw new ContentProblem(at, `"${path}" is not a folder`, { fix: 'name the folder of the Dockerfile (relative to this file)' });
      if (!existsSync(join(folder, 'Dockerfile'))) throw new ContentProblem(at, `there is no Dockerfile in "${path}"`);
      return [image, folder];
    }),
  );
}

function checkName(image: string, at: ContentPath): void {
  const reference = parseImageReference(image);
  if (reference === undefined || reference.digest !== undefined)
    throw new ContentProblem(at, `"${image}" cannot be the name of an image that is built`, { fix: 'such as my-lab/web:1.0' });
  // kubelet asks a registry for `latest` each time, and no registry has it (kind, "Loading an Image Into Your Cluster").
  if (reference.tag === undefined || reference.tag === 'latest')
    throw new ContentProblem(at, `"${image}" needs a tag, other than latest`, {
      hint: 'kubelet would look for it in a registry',
      fix: `${reference.name}:1.0`,
    });
}

/** Images of the pods that the manifests of the home describe. */
export function podImages(files: ReadonlyMap<string, string>): ReadonlySet<string> {
  const found = new Set<string>();
  const look = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, item] of Object.entries(value)) {
      if (key === 'image' && typeof item === 'string') found.add(item);
      else look(item);
    }
  };
  for (const [file, text] of files) if (/\.ya?ml$/.test(file)) look(parseDocuments(file, text));
  return found;
}
