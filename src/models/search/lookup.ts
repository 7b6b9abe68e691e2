import type { CallTokens } from "./call-words.ts";
import type { Occurrences } from "./evaluate.ts";
import { CALL_SPAN, NOWHERE, type Places, type Shard, shardOf } from "./postings.ts";
import type { Phrase } from "./query.ts";
import { pairTerm, placeOfSounds, placeOfTerm, readings, singleTerm, soundOf, type Term, type Token, unitsReadAs } from "./tokens.ts";

/** How a phrase is looked up: terms that cover all its tokens, each with where it stands in the phrase. */
export interface PhrasePlan {
  readonly phrase: Phrase;
  readonly exact: readonly { readonly at: number; readonly term: Term }[];
  /** null: as written only. */
  readonly sound: Sounds | null;
}

/** A phrase of characters each of which may be any that sounds like it. */
interface Sounds {
  /** Which characters each may be. */
  readonly heard: readonly HeardAs[];
  /** Pairs that cover all of them, each with where it stands in the phrase, and where such pairs lie. */
  readonly steps: readonly { readonly at: number; readonly places: readonly number[] }[];
}

/** A bit for each UTF-16 unit: set where it may be read as wanted. */
type HeardAs = Uint32Array;

const isHeardAs = (heard: HeardAs, unit: number): boolean => (((heard[unit >>> 5] as number) >>> (unit & 31)) & 1) === 1;

/** Which side each number of postings is; see `SIDES`. */
const SIDE_OF = { agent: 1, customer: 2 } as const;

/** @param sound also what sounds the same without tones: Chinese phrases of two characters and more */
export function planPhrase(phrase: Phrase, sound: boolean): PhrasePlan {
  const { tokens } = phrase;
  const exact: { at: number; term: Term }[] = [];
  for (let at = 0; at < tokens.length; ) {
    const [start, pair] = pairAt(tokens, at);
    exact.push({ at: start, term: pair ?? singleTerm(tokens[start] as Token) });
    at = start + (pair === null ? 1 : 2);
  }
  return { phrase, exact, sound: sound ? soundsOf(tokens, exact) : null };
}

/** null where the phrase is a single character, or something of it has no sound. */
function soundsOf(tokens: readonly Token[], pairs: readonly { readonly at: number }[]): Sounds | null {
  const units = tokens.map((token) => (typeof token === "number" ? unitsReadAs(readings(token)) : []));
  if (units.length < 2 || units.some(({ length }) => length === 0)) return null;
  const heard = units.map((own) => {
    const table = new Uint32Array(0x10000 / 32);
    for (const unit of own) table[unit >>> 5] = (table[unit >>> 5] as number) | (1 << (unit & 31));
    return table;
  });
  const classes = units.map((own) => [...new Set(own.map(soundOf))]);
  const places = (at: number): number[] =>
    (classes[at] as number[]).flatMap((left) => (classes[at + 1] as number[]).map((right) => placeOfSounds(left, right)));
  return { heard, steps: pairs.map(({ at }) => ({ at, places: places(at) })) };
}

/** The pair that begins at a token, or ends with it where that is the last character; null: the token alone. */
function pairAt(tokens: readonly Token[], at: number): [start: number, pair: Term | null] {
  const token = tokens[at] as Token;
  const next = tokens[at + 1];
  const ahead = next === undefined ? null : pairTerm(token, next);
  if (ahead !== null) return [at, ahead];
  const last = tokens[at - 1];
  const back = last === undefined ? null : pairTerm(last, token);
  return back === null ? [at, null] : [at - 1, back];
}

/** All shards that the plans need of a block of this many bits. */
export function shardsOf(plans: readonly PhrasePlan[], bits: number): Set<number> {
  const shards = new Set<number>();
  for (const { exact, sound } of plans) {
    for (const { term } of exact) shards.add(shardOf(placeOfTerm(term), bits));
    for (const { places } of sound?.steps ?? []) for (const place of places) shards.add(shardOf(place, bits));
  }
  return shards;
}

/** Where the phrase is in a block. */
export function findInBlock({ phrase, exact, sound }: PhrasePlan, bits: number, shard: (number: number) => Shard | null): Occurrences {
  const written = together(exact.map(({ at, term }) => [at, shard(shardOf(placeOfTerm(term), bits))?.find(term) ?? NOWHERE] as const));
  const all =
    sound === null
      ? written
      : together(
          sound.steps.map(
            ({ at, places }) =>
              [at, soundPlaces([sound.heard[at] as HeardAs, sound.heard[at + 1] as HeardAs], places, bits, shard)] as const,
          ),
        );
  return ofSide(all, sound === null ? null : written, phrase);
}

/** All pairs that sound as wanted. */
function soundPlaces(
  [left, right]: readonly [HeardAs, HeardAs],
  places: readonly number[],
  bits: number,
  shard: (number: number) => Shard | null,
): Places {
  const found: Places[] = [];
  for (const number of new Set(places.map((place) => shardOf(place, bits)))) {
    const opened = shard(number);
    opened?.eachTerm((term, i) => {
      // A word is no pair of characters that have a sound, whatever its number.
      if (isHeardAs(left, term >>> 16) && isHeardAs(right, term & 0xffff)) found.push(opened.places(i));
    });
  }
  return merged(found);
}

/** Several lists as one, in order. */
function merged(lists: readonly Places[]): Places {
  const waiting = [...lists];
  // Always the two that have waited longest: every place is moved as often as the lists can be halved.
  for (let i = 0; i + 1 < waiting.length; i += 2) waiting.push(mergedTwo(waiting[i] as Places, waiting[i + 1] as Places));
  return waiting.at(-1) ?? NOWHERE;
}

function mergedTwo(a: Places, b: Places): Places {
  const length = a.keys.length + b.keys.length;
  const keys = new Float64Array(length);
  const sides = new Uint32Array(length);
  for (let at = 0, i = 0, j = 0; at < length; at++) {
    const isFirst = j === b.keys.length || (i < a.keys.length && (a.keys[i] as number) <= (b.keys[j] as number));
    const from = isFirst ? a : b;
    const k = isFirst ? i++ : j++;
    keys[at] = from.keys[k] as number;
    sides[at] = from.sides[k] as number;
  }
  return { keys, sides };
}

/** Where all parts stand as far from each other as in the phrase; the keys are of its first token. */
function together(parts: readonly (readonly [at: number, places: Places])[]): Places {
  const [first, ...others] = [...parts].sort((a, b) => a[1].keys.length - b[1].keys.length) as [
    readonly [number, Places],
    ...(readonly [number, Places])[],
  ];
  let keys = first[1].keys.map((key) => key - first[0]);
  let { sides } = first[1];
  for (const [at, { keys: other }] of others) {
    let length = 0;
    let next = 0;
    const keptKeys = new Float64Array(keys.length);
    const keptSides = new Uint32Array(keys.length);
    for (let i = 0; i < keys.length; i++) {
      const wanted = (keys[i] as number) + at;
      next = seek(other, next, wanted);
      if (other[next] !== wanted) continue;
      keptKeys[length] = keys[i] as number;
      keptSides[length++] = sides[i] as number;
    }
    keys = keptKeys.subarray(0, length);
    sides = keptSides.subarray(0, length);
  }
  return { keys, sides };
}

/** The first index from `from` on whose value is at least the limit: by doubling steps, as the other list is the longer one. */
function seek(list: Float64Array, from: number, limit: number): number {
  let step = 1;
  let low = from;
  while (low + step < list.length && (list[low + step] as number) < limit) {
    low += step;
    step *= 2;
  }
  let high = Math.min(low + step, list.length);
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((list[middle] as number) < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Only what the phrase's side said; what is not among `written` only sounds so. */
function ofSide({ keys, sides }: Places, written: Places | null, { role }: Phrase): Occurrences {
  if (role === null && written === null) return { keys, sides, exact: new Uint8Array(keys.length).fill(1) };
  const side = role === null ? null : SIDE_OF[role];
  const exactKeys = written && new Set(written.keys);
  const kept: number[] = [];
  for (let i = 0; i < keys.length; i++) if (side === null || (sides[i] as number) % 3 === side) kept.push(i);
  return {
    keys: Float64Array.from(kept, (i) => keys[i] as number),
    sides: Uint32Array.from(kept, (i) => sides[i] as number),
    exact: Uint8Array.from(kept, (i) => (exactKeys === null || exactKeys.has(keys[i] as number) ? 1 : 0)),
  };
}

/** The phrase as it would stand in a folded text: what doesn't hold it need not be looked at. */
export function foldedPhrase({ tokens }: Phrase): string {
  return tokens
    .map((token, i) => {
      if (typeof token === "number") return String.fromCharCode(token);
      return i > 0 && typeof tokens[i - 1] === "string" ? ` ${token}` : token;
    })
    .join("");
}

/** Where the phrase is in calls whose words are at hand, in the order given. */
export function findInCalls(
  plan: PhrasePlan,
  calls: readonly { readonly folded: string; readonly tokens: () => CallTokens }[],
): Occurrences {
  const { phrase, sound } = plan;
  const wanted = phrase.tokens;
  const text = foldedPhrase(phrase);
  const side = phrase.role === null ? null : SIDE_OF[phrase.role];
  const keys: number[] = [];
  const sides: number[] = [];
  const exact: number[] = [];
  calls.forEach(({ folded, tokens: read }, call) => {
    if (sound === null ? !folded.includes(text) : !isHeardIn(folded, sound.heard)) return;
    const { tokens, sides: spoken } = read();
    for (let at = 0; at + wanted.length <= tokens.length && at < CALL_SPAN; at++) {
      if (sound === null && tokens[at] !== wanted[0]) continue;
      if (side !== null && (spoken[at] as number) % 3 !== side) continue;
      const isWritten = wanted.every((token, i) => tokens[at + i] === token);
      const isHeard = !isWritten && sound?.heard.every((own, i) => isHeardToken(own, tokens[at + i]));
      if (!isWritten && !isHeard) continue;
      keys.push(call * CALL_SPAN + at);
      sides.push(spoken[at] as number);
      exact.push(isWritten ? 1 : 0);
    }
  });
  return { keys: Float64Array.from(keys), sides: Uint32Array.from(sides), exact: Uint8Array.from(exact) };
}

function isHeardToken(heard: HeardAs, token: Token | null | undefined): boolean {
  return typeof token === "number" && isHeardAs(heard, token);
}

/** Whether something in a folded text sounds as wanted. */
function isHeardIn(folded: string, heard: readonly HeardAs[]): boolean {
  const first = heard[0] as HeardAs;
  for (let at = 0; at + heard.length <= folded.length; at++) {
    if (isHeardAs(first, folded.charCodeAt(at)) && heard.every((own, i) => isHeardAs(own, folded.charCodeAt(at + i)))) return true;
  }
  return false;
}
