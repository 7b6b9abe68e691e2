/** Where each key occurs, for millions of look-ups: an open hash table over typed arrays. */
export interface Postings {
  has(key: number): boolean;
  /** How often the key occurs. */
  count(key: number): number;
  /** All values, those of one key side by side. */
  readonly values: Int32Array;
  /** Where in `values` the key's lie, half-open, in the order they were posted. */
  range(key: number): readonly [from: number, to: number];
}

/** A growing list of key and value, both 32-bit integers; key 0 is not allowed. */
export class PostingList {
  keys = new Int32Array(4096);
  values = new Int32Array(4096);
  length = 0;

  add(key: number, value: number): void {
    if (this.length === this.keys.length) {
      this.keys = longer(this.keys);
      this.values = longer(this.values);
    }
    this.keys[this.length] = key;
    this.values[this.length++] = value;
  }
}

/** Kept: making such arrays for every call costs more than filling them. Filled and grouped in one go, so nobody comes between. */
const scratch = new PostingList();
let slots = new Int32Array(4096);

/** Groups by key what `fill` adds to a list. */
export function groupPostings(fill: (list: PostingList) => void): Postings {
  scratch.length = 0;
  fill(scratch);
  const { keys, values, length } = scratch;
  if (slots.length < length) slots = new Int32Array(keys.length);
  let bits = 4;
  while (1 << bits < length * 1.5) bits++;
  const shift = 32 - bits;
  const wrap = (1 << bits) - 1;
  const slotKeys = new Int32Array(1 << bits);
  /** Where the values of a slot's key end; they begin where those of the slot before end. */
  const ends = new Int32Array(1 << bits);
  const grouped = new Int32Array(length);

  /** The slot that holds the key, or the free one where it would go. */
  const slotOf = (key: number): number => {
    // Multiplying by 2^32 / golden ratio spreads neighbours (Knuth, TAOCP 3, 6.4).
    let slot = Math.imul(key, 0x9e3779b1) >>> shift;
    while (slotKeys[slot] !== key && slotKeys[slot] !== 0) slot = (slot + 1) & wrap;
    return slot;
  };

  // First how many there are, then where they begin, at last where they end.
  for (let i = 0; i < length; i++) {
    const key = keys[i] as number;
    const slot = slotOf(key);
    slotKeys[slot] = key;
    ends[slot] = (ends[slot] as number) + 1;
    slots[i] = slot;
  }
  let total = 0;
  for (let slot = 0; slot <= wrap; slot++) {
    const count = ends[slot] as number;
    ends[slot] = total;
    total += count;
  }
  for (let i = 0; i < length; i++) {
    const slot = slots[i] as number;
    const place = ends[slot] as number;
    grouped[place] = values[i] as number;
    ends[slot] = place + 1;
  }
  const beginOf = (slot: number): number => (slot === 0 ? 0 : (ends[slot - 1] as number));
  return {
    values: grouped,
    has: (key) => slotKeys[slotOf(key)] === key,
    count(key) {
      const slot = slotOf(key);
      return (ends[slot] as number) - beginOf(slot);
    },
    range(key) {
      const slot = slotOf(key);
      return [beginOf(slot), ends[slot] as number];
    },
  };
}

function longer(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const twice = new Int32Array(array.length * 2);
  twice.set(array);
  return twice;
}
