import type { Pod } from '../objects.ts';
import { parseTimestamp, timestamp } from '../objects.ts';
import type { ApiServer } from '../types.ts';
import { badRequest } from './errors.ts';

/** `GET …/pods/NAME/log`: the text of a container's log, or why there is none. */
export function podLog(server: ApiServer, pod: Pod, query: Readonly<Record<string, string>>): string {
  const { name, namespace = '' } = pod.metadata;
  const names = [
    ...pod.spec.containers.map((container) => container.name),
    ...(pod.spec.initContainers ?? []).map((container) => container.name),
  ];
  const container = query['container'] !== undefined && query['container'] !== '' ? query['container'] : defaultContainer(pod);
  if (container === undefined) {
    const init = (pod.spec.initContainers ?? []).map((one) => one.name);
    const choice = `choose one of: [${pod.spec.containers.map((one) => one.name).join(' ')}]${init.length === 0 ? '' : ` or one of the init containers: [${init.join(' ')}]`}`;
    throw badRequest(`a container name must be specified for pod ${name}, ${choice}`);
  }
  if (!names.includes(container)) throw badRequest(`container ${container} is not valid for pod ${name}`);
  const isPrevious = query['previous'] === 'true';
  if (isPrevious) {
    const previous = server.previousContainerOf?.(namespace, name, container);
    if (previous === undefined)
      throw badRequest(`previous terminated container ${JSON.stringify(container)} in pod ${JSON.stringify(name)} not found`);
    return render(previous.log, server, query);
  }
  const running = server.containerOf?.(namespace, name, container);
  if (running === undefined) {
    const status = [...(pod.status.containerStatuses ?? []), ...(pod.status.initContainerStatuses ?? [])].find(
      (candidate) => candidate.name === container,
    );
    const reason = status?.state.waiting?.reason ?? 'ContainerCreating';
    if (pod.spec.nodeName === undefined) return '';
    throw badRequest(
      `container ${JSON.stringify(container)} in pod ${JSON.stringify(name)} is waiting to start: ${waitingText(reason, status?.image)}`,
    );
  }
  return render(running.log, server, query);
}

function waitingText(reason: string, image: string | undefined): string {
  switch (reason) {
    case 'ErrImagePull':
      return "image can't be pulled";
    case 'ImagePullBackOff':
      return 'trying and failing to pull image';
    default:
      return image === undefined ? 'ContainerCreating' : reason;
  }
}

function defaultContainer(pod: Pod): string | undefined {
  const only = pod.spec.containers.length === 1 && (pod.spec.initContainers ?? []).length === 0 ? pod.spec.containers[0]?.name : undefined;
  return only ?? (pod.spec.containers.length === 1 ? pod.spec.containers[0]?.name : undefined);
}

function render(
  log: readonly { readonly at: number; readonly text: string }[],
  server: ApiServer,
  query: Readonly<Record<string, string>>,
): string {
  let lines = log.flatMap((entry) =>
    entry.text
      .replace(/\n$/, '')
      .split('\n')
      .map((text) => ({ at: entry.at, text })),
  );
  const since =
    query['sinceSeconds'] === undefined
      ? query['sinceTime'] === undefined
        ? undefined
        : parseTimestamp(query['sinceTime'])
      : server.clock.now() - Number(query['sinceSeconds']) * 1000;
  if (since !== undefined) lines = lines.filter((line) => line.at >= since);
  if (query['tailLines'] !== undefined) lines = Number(query['tailLines']) === 0 ? [] : lines.slice(-Number(query['tailLines']));
  let text = lines.map((line) => `${query['timestamps'] === 'true' ? `${nanoTimestamp(line.at)} ` : ''}${line.text}\n`).join('');
  if (query['limitBytes'] !== undefined) text = text.slice(0, Number(query['limitBytes']));
  return text;
}

/** RFC 3339 with nanoseconds, as the runtime's log files have it. */
function nanoTimestamp(milliseconds: number): string {
  const fraction = String(Math.round((milliseconds - Math.floor(milliseconds / 1000) * 1000) * 1_000_000)).padStart(9, '0');
  return `${timestamp(milliseconds).slice(0, -1)}.${fraction}Z`;
}
