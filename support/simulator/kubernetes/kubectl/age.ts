/** Durations as apimachinery's `duration.HumanDuration` prints them: two units at most, fewer for long times. */
export function humanDuration(durationMs: number): string {
  const seconds = Math.trunc(durationMs / 1000);
  const minutes = Math.trunc(durationMs / 60_000);
  const hours = Math.trunc(durationMs / 3_600_000);
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < 120) return `${seconds}s`;
  if (minutes < 10) return seconds % 60 === 0 ? `${minutes}m` : `${minutes}m${seconds % 60}s`;
  if (minutes < 180) return `${minutes}m`;
  if (hours < 8) return minutes % 60 === 0 ? `${hours}h` : `${hours}h${minutes % 60}m`;
  if (hours < 48) return `${hours}h`;
  if (hours < 192) return hours % 24 === 0 ? `${hours / 24}d` : `${Math.trunc(hours / 24)}d${hours % 24}h`;
  if (hours < 17_520) return `${Math.trunc(hours / 24)}d`;
  const years = Math.trunc(hours / 8760);
  const days = Math.trunc(hours / 24) % 365;
  return hours < 70_080 && days > 0 ? `${years}y${days}d` : `${years}y`;
}

/** Time since an API timestamp; `<unknown>` without one. */
export function ageOf(timestamp: unknown, now: number): string {
  const since = millisecondsOf(timestamp);
  return since === undefined ? '<unknown>' : humanDuration(now - since);
}

/** RFC 3339 text as milliseconds since the epoch. */
export function millisecondsOf(timestamp: unknown): number | undefined {
  if (typeof timestamp !== 'string') return undefined;
  const match = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d+)?(?:Z|([+-])(\d\d):(\d\d))$/.exec(timestamp);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction, sign, zoneHour, zoneMinute] = match;
  const days = daysFromCivil(Number(year), Number(month), Number(day));
  const zone = sign === undefined ? 0 : (sign === '+' ? 1 : -1) * (Number(zoneHour) * 60 + Number(zoneMinute));
  return (
    ((days * 24 + Number(hour)) * 60 + Number(minute) - zone) * 60_000 + Number(second) * 1000 + Math.trunc(Number(fraction ?? 0) * 1000)
  );
}

export interface CivilTime {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly weekday: number;
}

/** The date in UTC (the simulator has no other zone), without the platform's `Date`. */
export function civilOf(epochMs: number): CivilTime {
  const seconds = Math.floor(epochMs / 1000);
  const days = Math.floor(seconds / 86_400);
  const rest = seconds - days * 86_400;
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthIndex = Math.floor((5 * dayOfYear + 2) / 153);
  const month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9;
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * monthIndex + 2) / 5) + 1,
    hour: Math.floor(rest / 3600),
    minute: Math.floor((rest % 3600) / 60),
    second: rest % 60,
    weekday: (((days + 4) % 7) + 7) % 7,
  };
}

function daysFromCivil(year: number, month: number, day: number): number {
  const shiftedYear = month <= 2 ? year - 1 : year;
  const era = Math.floor(shiftedYear / 400);
  const yearOfEra = shiftedYear - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  return era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468;
}

const monthNames = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const dayNames = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const two = (value: number): string => String(value).padStart(2, '0');

/** Go's time.RFC1123Z, as in `describe`: `Wed, 01 Jan 2025 00:00:00 +0000`. */
export function rfc1123(timestamp: unknown): string {
  const epoch = millisecondsOf(timestamp);
  if (epoch === undefined) return 'Mon, 01 Jan 0001 00:00:00 +0000';
  const { year, month, day, hour, minute, second, weekday } = civilOf(epoch);
  return `${dayNames[weekday]}, ${two(day)} ${monthNames[month - 1]} ${String(year).padStart(4, '0')} ${two(hour)}:${two(minute)}:${two(second)} +0000`;
}

/** RFC 3339 in whole seconds, as the API writes it. */
export function rfc3339(epochMs: number): string {
  const { year, month, day, hour, minute, second } = civilOf(epochMs);
  return `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}T${two(hour)}:${two(minute)}:${two(second)}Z`;
}

/** The start of a klog line: `I1122 13:27:31.128576`. */
export function klogStamp(severity: string, epochMs: number): string {
  const { month, day, hour, minute, second } = civilOf(epochMs);
  const micros = Math.floor((epochMs - Math.floor(epochMs / 1000) * 1000) * 1000);
  return `${severity}${two(month)}${two(day)} ${two(hour)}:${two(minute)}:${two(second)}.${String(micros).padStart(6, '0')}`;
}

/** `2026-11-22 13:45:09.665669158 +0000`, as diff heads its files. */
export function diffStamp(epochMs: number): string {
  const { year, month, day, hour, minute, second } = civilOf(epochMs);
  const micros = Math.floor((epochMs - Math.floor(epochMs / 1000) * 1000) * 1000);
  return `${year}-${two(month)}-${two(day)} ${two(hour)}:${two(minute)}:${two(second)}.${String(micros).padStart(6, '0')}000 +0000`;
}

/** Go's `Time.String()`: `2025-01-02 03:04:05 +0000 UTC`. */
export function goTime(timestamp: unknown): string {
  return typeof timestamp === 'string' ? timestamp.replace('T', ' ').replace(/(\.\d+)?Z$/, ' +0000 UTC') : '<unset>';
}
