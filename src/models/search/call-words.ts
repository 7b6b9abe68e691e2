import { normalise, originalRange } from "../../pipeline/text/normalise.ts";
import { timeText } from "../../pipeline/text/word-times.ts";
import type { Role, Utterance } from "../../pipeline/types.ts";
import { CALL_SPAN, type PostingsBuilder } from "./postings.ts";
import { countTokens, eachToken, pairTerm, singleTerm, type Token, tokenPlaces } from "./tokens.ts";
import { VarintReader, VarintWriter } from "./varint.ts";

/** The words of a call as the search keeps them. */
export interface CallWords {
  /** As written, one an utterance. */
  readonly texts: readonly string[];
  /** Folded, a line an utterance. */
  readonly folded: string;
  /** A letter an utterance: `a`, `c` or `-`. */
  readonly roles: string;
  /** When each token was said, packed. */
  readonly times: Uint8Array;
}

const ROLES: Readonly<Record<string, Role | null>> = { a: "agent", c: "customer", "-": null };
/** As postings number the sides. */
export const SIDES: Readonly<Record<string, number>> = { "-": 0, a: 1, c: 2 };

export function callWordsOf(utterances: readonly Utterance[]): CallWords {
  const spoken = utterances.filter(({ text }) => text !== "");
  const lines: string[] = [];
  const times = new VarintWriter(4096);
  let before = 0;
  for (const utterance of spoken) {
    const normalised = normalise(utterance.text);
    lines.push(normalised.text);
    const timed = timeText(utterance);
    eachToken(normalised.text, (_token, start, end) => {
      const [from, to] = originalRange(normalised, start, end);
      const [startMs, endMs] = timed.time(from, to);
      times.putSigned(startMs - before);
      times.put(endMs - startMs);
      before = startMs;
    });
  }
  return {
    texts: spoken.map(({ text }) => text),
    folded: lines.join("\n"),
    roles: spoken.map(({ role }) => (role === "agent" ? "a" : role === "customer" ? "c" : "-")).join(""),
    times: times.bytes(),
  };
}

/** A call's tokens in a row. Between utterances one position stays free, so that nothing goes on over their end. */
export interface CallTokens {
  readonly tokens: readonly (Token | null)[];
  /** Utterance × 3 + side of each. */
  readonly sides: readonly number[];
}

export function callTokens({ folded, roles }: Pick<CallWords, "folded" | "roles">): CallTokens {
  const tokens: (Token | null)[] = [];
  const sides: number[] = [];
  folded.split("\n").forEach((line, utterance) => {
    const side = utterance * 3 + (SIDES[roles[utterance] ?? "-"] ?? 0);
    eachToken(line, (token) => {
      tokens.push(token);
      sides.push(side);
    });
    tokens.push(null);
    sides.push(side);
  });
  return { tokens, sides };
}

/** Posts a call's terms: each token, and each two characters side by side. */
export function postCall(builder: PostingsBuilder, call: number, words: Pick<CallWords, "folded" | "roles">): void {
  const { tokens, sides } = callTokens(words);
  const length = Math.min(tokens.length, CALL_SPAN);
  for (let at = 0; at < length; at++) {
    const token = tokens[at] ?? null;
    if (token === null) continue;
    const side = sides[at] as number;
    builder.add(singleTerm(token), call, side, at);
    const next = tokens[at + 1] ?? null;
    const pair = next === null ? null : pairTerm(token, next);
    if (pair !== null) builder.add(pair, call, side, at);
  }
}

/** Part of an utterance, by positions of tokens in the call, half-open. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** One utterance with its ranges marked. */
export interface MarkedUtterance {
  readonly role: Role | null;
  readonly text: string;
  readonly marks: readonly (readonly [start: number, end: number])[];
  readonly startMs: number;
  readonly endMs: number;
}

/** Finds ranges of tokens in the written text, and when they were said. */
export function markUtterances(
  { texts, folded, roles, times }: CallWords,
  wanted: ReadonlyMap<number, readonly Range[]>,
): Map<number, MarkedUtterance> {
  const marked = new Map<number, MarkedUtterance>();
  const reader = new VarintReader(times);
  let first = 0;
  let said = 0;
  folded.split("\n").forEach((line, utterance) => {
    const own = wanted.get(utterance);
    if (own === undefined) {
      const count = countTokens(line);
      for (let i = 0; i < count; i++) {
        said += reader.takeSigned();
        reader.take();
      }
      first += count + 1;
      return;
    }
    const places = tokenPlaces(line);
    const spans = places.map((): readonly [number, number] => {
      said += reader.takeSigned();
      return [said, said + reader.take()];
    });
    const ranges = own.filter(({ from, to }) => from >= first && to <= first + places.length);
    if (ranges.length > 0) {
      const text = texts[utterance] as string;
      const normalised = normalise(text);
      const marks = ranges.map(({ from, to }) =>
        originalRange(normalised, places[from - first]?.start ?? 0, places[to - first - 1]?.end ?? 0),
      );
      marked.set(utterance, {
        role: ROLES[roles[utterance] ?? "-"] ?? null,
        text,
        marks: joined(marks),
        startMs: Math.min(...ranges.map(({ from }) => spans[from - first]?.[0] ?? 0)),
        endMs: Math.max(...ranges.map(({ to }) => spans[to - first - 1]?.[1] ?? 0)),
      });
    }
    first += places.length + 1;
  });
  return marked;
}

/** Ranges in order, those that overlap as one. */
function joined(ranges: readonly (readonly [number, number])[]): [number, number][] {
  const all: [number, number][] = [];
  for (const [start, end] of [...ranges].sort((a, b) => a[0] - b[0] || a[1] - b[1])) {
    const last = all.at(-1);
    if (last && start < last[1]) last[1] = Math.max(last[1], end);
    else all.push([start, end]);
  }
  return all;
}
