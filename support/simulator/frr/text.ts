import type { Ip } from '../net/types.ts';

/** FRR's `peer_uptime` and `uptime2str`: `HH:MM:SS`, `1d02h03m`, `01w2d03h`. */
export function uptimeText(seconds: number): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const hours = Math.floor(seconds / 3600) % 24;
  const minutes = Math.floor(seconds / 60) % 60;
  if (seconds < 86_400) return `${two(hours)}:${two(minutes)}:${two(seconds % 60)}`;
  const days = Math.floor(seconds / 86_400);
  if (days < 7) return `${days}d${two(hours)}h${two(minutes)}m`;
  return `${two(Math.floor(days / 7))}w${days % 7}d${two(hours)}h`;
}

/** Whole seconds between two times, as a program with a clock of seconds counts them. */
export function secondsBetween(from: number, to: number): number {
  return Math.max(0, Math.floor(to / 1000) - Math.floor(from / 1000));
}

const weekdays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** C's ctime() in UTC, without its line end: `Wed Aug  7 22:26:01 2024`. Computed here, for `Date` is off limits. */
export function ctime(milliseconds: number): string {
  const total = Math.floor(milliseconds / 1000);
  const days = Math.floor(total / 86_400);
  const rest = total - days * 86_400;
  // Civil date from a day count (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms").
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthIndex = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * monthIndex + 2) / 5) + 1;
  const month = monthIndex < 10 ? monthIndex + 2 : monthIndex - 10;
  const year = yearOfEra + era * 400 + (month <= 1 ? 1 : 0);
  const two = (value: number): string => String(value).padStart(2, '0');
  const time = `${two(Math.floor(rest / 3600))}:${two(Math.floor(rest / 60) % 60)}:${two(rest % 60)}`;
  return `${weekdays[(((days + 4) % 7) + 7) % 7]} ${months[month]} ${String(day).padStart(2, ' ')} ${time} ${year}`;
}

export type JsonValue = string | number | boolean | readonly JsonValue[] | { readonly [key: string]: JsonValue | undefined };

function quote(text: string): string {
  return JSON.stringify(text).replaceAll('/', '\\/');
}

/** json-c's "pretty" form, which FRR prints: two blanks a level, no blank after the colon. `slashes`: escape `/` too. */
export function prettyJson(value: JsonValue, options: { readonly escapeSlashes?: boolean } = {}, level = 0): string {
  const string = options.escapeSlashes === true ? quote : (text: string) => JSON.stringify(text);
  if (typeof value === 'string') return string(value);
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  const inner = '  '.repeat(level + 1);
  const outer = '  '.repeat(level);
  if (isArray(value)) {
    if (value.length === 0) return `[\n${outer}]`;
    return `[\n${value.map((item) => inner + prettyJson(item, options, level + 1)).join(',\n')}\n${outer}]`;
  }
  const entries = Object.entries(value).flatMap(([key, item]) =>
    item === undefined ? [] : [`${inner}${string(key)}:${prettyJson(item, options, level + 1)}`],
  );
  if (entries.length === 0) return `{\n${outer}}`;
  return `{\n${entries.join(',\n')}\n${outer}}`;
}

export function isArray(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}

/** json-c without any blank. */
export function plainJson(value: JsonValue): string {
  return JSON.stringify(value);
}

/** An address as FRR writes it: unlike inet_ntop, without a dotted quad in an IPv4-mapped one (lib/ntop.c; measured). */
export function addressText({ family, value, text }: Ip): string {
  if (family === 4 || value >> 32n !== 0xffffn) return text;
  return `::ffff:${((value >> 16n) & 0xffffn).toString(16)}:${(value & 0xffffn).toString(16)}`;
}
