import { notSimulated } from '../printers.ts';
import type { Session } from '../session.ts';

/** What the simulator does not have says so. */
export function refuse(session: Session): void {
  throw notSimulated(`kubectl ${session.command}`);
}
