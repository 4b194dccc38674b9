import { defineParameterType } from '@cucumber/cucumber';
import type { Family } from '../tools/addresses.ts';
import type { ObjectName } from '../tools/kubectl.ts';

const unitMs: Readonly<Record<string, number>> = { millisecond: 1, second: 1000, minute: 60_000 };

/** `30 seconds`, `1 minute` → milliseconds */
defineParameterType({
  name: 'duration',
  regexp: /(\d+) (millisecond|second|minute)s?/,
  transformer: (count: string, unit: string): number => Number(count) * (unitMs[unit] as number),
});

defineParameterType({ name: 'family', regexp: /IPv4|IPv6/, transformer: (text: string): Family => text as Family });

/** A whole number of any size, for counts of addresses. */
defineParameterType({ name: 'count', regexp: /\d+/, transformer: (text: string): bigint => BigInt(text), useForSnippets: false });

/** `"namespace/name"` */
defineParameterType({
  name: 'object',
  regexp: /"([^"/]+)\/([^"/]+)"/,
  transformer: (namespace: string, name: string): ObjectName => ({ namespace, name }),
  useForSnippets: false,
});

/** A kind of Kubernetes object that has no namespace, as its manifests spell it. */
defineParameterType({ name: 'kind', regexp: /[A-Z][A-Za-z0-9]+/, transformer: (text: string): string => text, useForSnippets: false });

/** Who sends a request: `the lab host`, or a container in quotes. */
defineParameterType({
  name: 'client',
  regexp: /the lab host|"([^"]+)"/,
  transformer: (container: string | undefined): string | undefined => container,
  useForSnippets: false,
});

/** Whose address a server saw: `the pod's own address`, or `the address "192.0.2.1"`. */
defineParameterType({
  name: 'source',
  regexp: /the pod's own address|the address "([^"]+)"/,
  transformer: (address: string | undefined): string | undefined => address,
  useForSnippets: false,
});
