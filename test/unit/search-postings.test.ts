import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CALL_SPAN, mergeShards, NOWHERE, openShard, PostingsBuilder, shardOf, withoutCalls } from "../../src/models/search/postings.ts";
import { countTokens, placeOfTerm, tokensOf } from "../../src/models/search/tokens.ts";
import { VarintReader, VarintWriter } from "../../src/models/search/varint.ts";

interface Posting {
  readonly term: number;
  readonly call: number;
  readonly side: number;
  readonly position: number;
}

const TERMS = [0x6295_8bc9, 0x9000_6b3e, 0x41, 0x6295, 0x400000, 0xffff_ffff];

/** Postings in order of call and position, sides growing with position. */
const postings = fc
  .array(fc.record({ term: fc.constantFrom(...TERMS), call: fc.nat(40), utterance: fc.nat(300), who: fc.nat(2), within: fc.nat(50) }), {
    maxLength: 200,
  })
  .map((all) =>
    all
      .map(
        ({ term, call, utterance, who, within }): Posting => ({ term, call, side: utterance * 3 + who, position: utterance * 60 + within }),
      )
      .sort((a, b) => a.call - b.call || a.position - b.position)
      // One side an utterance, one term a position.
      .filter((posting, i, list) => list.findIndex((other) => other.call === posting.call && other.position === posting.position) === i)
      .map((posting, _i, list) => ({
        ...posting,
        side: (list.find((other) => other.call === posting.call && Math.floor(other.side / 3) === Math.floor(posting.side / 3)) as Posting)
          .side,
      })),
  );

function shardsOf(all: readonly Posting[], bits: number): Map<number, Uint8Array> {
  const builder = new PostingsBuilder();
  for (const { term, call, side, position } of all) builder.add(term, call, side, position);
  return builder.toShards(bits);
}

const found = (shards: ReadonlyMap<number, Uint8Array>, term: number, bits: number): [number, number][] => {
  const packed = shards.get(shardOf(placeOfTerm(term), bits));
  const { keys, sides } = packed ? openShard(packed).find(term) : NOWHERE;
  return Array.from(keys, (key, i) => [key, sides[i] as number]);
};

const expected = (all: readonly Posting[], term: number): [number, number][] =>
  all.filter((posting) => posting.term === term).map(({ call, side, position }) => [call * CALL_SPAN + position, side]);

function termsOf(packed: Uint8Array): number[] {
  const terms: number[] = [];
  openShard(packed).eachTerm((term) => terms.push(term));
  return terms;
}

describe("postings", () => {
  test("what is put in comes out, in order, whatever the number of shards", () => {
    fc.assert(
      fc.property(postings, fc.constantFrom(0, 1, 6, 10), (all, bits) => {
        const shards = shardsOf(all, bits);
        for (const term of TERMS) expect(found(shards, term, bits)).toEqual(expected(all, term));
        expect([...shards.values()].flatMap(termsOf).sort()).toEqual([...new Set(all.map(({ term }) => term))].sort());
      }),
    );
  });

  test("shards of blocks side by side become those of one larger block", () => {
    fc.assert(
      fc.property(fc.array(postings, { minLength: 1, maxLength: 4 }), (blocks) => {
        const whole = blocks.flatMap((all, i) => all.map((posting) => ({ ...posting, call: posting.call + i * 41 })));
        const parts = blocks.map((all) => shardsOf(all, 2));
        const merged = new Map<number, Uint8Array>();
        for (let shard = 0; shard < 4; shard++) {
          const own = parts.flatMap((shards, i) => {
            const packed = shards.get(shard);
            return packed ? [{ packed, before: i * 41 }] : [];
          });
          for (const [number, packed] of mergeShards(own, 5)) merged.set(number, packed);
        }
        expect(merged).toEqual(shardsOf(whole, 5));
      }),
    );
  });

  test("a call that is taken out leaves nothing, and others as they were", () => {
    fc.assert(
      fc.property(postings, fc.nat(40), (all, gone) => {
        const rest = all.filter(({ call }) => call !== gone);
        const [packed] = shardsOf(all, 0).values();
        if (!packed) return;
        const after = withoutCalls(packed, new Set([gone]));
        expect(after).toEqual(rest.length === 0 ? null : shardsOf(rest, 0).get(0));
        if (rest.length === all.length) expect(after).toBe(packed);
      }),
    );
  });

  test("numbers come back from bytes", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -(2 ** 30), max: 2 ** 30 - 1 })), (numbers) => {
        const writer = new VarintWriter(1);
        for (const number of numbers) {
          writer.putSigned(number);
          writer.put(Math.abs(number));
        }
        const reader = new VarintReader(writer.bytes());
        expect(numbers.map(() => [reader.takeSigned(), reader.take()])).toEqual(numbers.map((number) => [number, Math.abs(number)]));
        expect(reader.at).toBe(reader.end);
      }),
    );
  });
});

test("tokens are counted as they are found", () => {
  const folded = fc.array(fc.constantFrom("a", "b", "é", " ", "\u3000", "1", "你", "好", "%"), { maxLength: 20 });
  fc.assert(
    fc.property(folded, (units) => {
      const text = units.join("");
      expect(countTokens(text)).toBe(tokensOf(text).length);
    }),
  );
});
