/** The parts of an image reference such as `registry.example:5000/team/web:1.2@sha256:…`. */
export interface ImageReference {
  /** With the registry's host where one was written; without Docker Hub's implied parts. */
  readonly name: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

const component = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const domain =
  '(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?';
const pattern = new RegExp(
  `^((?:${domain}/)?${component}(?:/${component})*)(?::([\\w][\\w.-]{0,127}))?(?:@([A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?$`,
);

/** Grammar of distribution/reference (https://github.com/distribution/reference). Undefined: not a reference. */
export function parseImageReference(reference: string): ImageReference | undefined {
  const match = pattern.exec(reference);
  if (match === null) return undefined;
  return { name: match[1] as string, tag: match[2], digest: match[3] };
}

/** Why a reference cannot be pulled, as the engine words it; undefined when it can. */
export function imageReferenceProblem(reference: string): string | undefined {
  if (parseImageReference(reference) !== undefined) return undefined;
  const path = /[A-Z]/.test(
    reference
      .replace(/[:@].*$/s, '')
      .split('/')
      .slice(-1)[0] ?? '',
  );
  if (path && parseImageReference(reference.toLowerCase()) !== undefined)
    return 'invalid reference format: repository name must be lowercase';
  return 'invalid reference format';
}

/** `docker.io/library/nginx:1.27` and `nginx` are the same image: the name that both are looked up by. */
export function familiarImageName(name: string): string {
  return name.replace(/^(?:index\.)?docker\.io\//, '').replace(/^library\//, '');
}
