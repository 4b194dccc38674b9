const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

const timeFormats = [
  'StampMilli',
  'RFC3339',
  'RFC3339Milli',
  'RFC3339Micro',
  'RFC3339Nano',
  'RFC1123Z',
  'YearMonthDay',
  'YearMonthDayHour',
  'YearMonthDayHourMinute',
] as const;
export type TimeFormat = (typeof timeFormats)[number];

/** What `--time-format` names, in any case; what it does not know is the default (hubble/pkg/time). */
export function timeFormatOf(name: string): TimeFormat {
  return timeFormats.find((known) => known.toLowerCase() === name.toLowerCase()) ?? 'StampMilli';
}

interface Parts {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly weekday: number;
  readonly time: string;
  /** Of the second. */
  readonly micros: number;
}

/** Calendar of UTC, from milliseconds since the epoch with microseconds in the fraction (days from civil, proleptic Gregorian). */
function partsOf(milliseconds: number): Parts {
  const totalMicros = Math.round(milliseconds * 1000);
  const totalSeconds = Math.floor(totalMicros / 1_000_000);
  const micros = totalMicros - totalSeconds * 1_000_000;
  const daysSince = Math.floor(totalSeconds / 86_400);
  const second = totalSeconds - daysSince * 86_400;
  const shifted = daysSince + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1;
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  const two = (value: number): string => String(value).padStart(2, '0');
  return {
    year,
    month,
    day,
    weekday: (((daysSince + 4) % 7) + 7) % 7,
    time: `${two(Math.floor(second / 3600))}:${two(Math.floor((second % 3600) / 60))}:${two(second % 60)}`,
    micros,
  };
}

/** `Aug  7 22:25:57.313` by default; everything in UTC. */
export function formatTime(milliseconds: number, format: TimeFormat = 'StampMilli'): string {
  const { year, month, day, weekday, time, micros } = partsOf(milliseconds);
  const two = (value: number): string => String(value).padStart(2, '0');
  const date = `${year}-${two(month)}-${two(day)}`;
  const fraction = String(micros).padStart(6, '0');
  switch (format) {
    case 'StampMilli':
      return `${months[month - 1]} ${String(day).padStart(2, ' ')} ${time}.${fraction.slice(0, 3)}`;
    case 'RFC3339':
      return `${date}T${time}Z`;
    // Fractions without their last noughts, so that none at all may be left.
    case 'RFC3339Milli':
      return `${date}T${time}${`.${fraction.slice(0, 3)}`.replace(/\.?0+$/, '')}Z`;
    case 'RFC3339Micro':
    case 'RFC3339Nano':
      return `${date}T${time}${`.${fraction}`.replace(/\.?0+$/, '')}Z`;
    case 'RFC1123Z':
      return `${days[weekday]}, ${two(day)} ${months[month - 1]} ${year} ${time} +0000`;
    case 'YearMonthDay':
      return date;
    case 'YearMonthDayHour':
      return `${date}T${time.slice(0, 2)}Z`;
    case 'YearMonthDayHourMinute':
      return `${date}T${time.slice(0, 5)}Z`;
  }
}

/** The `time` of protobuf's JSON: no, three or six digits of the second, then nine. */
export function protobufTime(milliseconds: number): string {
  const { year, month, day, time, micros } = partsOf(milliseconds);
  const fraction = String(micros).padStart(6, '0');
  const text = micros === 0 ? '' : fraction.endsWith('000') ? `.${fraction.slice(0, 3)}` : `.${fraction}`;
  return `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}T${time}${text}Z`;
}

/**
 * `--since` and `--until`: a Go duration before now, a day, or a time in RFC 3339 (minutes and seconds may be left out,
 * the zone may not) or RFC 1123 with a numeric zone.
 * @returns undefined when it is neither
 */
export function parseTimeOption(text: string, now: number, parseDuration: (text: string) => number | undefined): number | undefined {
  const isNegative = text.startsWith('-');
  const duration = parseDuration(text.replace(/^[+-]/, ''));
  if (duration !== undefined) return now - (isNegative ? -duration : duration);
  const zoned = /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d)(?::(\d\d)(?::(\d\d)(\.\d+)?)?)?(?:Z|([+-])(\d\d):(\d\d)))?$/.exec(text);
  if (zoned !== null) {
    const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '0', sign, offsetHours = '0', offsetMinutes = '0'] =
      zoned;
    const offset = (Number(offsetHours) * 60 + Number(offsetMinutes)) * 60_000 * (sign === '-' ? -1 : 1);
    return timeOf(year, Number(month), day, hour, minute, second) + Number(fraction) * 1000 - offset;
  }
  const mail = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d\d) (\w{3}) (\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)$/.exec(text);
  if (mail === null || !months.includes(mail[2] ?? '')) return undefined;
  const [, day, month = '', year, hour, minute, second, sign, offsetHours, offsetMinutes] = mail;
  const offset = (Number(offsetHours) * 60 + Number(offsetMinutes)) * 60_000 * (sign === '-' ? -1 : 1);
  return timeOf(year, months.indexOf(month) + 1, day, hour, minute, second) - offset;
}

type Digits = string | undefined;
function timeOf(year: Digits, month: number, day: Digits, hour: Digits, minute: Digits, second: Digits): number {
  return (
    daysFromCivil(Number(year), month, Number(day)) * 86_400_000 +
    Number(hour) * 3_600_000 +
    Number(minute) * 60_000 +
    Number(second) * 1000
  );
}

function daysFromCivil(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}
