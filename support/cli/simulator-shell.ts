import type { Lab } from '../port/lab.ts';
import type { ShellSession } from '../simulator/docker/types.ts';
import { UsageError } from '../verdict/errors.ts';

/** A terminal on the lab host of a simulated lab. @throws UsageError for a live one: it has a terminal of its own */
export async function openSimulatorShell(lab: Lab, env: Readonly<Record<string, string>> = {}): Promise<ShellSession> {
  const { SimulatedLab } = await import('../simulator/host/simulator.ts');
  if (lab instanceof SimulatedLab) return lab.openShell({ env });
  throw new UsageError('usage/live-shell', 'a live lab is used from its own terminal', { fix: 'add --driver simulator' });
}
