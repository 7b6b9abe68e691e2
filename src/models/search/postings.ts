import { placeOfTerm, type Term } from "./tokens.ts";
import { VarintReader, VarintWriter } from "./varint.ts";

/**
 * Where a term is, in order: `keys` are call × 2^20 + position of its first token in the call, `sides` are utterance × 3 + side (0 unknown, 1 agent,
 * 2 customer).
 */
export interface Places {
  readonly keys: Float64Array;
  readonly sides: Uint32Array;
}

/** More than a call has tokens; those behind it are not indexed. */
export const CALL_SPAN = 2 ** 20;

export const NOWHERE: Places = { keys: new Float64Array(0), sides: new Uint32Array(0) };

/** A growing list of term, call, side and position. Calls must come in order, and within a call positions. */
export class PostingsBuilder {
  #terms = new Float64Array(1024);
  #keys = new Float64Array(1024);
  #sides = new Uint32Array(1024);
  length = 0;

  add(term: Term, call: number, side: number, position: number): void {
    if (this.length === this.#terms.length) {
      const terms = new Float64Array(this.length * 2);
      const keys = new Float64Array(this.length * 2);
      const sides = new Uint32Array(this.length * 2);
      terms.set(this.#terms);
      keys.set(this.#keys);
      sides.set(this.#sides);
      this.#terms = terms;
      this.#keys = keys;
      this.#sides = sides;
    }
    this.#terms[this.length] = term;
    this.#keys[this.length] = call * CALL_SPAN + position;
    this.#sides[this.length++] = side;
  }

  /** By shard (the first `bits` bits of a term's place), only those that are not empty. */
  toShards(bits: number): Map<number, Uint8Array> {
    // 32 bits of term and 21 of the place in the list fit a double, whose order a typed array sorts by.
    if (this.length > 2 ** 21) throw new RangeError(`expected at most ${2 ** 21} postings at once, got ${this.length}`);
    const order = new Float64Array(this.length);
    for (let i = 0; i < this.length; i++) order[i] = (this.#terms[i] as number) * 2 ** 21 + i;
    order.sort();
    const lists: TermList[] = [];
    for (let from = 0; from < this.length; ) {
      const term = Math.floor((order[from] as number) / 2 ** 21);
      const writer = new ListWriter();
      let to = from;
      for (; to < this.length && Math.floor((order[to] as number) / 2 ** 21) === term; to++) {
        const i = (order[to] as number) % 2 ** 21;
        writer.add(this.#keys[i] as number, this.#sides[i] as number);
      }
      lists.push({ term, bytes: writer.bytes() });
      from = to;
    }
    return packShards(lists, bits);
  }
}

interface TermList {
  readonly term: Term;
  readonly bytes: Uint8Array;
}

/**
 * One term's places as bytes. Per call: (calls since the last one) × 2 + (is there more than one), the number less two if so, then of each place
 * its side (utterances since the last × 3 + who) and the positions since the last.
 */
class ListWriter {
  readonly #out = new VarintWriter(16);
  #call = -1;
  #lastCall = 0;
  #group: number[] = [];

  add(key: number, side: number): void {
    const call = Math.floor(key / CALL_SPAN);
    if (call !== this.#call) {
      this.#flush();
      this.#call = call;
    }
    this.#group.push(key % CALL_SPAN, side);
  }

  bytes(): Uint8Array {
    this.#flush();
    return this.#out.bytes();
  }

  #flush(): void {
    const count = this.#group.length / 2;
    if (count === 0) return;
    this.#out.put((this.#call - this.#lastCall) * 2 + (count > 1 ? 1 : 0));
    this.#lastCall = this.#call;
    if (count > 1) this.#out.put(count - 2);
    let position = 0;
    let utterance = 0;
    for (let i = 0; i < this.#group.length; i += 2) {
      const side = this.#group[i + 1] as number;
      const spoken = Math.floor(side / 3);
      this.#out.put((spoken - utterance) * 3 + (side % 3));
      this.#out.put((this.#group[i] as number) - position);
      utterance = spoken;
      position = this.#group[i] as number;
    }
    this.#group = [];
  }
}

/** Number of terms, terms in order, ends of their lists, lists. */
function packShard(lists: readonly TermList[]): Uint8Array {
  const head = 4 + lists.length * 8;
  const size = lists.reduce((sum, { bytes }) => sum + bytes.length, head);
  const packed = new Uint8Array(size);
  const view = new DataView(packed.buffer);
  view.setUint32(0, lists.length, true);
  let end = 0;
  lists.forEach(({ term, bytes }, i) => {
    packed.set(bytes, head + end);
    end += bytes.length;
    view.setUint32(4 + i * 4, term, true);
    view.setUint32(4 + (lists.length + i) * 4, end, true);
  });
  return packed;
}

/** @param lists in order of term */
function packShards(lists: readonly TermList[], bits: number): Map<number, Uint8Array> {
  const byShard = new Map<number, TermList[]>();
  for (const list of lists) {
    const shard = shardOf(placeOfTerm(list.term), bits);
    const others = byShard.get(shard);
    if (others) others.push(list);
    else byShard.set(shard, [list]);
  }
  return new Map([...byShard].map(([shard, own]) => [shard, packShard(own)]));
}

/** The first `bits` bits of a place. */
export function shardOf(place: number, bits: number): number {
  return bits === 0 ? 0 : place >>> (32 - bits);
}

/** A packed shard, to be looked at. */
export interface Shard {
  readonly terms: readonly Term[];
  /** All places of the term at this place of `terms`. */
  places(index: number): Places;
  /** Places of the term; NOWHERE if it is not there. */
  find(term: Term): Places;
}

export function openShard(packed: Uint8Array): Shard {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  const count = view.getUint32(0, true);
  const head = 4 + count * 8;
  const termAt = (i: number): number => view.getUint32(4 + i * 4, true);
  const places = (i: number): Places => {
    const from = i === 0 ? 0 : view.getUint32(4 + (count + i - 1) * 4, true);
    const to = view.getUint32(4 + (count + i) * 4, true);
    return readList(packed, head + from, head + to);
  };
  return {
    get terms() {
      return Array.from({ length: count }, (_, i) => termAt(i));
    },
    places,
    find(term) {
      let low = 0;
      let high = count - 1;
      while (low <= high) {
        const middle = (low + high) >> 1;
        const found = termAt(middle);
        if (found === term) return places(middle);
        if (found < term) low = middle + 1;
        else high = middle - 1;
      }
      return NOWHERE;
    },
  };
}

function readList(packed: Uint8Array, from: number, to: number): Places {
  const reader = new VarintReader(packed, from, to);
  // A place takes at least two bytes.
  const keys = new Float64Array((to - from) >> 1);
  const sides = new Uint32Array(keys.length);
  let length = 0;
  let call = 0;
  while (reader.at < to) {
    const head = reader.take();
    call += Math.floor(head / 2);
    const count = head % 2 === 0 ? 1 : reader.take() + 2;
    let position = 0;
    let utterance = 0;
    for (let i = 0; i < count; i++) {
      const side = reader.take();
      utterance += Math.floor(side / 3);
      position += reader.take();
      keys[length] = call * CALL_SPAN + position;
      sides[length++] = utterance * 3 + (side % 3);
    }
  }
  return { keys: keys.subarray(0, length), sides: sides.subarray(0, length) };
}

/** One of several shards that become one: what it holds, and how many calls lie before its own. */
export interface MergePart {
  readonly packed: Uint8Array;
  readonly before: number;
}

/** The same shard of blocks side by side as shards of one larger block, parted by `bits` bits. */
export function mergeShards(parts: readonly MergePart[], bits: number): Map<number, Uint8Array> {
  const found = new Map<Term, { places: Places; before: number }[]>();
  for (const { packed, before } of parts) {
    const shard = openShard(packed);
    shard.terms.forEach((term, i) => {
      const entry = { places: shard.places(i), before };
      const others = found.get(term);
      if (others) others.push(entry);
      else found.set(term, [entry]);
    });
  }
  const lists = [...found.keys()]
    .sort((a, b) => a - b)
    .map((term) => {
      const writer = new ListWriter();
      for (const { places, before } of found.get(term) ?? []) {
        for (let i = 0; i < places.keys.length; i++) writer.add((places.keys[i] as number) + before * CALL_SPAN, places.sides[i] as number);
      }
      return { term, bytes: writer.bytes() };
    });
  return packShards(lists, bits);
}

/** The shard without some calls; null where nothing is left, the same bytes where nothing of them was there. */
export function withoutCalls(packed: Uint8Array, gone: ReadonlySet<number>): Uint8Array | null {
  const shard = openShard(packed);
  let touched = false;
  const lists: TermList[] = [];
  shard.terms.forEach((term, index) => {
    const { keys, sides } = shard.places(index);
    const writer = new ListWriter();
    let left = 0;
    for (let i = 0; i < keys.length; i++) {
      if (gone.has(Math.floor((keys[i] as number) / CALL_SPAN))) touched = true;
      else {
        writer.add(keys[i] as number, sides[i] as number);
        left++;
      }
    }
    if (left > 0) lists.push({ term, bytes: writer.bytes() });
  });
  if (!touched) return packed;
  return lists.length === 0 ? null : packShard(lists);
}
