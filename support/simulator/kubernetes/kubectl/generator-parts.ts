import { KubectlError, UsageError } from './errors.ts';
import type { Session } from './session.ts';
import type { Dict } from './values.ts';

/** What the generators of `kubectl create NOUN` share. */

/** The NAME argument that every generator wants. */
export function nameArgument(session: Session, noun: string): string {
  const { args, argsBeforeDash } = session.flags;
  const given = argsBeforeDash === -1 ? args : args.slice(0, argsBeforeDash);
  if (given.length !== 1) throw new UsageError(`exactly one NAME is required, got ${given.length}`, `kubectl ${noun}`);
  return given[0] as string;
}

export function metadataOf(session: Session, name: string, extra: Dict = {}): Dict {
  return { name, ...(session.isNamespaceExplicit ? { namespace: session.namespace } : {}), creationTimestamp: null, ...extra };
}

export function required(session: Session, ...names: string[]): void {
  const missing = names.filter((name) => !session.flags.isSet(name));
  if (missing.length > 0) throw new KubectlError(`required flag(s) ${missing.map((name) => JSON.stringify(name)).join(', ')} not set`);
}

export function argvAfterDash(session: Session): readonly string[] {
  const { args, argsBeforeDash } = session.flags;
  return argsBeforeDash === -1 ? [] : args.slice(argsBeforeDash);
}

/** `a=b,c=d`. */
export function parseLabels(text: string): Readonly<Record<string, string>> {
  const labels: Record<string, string> = {};
  for (const part of text.split(',')) {
    const equals = part.indexOf('=');
    if (equals <= 0) throw new KubectlError(`unexpected label spec: ${part}`);
    labels[part.slice(0, equals)] = part.slice(equals + 1);
  }
  return labels;
}
