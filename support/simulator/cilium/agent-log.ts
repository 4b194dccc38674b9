import type { SimulatedClock } from '../clock/clock.ts';
import type { Container } from '../docker/types.ts';
import { timestamp } from '../kubernetes/objects.ts';

export type LogLine = (level: 'info' | 'warning' | 'error' | 'fatal', message: string, fields?: Readonly<Record<string, string>>) => void;

/** logrus' text form: values are quoted when they hold anything but plain word characters. */
const value = (text: string): string => (/^[A-Za-z0-9._/@^+-]+$/.test(text) ? text : JSON.stringify(text));

/** Writes lines as agents and operators of 1.16 do: `time="…" level=info msg="…" key=value`, fields by name. */
export function createLog(container: Container, clock: SimulatedClock): LogLine {
  return (level, message, fields = {}) => {
    const rest = Object.keys(fields)
      .toSorted()
      .map((key) => ` ${key}=${value(fields[key] ?? '')}`)
      .join('');
    container.writeLog(`time="${timestamp(clock.now())}" level=${level} msg=${JSON.stringify(message)}${rest}`, 'stderr');
  };
}
