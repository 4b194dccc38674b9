// Quantities as apimachinery `pkg/api/resource` reads and writes them.

const binary = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const decimal = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'];
const form = /^([+-]?)(\d*)(?:\.(\d*))?([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$/;

interface Quantity {
  /** In units of 10^-9. */
  readonly nanos: bigint;
  readonly format: 'binary' | 'decimal' | 'exponent';
}

export function parseQuantity(text: string): Quantity | undefined {
  const match = form.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = '', fraction = '', suffix = ''] = match;
  if (whole === '' && fraction === '') return undefined;
  const digits = BigInt(whole + fraction);
  const scale = (power: number): bigint => {
    const shift = power + 9 - fraction.length;
    if (shift >= 0) return digits * 10n ** BigInt(shift);
    const divisor = 10n ** BigInt(-shift);
    // What is finer than a billionth is rounded away from zero.
    return (digits + divisor - 1n) / divisor;
  };
  const signed = (nanos: bigint): bigint => (sign === '-' ? -nanos : nanos);
  if (suffix.endsWith('i') && suffix.length === 2) {
    const factor = 1024n ** BigInt(binary.indexOf(suffix));
    const divisor = 10n ** BigInt(fraction.length);
    return { nanos: signed((digits * factor * 1_000_000_000n + divisor - 1n) / divisor), format: 'binary' };
  }
  if (/^[eE].+/.test(suffix)) return { nanos: signed(scale(Number(suffix.slice(1)))), format: 'exponent' };
  return { nanos: signed(scale((decimal.indexOf(suffix) - 3) * 3)), format: 'decimal' };
}

/** The canonical text of a quantity (`1000m` is `1`, `1.5Gi` is `1536Mi`), undefined when it is none. */
export function canonicalQuantity(text: string): string | undefined {
  const quantity = parseQuantity(text);
  if (quantity === undefined) return undefined;
  const { nanos, format } = quantity;
  if (nanos === 0n) return '0';
  const sign = nanos < 0n ? '-' : '';
  let value = nanos < 0n ? -nanos : nanos;
  const unit = 1_000_000_000n;
  if (format === 'binary' && value >= 1024n * unit) {
    // Only whole numbers: a fraction is rounded up.
    value = (value + unit - 1n) / unit;
    let power = 0;
    while (value % 1024n === 0n && power < binary.length - 1) {
      value /= 1024n;
      power++;
    }
    return `${sign}${value}${binary[power]}`;
  }
  let power = 0;
  while (value % 1000n === 0n && power < decimal.length - 1) {
    value /= 1000n;
    power++;
  }
  if (format === 'exponent') return `${sign}${value}${power === 3 ? '' : `e${(power - 3) * 3}`}`;
  return `${sign}${value}${decimal[power]}`;
}
