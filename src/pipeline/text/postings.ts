/** Where each key occurs, for millions of look-ups: an open hash table over typed arrays. */
export interface Postings {
  /** How often the key occurs. */
  count(key: number): number;
  /** The values posted under the key, in the order they were posted. */
  values(key: number): Int32Array;
}

/** A growing list of key and value, both 32-bit integers; key 0 is not allowed. */
export class PostingList {
  keys: Int32Array;
  values: Int32Array;
  length = 0;

  constructor(capacity: number) {
    const size = Math.max(16, capacity);
    this.keys = new Int32Array(size);
    this.values = new Int32Array(size);
  }

  add(key: number, value: number): void {
    if (this.length === this.keys.length) {
      const keys = new Int32Array(this.length * 2);
      const values = new Int32Array(this.length * 2);
      keys.set(this.keys);
      values.set(this.values);
      this.keys = keys;
      this.values = values;
    }
    this.keys[this.length] = key;
    this.values[this.length++] = value;
  }
}

const NONE = new Int32Array(0);

/** Groups a list by key. */
export function groupPostings({ keys, values, length }: PostingList): Postings {
  let bits = 4;
  while (1 << bits < length * 2) bits++;
  const shift = 32 - bits;
  const wrap = (1 << bits) - 1;
  const slotKeys = new Int32Array(1 << bits);
  const counts = new Int32Array(1 << bits);
  const ends = new Int32Array(1 << bits);
  const grouped = new Int32Array(length);

  /** The slot that holds the key, or the free one where it would go. */
  const slotOf = (key: number): number => {
    // Multiplying by 2^32 / golden ratio spreads neighbours (Knuth, TAOCP 3, 6.4).
    let slot = Math.imul(key, 0x9e3779b1) >>> shift;
    while (slotKeys[slot] !== key && slotKeys[slot] !== 0) slot = (slot + 1) & wrap;
    return slot;
  };

  const slots = new Int32Array(length);
  for (let i = 0; i < length; i++) {
    const key = keys[i] as number;
    const slot = slotOf(key);
    slotKeys[slot] = key;
    counts[slot] = (counts[slot] as number) + 1;
    slots[i] = slot;
  }
  let total = 0;
  for (let slot = 0; slot <= wrap; slot++) {
    ends[slot] = total;
    total += counts[slot] as number;
  }
  for (let i = 0; i < length; i++) {
    const slot = slots[i] as number;
    const place = ends[slot] as number;
    grouped[place] = values[i] as number;
    ends[slot] = place + 1;
  }
  return {
    count: (key) => counts[slotOf(key)] as number,
    values(key) {
      const slot = slotOf(key);
      const end = ends[slot] as number;
      const count = counts[slot] as number;
      return count === 0 ? NONE : grouped.subarray(end - count, end);
    },
  };
}
