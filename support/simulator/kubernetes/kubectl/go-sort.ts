/**
 * Go's `sort.Sort`, a pattern-defeating quicksort (arXiv:2106.05123) in the variant of Go 1.19 to 1.23, which
 * kubectl 1.32 is built with. It is not stable, yet what it
 * does with equal elements is certain: `kubectl get events --sort-by=.lastTimestamp` prints events of one second in its order.
 * `less` is asked for elements at the places that Go asks for.
 */
export function goSort<T>(items: readonly T[], less: (a: T, b: T) => boolean): T[] {
  const sorter = new Sorter([...items], less);
  sorter.sort(0, items.length, bitLength(items.length));
  return sorter.items;
}

const insertionLimit = 12;
const ninthersFrom = 50;
const mostSwaps = 12;

type Hint = 'unknown' | 'increasing' | 'decreasing';

function bitLength(value: number): number {
  return value === 0 ? 0 : Math.floor(Math.log2(value)) + 1;
}

class Sorter<T> {
  readonly items: T[];
  readonly #less: (a: T, b: T) => boolean;
  constructor(items: T[], less: (a: T, b: T) => boolean) {
    this.items = items;
    this.#less = less;
  }

  /** Sorts from `start` to before `end`; after `badPivots` bad choices it falls back to a heap. */
  sort(start: number, end: number, badPivots: number): void {
    let [a, b, limit] = [start, end, badPivots];
    let wasBalanced = true;
    let wasPartitioned = true;
    for (;;) {
      const length = b - a;
      if (length <= insertionLimit || limit === 0) {
        if (length <= insertionLimit) this.#insertion(a, b);
        else this.#heap(a, b);
        return;
      }
      if (!wasBalanced) {
        this.#breakPatterns(a, b);
        limit--;
      }
      let [pivot, hint] = this.#choosePivot(a, b);
      if (hint === 'decreasing') {
        for (let i = a, j = b - 1; i < j; i++, j--) this.#swap(i, j);
        pivot = b - 1 - (pivot - a);
        hint = 'increasing';
      }
      if (wasBalanced && wasPartitioned && hint === 'increasing' && this.#partialInsertion(a, b)) return;
      if (a > 0 && !this.#isLess(a - 1, pivot)) {
        a = this.#partitionEqual(a, b, pivot);
        continue;
      }
      const { middle, wasDone } = this.#partition(a, b, pivot);
      wasPartitioned = wasDone;
      const [left, right] = [middle - a, b - middle];
      const threshold = Math.floor(length / 8);
      if (left < right) {
        wasBalanced = left >= threshold;
        this.sort(a, middle, limit);
        a = middle + 1;
      } else {
        wasBalanced = right >= threshold;
        this.sort(middle + 1, b, limit);
        b = middle;
      }
    }
  }

  #isLess(i: number, j: number): boolean {
    return this.#less(this.items[i] as T, this.items[j] as T);
  }

  #swap(i: number, j: number): void {
    const kept = this.items[i] as T;
    this.items[i] = this.items[j] as T;
    this.items[j] = kept;
  }

  #insertion(a: number, b: number): void {
    for (let i = a + 1; i < b; i++) for (let j = i; j > a && this.#isLess(j, j - 1); j--) this.#swap(j, j - 1);
  }

  #heap(a: number, b: number): void {
    const size = b - a;
    for (let root = Math.floor((size - 1) / 2); root >= 0; root--) this.#siftDown(root, size, a);
    for (let last = size - 1; last >= 0; last--) {
      this.#swap(a, a + last);
      this.#siftDown(0, last, a);
    }
  }

  #siftDown(from: number, size: number, first: number): void {
    for (let root = from; ; ) {
      let child = 2 * root + 1;
      if (child >= size) return;
      if (child + 1 < size && this.#isLess(first + child, first + child + 1)) child++;
      if (!this.#isLess(first + root, first + child)) return;
      this.#swap(first + root, first + child);
      root = child;
    }
  }

  /** A few elements change places, by an xorshift generator that is seeded with the length (its shifts until Go 1.23: 13, 17, 5). */
  #breakPatterns(a: number, b: number): void {
    const length = b - a;
    if (length < 8) return;
    let state = BigInt(length);
    const next = (): bigint => {
      state = BigInt.asUintN(64, state ^ (state << 13n));
      state ^= state >> 17n;
      state = BigInt.asUintN(64, state ^ (state << 5n));
      return state;
    };
    const mask = (1n << BigInt(bitLength(length))) - 1n;
    const middle = a + Math.floor(length / 4) * 2;
    for (let index = middle - 1; index <= middle + 1; index++) {
      const other = Number(next() & mask);
      this.#swap(index, a + (other >= length ? other - length : other));
    }
  }

  #choosePivot(a: number, b: number): [pivot: number, hint: Hint] {
    const length = b - a;
    const quarter = Math.floor(length / 4);
    let swaps = 0;
    const ordered = (i: number, j: number): [number, number] => {
      if (!this.#isLess(j, i)) return [i, j];
      swaps++;
      return [j, i];
    };
    const median = (x: number, y: number, z: number): number => {
      let [i, j, k] = [x, y, z];
      [i, j] = ordered(i, j);
      [j, k] = ordered(j, k);
      [i, j] = ordered(i, j);
      return j;
    };
    let [i, j, k] = [a + quarter, a + quarter * 2, a + quarter * 3];
    if (length >= 8) {
      if (length >= ninthersFrom) {
        i = median(i - 1, i, i + 1);
        j = median(j - 1, j, j + 1);
        k = median(k - 1, k, k + 1);
      }
      j = median(i, j, k);
    }
    return [j, swaps === 0 ? 'increasing' : swaps === mostSwaps ? 'decreasing' : 'unknown'];
  }

  #partition(a: number, b: number, pivot: number): { readonly middle: number; readonly wasDone: boolean } {
    this.#swap(a, pivot);
    let [i, j] = [a + 1, b - 1];
    const close = (): void => {
      while (i <= j && this.#isLess(i, a)) i++;
      while (i <= j && !this.#isLess(j, a)) j--;
    };
    close();
    const wasDone = i > j;
    while (i <= j) {
      this.#swap(i++, j--);
      close();
    }
    this.#swap(j, a);
    return { middle: j, wasDone };
  }

  /** Elements equal to the pivot, then those greater; nothing here is smaller. */
  #partitionEqual(a: number, b: number, pivot: number): number {
    this.#swap(a, pivot);
    let [i, j] = [a + 1, b - 1];
    for (;;) {
      while (i <= j && !this.#isLess(a, i)) i++;
      while (i <= j && this.#isLess(a, j)) j--;
      if (i > j) return i;
      this.#swap(i++, j--);
    }
  }

  /** Mends up to five pairs out of order; says whether all is sorted then. */
  #partialInsertion(a: number, b: number): boolean {
    let i = a + 1;
    for (let step = 0; step < 5; step++) {
      while (i < b && !this.#isLess(i, i - 1)) i++;
      if (i === b) return true;
      if (b - a < ninthersFrom) return false;
      this.#swap(i, i - 1);
      if (i - a >= 2) for (let j = i - 1; j >= 1 && this.#isLess(j, j - 1); j--) this.#swap(j, j - 1);
      if (b - i >= 2) for (let j = i + 1; j < b && this.#isLess(j, j - 1); j++) this.#swap(j, j - 1);
    }
    return false;
  }
}
