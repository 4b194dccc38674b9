const unitsMs: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1, us: 0.001, µs: 0.001, ns: 0.000_001 };

/** A Go duration (`1m30s`, `500ms`) in milliseconds; undefined when it is none. */
export function parseGoDuration(text: string): number | undefined {
  if (text === '0') return 0;
  let rest = text;
  let total = 0;
  if (rest === '') return undefined;
  while (rest !== '') {
    const match = /^(\d+(?:\.\d+)?|\.\d+)(h|ms|m|s|us|µs|ns)/.exec(rest);
    if (match === null) return undefined;
    total += Number(match[1]) * (unitsMs[match[2] as string] as number);
    rest = rest.slice(match[0].length);
  }
  return total;
}

/** Go's `Duration.String()` of a time rounded to whole seconds: never days. */
export function goSeconds(ms: number): string {
  const total = Math.round(ms / 1000);
  const [hours, minutes, rest] = [Math.floor(total / 3600), Math.floor((total % 3600) / 60), total % 60];
  if (hours > 0) return `${hours}h${minutes}m${rest}s`;
  return minutes > 0 ? `${minutes}m${rest}s` : `${rest}s`;
}
