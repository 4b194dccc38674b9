/** Resource quantities (`100m`, `50Mi`), as far as sums of requests need them. */
const binary: Readonly<Record<string, number>> = { Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50, Ei: 2 ** 60 };
const decimal: Readonly<Record<string, number>> = { n: 1e-9, u: 1e-6, m: 1e-3, '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, E: 1e18 };

export function parseQuantity(text: string): number {
  const match = /^([+-]?[\d.]+)(?:e([+-]?\d+)|([A-Za-z]*))$/.exec(text.trim());
  if (match === null) return 0;
  const [, amount, exponent, suffix] = match;
  if (exponent !== undefined) return Number(amount) * 10 ** Number(exponent);
  return Number(amount) * (binary[suffix ?? ''] ?? decimal[suffix ?? ''] ?? 1);
}

export function isHugePages(resource: string): boolean {
  return resource.startsWith('hugepages-');
}

/** Canonical form: CPU in whole cores or millicores, bytes in the largest binary unit without a fraction. */
export function formatQuantity(amount: number, resource: string): string {
  if (amount === 0) return '0';
  if (resource === 'cpu') return Number.isInteger(amount) ? String(amount) : `${Math.ceil(amount * 1000 - 1e-9)}m`;
  for (const [suffix, size] of Object.entries(binary).reverse()) if (amount % size === 0) return `${amount / size}${suffix}`;
  for (const suffix of ['E', 'P', 'T', 'G', 'M', 'k'])
    if (amount % (decimal[suffix] as number) === 0) return `${amount / (decimal[suffix] as number)}${suffix}`;
  return String(amount);
}
