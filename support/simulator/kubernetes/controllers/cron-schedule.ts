/** Cron's five fields, as robfig/cron v3 (which Kubernetes uses) reads them, in UTC. */
export interface CronSchedule {
  /** The first time after this one, to the minute; undefined when there is none within five years. */
  next(afterMs: number): number | undefined;
}

const macros: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};
const months = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ');
const days = 'sun mon tue wed thu fri sat'.split(' ');

interface Field {
  readonly values: ReadonlySet<number>;
  readonly isStar: boolean;
}

function parseField(text: string, least: number, most: number, names: readonly string[] = [], firstName = 0): Field | undefined {
  const values = new Set<number>();
  let isStar = false;
  const numberOf = (word: string): number => {
    const named = names.indexOf(word.toLowerCase());
    return named >= 0 ? named + firstName : /^\d+$/.test(word) ? Number(word) : Number.NaN;
  };
  for (const part of text.split(',')) {
    const [range = '', stepText, ...more] = part.split('/');
    const step = stepText === undefined ? 1 : Number(stepText);
    if (more.length > 0 || !Number.isInteger(step) || step < 1) return undefined;
    let [from, to] = [least, most];
    if (range === '*' || range === '?') isStar ||= step === 1;
    else {
      const [first = '', last, ...rest] = range.split('-');
      if (rest.length > 0) return undefined;
      from = numberOf(first);
      to = last !== undefined ? numberOf(last) : stepText === undefined ? from : most;
    }
    if (!(from >= least && to <= most && from <= to)) return undefined;
    for (let value = from; value <= to; value += step) values.add(value);
  }
  return { values, isStar };
}

export function parseCron(text: string): CronSchedule | undefined {
  const every = /^@every (\d+)(s|m|h)$/.exec(text.trim());
  if (every !== null) {
    const periodMs = Number(every[1]) * { s: 1000, m: 60_000, h: 3_600_000 }[every[2] as 's' | 'm' | 'h'];
    return { next: (after) => Math.floor(after / 1000) * 1000 + Math.max(periodMs, 1000) };
  }
  const fields = (macros[text.trim()] ?? text).trim().split(/\s+/);
  if (fields.length !== 5) return undefined;
  const [minute, hour, day, month, weekday] = fields as [string, string, string, string, string];
  const parsed = [
    parseField(minute, 0, 59),
    parseField(hour, 0, 23),
    parseField(day, 1, 31),
    parseField(month, 1, 12, months, 1),
    parseField(weekday, 0, 6, days),
  ];
  if (parsed.some((field) => field === undefined)) return undefined;
  const [minutes, hours, monthDays, monthsOfYear, weekDays] = parsed as [Field, Field, Field, Field, Field];
  const isDay = (year: number, monthIndex: number, date: number): boolean => {
    const inMonth = monthDays.values.has(date);
    const inWeek = weekDays.values.has(weekdayOf(year, monthIndex, date));
    // Where both are stated, one of them is enough.
    return monthDays.isStar || weekDays.isStar ? inMonth && inWeek : inMonth || inWeek;
  };
  return {
    next(afterMs) {
      const start = Math.floor(afterMs / 60_000) + 1;
      for (let dayNumber = Math.floor(start / 1440), last = dayNumber + 5 * 366; dayNumber <= last; dayNumber++) {
        const { year, monthIndex, date } = civil(dayNumber);
        if (!monthsOfYear.values.has(monthIndex + 1) || !isDay(year, monthIndex, date)) continue;
        for (let inDay = Math.max(0, start - dayNumber * 1440); inDay < 1440; inDay++)
          if (hours.values.has(Math.floor(inDay / 60)) && minutes.values.has(inDay % 60)) return (dayNumber * 1440 + inDay) * 60_000;
      }
      return undefined;
    },
  };
}

/** The date of a day since 1970 (proleptic Gregorian). */
function civil(dayNumber: number): { readonly year: number; readonly monthIndex: number; readonly date: number } {
  const shifted = dayNumber + 719_468;
  const era = Math.floor(shifted / 146_097);
  const inEra = shifted - era * 146_097;
  const yearOfEra = Math.floor((inEra - Math.floor(inEra / 1460) + Math.floor(inEra / 36_524) - Math.floor(inEra / 146_096)) / 365);
  const inYear = inEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * inYear + 2) / 153);
  const monthIndex = (shiftedMonth + 2) % 12;
  return {
    year: yearOfEra + era * 400 + (monthIndex <= 1 ? 1 : 0),
    monthIndex,
    date: inYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1,
  };
}

/** Zeller's congruence, Sunday as 0. */
function weekdayOf(year: number, monthIndex: number, date: number): number {
  const [y, m] = monthIndex <= 1 ? [year - 1, monthIndex + 13] : [year, monthIndex + 1];
  const sum = date + Math.floor((13 * (m + 1)) / 5) + y + Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400);
  return (sum + 6) % 7;
}
