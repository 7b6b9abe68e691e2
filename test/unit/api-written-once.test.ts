import fc from "fast-check";
import { Type } from "typebox";
import { expect, test } from "vitest";
import { page } from "../../src/api/schemas/common.ts";
import { writtenOnce } from "../../src/api/written-once.ts";

const Item = Type.Object({ id: Type.String(), score: Type.Union([Type.Number(), Type.Null()]), reasons: Type.Array(Type.String()) });
const writing = writtenOnce({ getSchemas: () => ({ Problem: Type.Object({ code: Type.String() }, { $id: "Problem" }) }) });
const write = writing({ schema: page(Item), method: "GET", url: "/" });

test("a page is written as its schema says, and again the same", () => {
  const items = fc.array(fc.record({ id: fc.string({ unit: "binary" }), score: fc.option(fc.integer()), reasons: fc.array(fc.string()) }));
  fc.assert(
    fc.property(items, fc.option(fc.string()), (listed, nextCursor) => {
      const answer = { items: listed, nextCursor };
      // JSON has no lone surrogates either way.
      expect(JSON.parse(write(answer))).toEqual(JSON.parse(JSON.stringify(answer)));
      expect(write({ items: [...listed].reverse(), nextCursor: null })).toBe(write({ items: [...listed].reverse(), nextCursor: null }));
    }),
  );
});

test("what the schema does not name stays inside", () => {
  const secret = { id: "a", score: 1, reasons: [], sha256: "secret" };
  expect(write({ items: [secret], nextCursor: null })).toBe('{"items":[{"id":"a","score":1,"reasons":[]}],"nextCursor":null}');
});

test("an object is written once, another one of the same id anew", () => {
  let reads = 0;
  const item = {
    id: "a",
    reasons: [],
    get score() {
      reads++;
      return 5;
    },
  };
  for (let i = 0; i < 3; i++) write({ items: [item], nextCursor: null });
  const once = reads;
  expect(once).toBeGreaterThan(0);
  write({ items: [item], nextCursor: null });
  expect(reads).toBe(once);
  expect(write({ items: [{ id: "a", score: 6, reasons: [] }], nextCursor: null })).toContain('"score":6');
});

test.each([
  ["whole", Type.Object({ ok: Type.Boolean() }), { ok: true, more: 1 }, '{"ok":true}'],
  ["as the shared schema says", { $ref: "Problem#" }, { code: "a", more: 1 }, '{"code":"a"}'],
])("an answer that is no page is written %s", (_how, schema, answer, written) => {
  expect(writing({ schema, method: "GET", url: "/" })(answer)).toBe(written);
});
