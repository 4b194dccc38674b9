import type { ResourceType } from './discovery.ts';
import { isNotFound, KubectlError } from './errors.ts';
import { itemsOf, readList } from './resources.ts';
import { pathOf, type Session } from './session.ts';
import { type Dict, nameOf, textAt } from './values.ts';

/**
 * Follows one object as client-go's UntilWithSync does: list, then watch, until `isDone` holds for it (undefined
 * when it is gone). Virtual time passes meanwhile.
 * @returns whether it held before the timeout
 */
export function follow(
  session: Session,
  type: ResourceType,
  namespace: string,
  name: string,
  isDone: (object: Dict | undefined) => boolean,
  timeoutMs: number,
): boolean {
  const fieldSelector = `metadata.name=${name}`;
  const pages = readList(session, type, namespace, { query: { fieldSelector, limit: '500', resourceVersion: '0' } });
  const [found] = pages.flatMap(itemsOf).filter((item) => nameOf(item) === name);
  if (isDone(found)) return true;
  let isOver = false;
  let failure: unknown;
  const watch = session.watch(
    pathOf(type, namespace),
    {
      query: {
        allowWatchBookmarks: 'true',
        fieldSelector,
        resourceVersion: textAt(pages[0], 'metadata', 'resourceVersion'),
        timeoutSeconds: '300',
      },
    },
    (event) => {
      if (isOver || event.type === 'BOOKMARK') return;
      // An event of the clock must not throw: what went wrong is told afterwards.
      try {
        isOver = isDone(event.type === 'DELETED' ? undefined : event.object);
      } catch (error) {
        failure = error;
        isOver = true;
      }
    },
  );
  session.clock.runUntil(() => isOver, timeoutMs);
  watch.close();
  if (failure !== undefined) throw failure;
  return isOver;
}

/** The object now, or undefined. */
export function readIfThere(session: Session, type: ResourceType, namespace: string, name: string, accept?: string): Dict | undefined {
  try {
    return session.requestObject('GET', pathOf(type, namespace, name), {
      about: `get ${type.plural} ${name}`,
      ...(accept === undefined ? {} : { accept }),
    });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

export function timedOut(on?: string): KubectlError {
  return new KubectlError(on === undefined ? 'timed out waiting for the condition' : `timed out waiting for the condition on ${on}`);
}

/** `--timeout`: zero means once, negative a week. */
export const weekMs = 168 * 3_600_000;
