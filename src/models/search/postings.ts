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
  /** Call, side and position of each. */
  #rest = new Int32Array(3 * 1024);
  length = 0;

  add(term: Term, call: number, side: number, position: number): void {
    if (this.length === this.#terms.length) {
      const terms = new Float64Array(this.length * 2);
      const rest = new Int32Array(this.length * 6);
      terms.set(this.#terms);
      rest.set(this.#rest);
      this.#terms = terms;
      this.#rest = rest;
    }
    this.#terms[this.length] = term;
    const at = 3 * this.length++;
    this.#rest[at] = call;
    this.#rest[at + 1] = side;
    this.#rest[at + 2] = position;
  }

  /** By shard (the first `bits` bits of a term's place), only those that are not empty. */
  toShards(bits: number): Map<number, Uint8Array> {
    // 32 bits of term and 21 of the place in the list fit a double, whose order a typed array sorts by.
    if (this.length > 2 ** 21) throw new RangeError(`expected at most ${2 ** 21} postings at once, got ${this.length}`);
    const order = new Float64Array(this.length);
    for (let i = 0; i < this.length; i++) order[i] = (this.#terms[i] as number) * 2 ** 21 + i;
    order.sort();
    const writer = new ListWriter();
    for (let n = 0; n < this.length; n++) {
      const ordered = order[n] as number;
      const term = Math.floor(ordered / 2 ** 21);
      const at = 3 * (ordered - term * 2 ** 21);
      writer.begin(term);
      writer.add(this.#rest[at] as number, this.#rest[at + 1] as number, this.#rest[at + 2] as number);
    }
    return packShards(writer.lists(), bits);
  }
}

interface TermList {
  readonly term: Term;
  readonly bytes: Uint8Array;
}

/**
 * Terms' places as bytes, one term after the other. Per call: (calls since the last one) × 2 + (is there more than one), the number less two if so, then of
 * each place its side (utterances since the last × 3 + who) and the positions since the last.
 */
class ListWriter {
  readonly #out = new VarintWriter(65_536);
  readonly #terms: Term[] = [];
  readonly #starts: number[] = [];
  #call = -1;
  #lastCall = 0;
  /** Side and position of the places of the call. */
  #group: number[] = [];

  /** What is added from here on is of this term; terms must come in order. */
  begin(term: Term): void {
    if (this.#terms.at(-1) === term) return;
    this.#flush();
    this.#terms.push(term);
    this.#starts.push(this.#out.length);
    this.#call = -1;
    this.#lastCall = 0;
  }

  add(call: number, side: number, position: number): void {
    if (call !== this.#call) {
      this.#flush();
      this.#call = call;
    }
    this.#group.push(side, position);
  }

  /** All terms that have places. */
  lists(): TermList[] {
    this.#flush();
    const all = this.#out.since(0);
    return this.#terms
      .map((term, i) => ({ term, bytes: all.subarray(this.#starts[i], this.#starts[i + 1] ?? all.length) }))
      .filter(({ bytes }) => bytes.length > 0);
  }

  #flush(): void {
    const group = this.#group;
    if (group.length === 0) return;
    const count = group.length / 2;
    this.#out.put((this.#call - this.#lastCall) * 2 + (count > 1 ? 1 : 0));
    this.#lastCall = this.#call;
    if (count > 1) this.#out.put(count - 2);
    let position = 0;
    let utterance = 0;
    for (let i = 0; i < group.length; i += 2) {
      const side = group[i] as number;
      const who = side % 3;
      const spoken = (side - who) / 3;
      this.#out.put((spoken - utterance) * 3 + who);
      this.#out.put((group[i + 1] as number) - position);
      utterance = spoken;
      position = group[i + 1] as number;
    }
    group.length = 0;
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
  /** Calls back for each term, in order. */
  eachTerm(visit: (term: Term, index: number) => void): void;
  /** All places of the term of that index. */
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
    eachTerm(visit) {
      for (let i = 0; i < count; i++) visit(termAt(i), i);
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
    call += head >>> 1;
    const count = (head & 1) === 0 ? 1 : reader.take() + 2;
    let position = 0;
    let utterance = 0;
    for (let i = 0; i < count; i++) {
      const side = reader.take();
      const who = side % 3;
      utterance += side - who;
      position += reader.take();
      keys[length] = call * CALL_SPAN + position;
      sides[length++] = utterance + who;
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
    shard.eachTerm((term, i) => {
      const entry = { places: shard.places(i), before };
      const others = found.get(term);
      if (others) others.push(entry);
      else found.set(term, [entry]);
    });
  }
  const writer = new ListWriter();
  for (const term of Float64Array.from(found.keys()).sort()) {
    writer.begin(term);
    for (const { places, before } of found.get(term) ?? []) addPlaces(writer, places, before);
  }
  return packShards(writer.lists(), bits);
}

function addPlaces(writer: ListWriter, { keys, sides }: Places, before: number, skipped?: ReadonlySet<number>): void {
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as number;
    const call = Math.floor(key / CALL_SPAN);
    if (!skipped?.has(call)) writer.add(call + before, sides[i] as number, key - call * CALL_SPAN);
  }
}

/** The shard without some calls; null where nothing is left, the same bytes where nothing of them was there. */
export function withoutCalls(packed: Uint8Array, gone: ReadonlySet<number>): Uint8Array | null {
  const shard = openShard(packed);
  const writer = new ListWriter();
  let touched = false;
  shard.eachTerm((term, index) => {
    const places = shard.places(index);
    touched ||= places.keys.some((key) => gone.has(Math.floor(key / CALL_SPAN)));
    writer.begin(term);
    addPlaces(writer, places, 0, gone);
  });
  if (!touched) return packed;
  const lists = writer.lists();
  return lists.length === 0 ? null : packShard(lists);
}
