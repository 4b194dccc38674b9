import { podImages } from '../content/builds.ts';
import { EnvironmentError, OutpostError } from '../verdict/errors.ts';
import { execInContainer } from './engine.ts';
import { buildImage, folderHash, type ImageBuild, imageState } from './images.ts';
import { type LiveContext, need, nodeNames } from './live-context.ts';
import { fingerprint, minute, type UpStep } from './step.ts';

const buildMs = 15 * minute;
const nodePatienceMs = 10_000;

/** Builds the images that no registry has, each once for the files that it is made of. */
export function buildStep({ definition, docker }: LiveContext): UpStep {
  const builds = [...definition.builds].map(([image, folder]): ImageBuild => ({ image, folder }));
  const state = async (build: ImageBuild) => await imageState(docker, build, definition.root);
  return {
    name: 'images',
    title: builds.length === 1 ? `image ${builds[0]?.image}` : `${builds.length} images that no registry has`,
    fingerprint: fingerprint(...builds.flatMap(({ image, folder }) => [image, folderHash(folder)])),
    async stillThere() {
      return (await Promise.all(builds.map(state))).every((each) => each === 'built' || each === 'by hand');
    },
    async foreign() {
      for (const build of builds) {
        const found = await state(build);
        if (typeof found !== 'object') continue;
        return new EnvironmentError('up/foreign-image', `there is an image ${build.image} that was built for the lab in ${found.lab}`, {
          hint: 'it is made of other files, and left alone',
          fix: `give the image of one of the labs another tag; or docker rmi ${build.image}, if that lab is gone`,
        });
      }
      return undefined;
    },
    async run({ onOutput }) {
      const remarks: string[] = [];
      for (const build of builds) {
        const found = await state(build);
        if (found === 'by hand') remarks.push(`${build.image} was there, not built by outpost: taken as it is`);
        if (found === 'built' || found === 'by hand') continue;
        await buildImage(docker, build, { lab: definition.root, timeoutMs: buildMs, onOutput });
      }
      return { remark: remarks.join('; ') };
    },
  };
}

/** Images that are built and that pods use. */
export function loadedImages({ builds, homeFiles }: LiveContext['definition']): readonly string[] {
  if (builds.size === 0) return [];
  const used = podImages(homeFiles);
  return [...builds.keys()].filter((image) => used.has(image));
}

/** Puts the built images that pods use into the cluster's nodes, which know nothing of the engine's. */
export function loadStep({ definition, cluster, docker, run }: LiveContext): UpStep {
  const images = loadedImages(definition);
  const hashes = images.map((image) => folderHash(definition.builds.get(image) ?? ''));
  const nodes = nodeNames(definition.cluster.documents[0], cluster);
  const has = async (node: string, image: string) => {
    try {
      return (await execInContainer(docker, node, ['crictl', 'inspecti', image], { timeoutMs: nodePatienceMs })).exitCode === 0;
    } catch (error) {
      if (error instanceof OutpostError && error.code !== 'run/interrupted') return false;
      throw error;
    }
  };
  return {
    name: 'load',
    title: `in the nodes: ${images.join(', ')}`,
    fingerprint: fingerprint(...images, ...hashes),
    async stillThere() {
      const answers = await Promise.all(nodes.flatMap((node) => images.map((image) => has(node, image))));
      return answers.every((isThere) => isThere);
    },
    async run({ onOutput }) {
      await need(run, ['kind', 'load', 'docker-image', ...images, '--name', cluster], { timeoutMs: buildMs, onOutput });
      return undefined;
    },
  };
}
