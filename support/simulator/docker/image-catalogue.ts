import { familiarImageName, imageReferenceProblem, parseImageReference } from './image-reference.ts';
import type { ImageCatalogue, ImageDefinition } from './types.ts';

/** What an undescribed image is taken for: idle, with a shell and every command that the engine knows. */
function unknownImage(name: string): ImageDefinition {
  return { name, command: ['sleep', 'infinity'], programs: [], commands: ['*'], shell: 'bash' };
}

/** Images by name; Docker Hub's implied registry and `library/` make no difference, nor does the tag. */
export function createImageCatalogue(): ImageCatalogue {
  const byName = new Map<string, ImageDefinition>();
  const unknown = new Map<string, ImageDefinition>();
  const nameOf = (reference: string): string => familiarImageName(parseImageReference(reference)?.name ?? reference);
  return {
    add(image) {
      byName.set(familiarImageName(image.name), image);
    },
    resolve(reference) {
      const name = nameOf(reference);
      const found = byName.get(name) ?? unknown.get(name);
      if (found !== undefined) return found;
      const image = unknownImage(name);
      unknown.set(name, image);
      return image;
    },
    isDescribed: (reference) => byName.has(nameOf(reference)),
    problemOf: imageReferenceProblem,
    get all() {
      return [...byName.values()];
    },
  };
}
