/** A moment of virtual time as a calendar shows it, in UTC (simulated machines have no other zone). */
export interface CivilTime {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly milliseconds: number;
  /** 0 is Sunday. */
  readonly weekday: number;
  /** 1 is the first of January. */
  readonly dayOfYear: number;
}

const dayMs = 86_400_000;

/** Days from the epoch to a date of the proleptic Gregorian calendar (H. Hinnant, "chrono-compatible low-level date algorithms"). */
function daysOf(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468;
}

/** @param epochMs milliseconds since the Unix epoch */
export function civilTime(epochMs: number): CivilTime {
  const days = Math.floor(epochMs / dayMs);
  const rest = epochMs - days * dayMs;
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayFromMarch = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayFromMarch + 2) / 153);
  const month = monthFromMarch + (monthFromMarch < 10 ? 3 : -9);
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  const day = dayFromMarch - Math.floor((153 * monthFromMarch + 2) / 5) + 1;
  return {
    year,
    month,
    day,
    hour: Math.floor(rest / 3_600_000),
    minute: Math.floor(rest / 60_000) % 60,
    second: Math.floor(rest / 1000) % 60,
    milliseconds: rest % 1000,
    weekday: (((days + 4) % 7) + 7) % 7,
    dayOfYear: days - daysOf(year, 1, 1) + 1,
  };
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}

/** RFC 3339 with as many digits of the second as Go's RFC3339Nano keeps: trailing zeros go. */
export function formatRfc3339Nano(epochMs: number): string {
  const time = civilTime(epochMs);
  const fraction = Math.round(time.milliseconds * 1000)
    .toString()
    .padStart(6, '0')
    .replace(/0+$/, '');
  return `${formatDate(time)}T${formatTime(time)}${fraction === '' ? '' : `.${fraction}`}Z`;
}

/** `2026-01-31T12:00:00.000Z`. */
export function formatIso(epochMs: number): string {
  const time = civilTime(epochMs);
  return `${formatDate(time)}T${formatTime(time)}.${String(Math.floor(time.milliseconds)).padStart(3, '0')}Z`;
}

export function formatDate(time: CivilTime): string {
  return `${String(time.year).padStart(4, '0')}-${two(time.month)}-${two(time.day)}`;
}

export function formatTime(time: CivilTime): string {
  return `${two(time.hour)}:${two(time.minute)}:${two(time.second)}`;
}
