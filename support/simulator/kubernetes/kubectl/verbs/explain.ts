import { notSimulated } from '../printers.ts';
import type { Session } from '../session.ts';

export function explain(session: Session): void {
  throw notSimulated(`kubectl ${session.command}`);
}
