import { readdirSync, readFileSync } from "node:fs";
import Value from "typebox/value";
import { describe, expect, test } from "vitest";
import { isUnjudged, type Operator } from "../../src/pipeline/operators/define.ts";
import { OPERATOR_IDS, OPERATORS } from "../../src/pipeline/operators/index.ts";
import type { Detection } from "../../src/pipeline/types.ts";
import { operatorCall, type ShortCall } from "../support/heard-call.ts";

/** `fixtures/cases/<operator>/{ok,ng}.<name>`: call.json is a short HeardCall with the options, findings.json what must be found. */
const CASES = new URL("../../fixtures/cases/", import.meta.url);

interface Case {
  /** What is special about it. */
  readonly why: string;
  readonly options?: Record<string, unknown>;
  readonly call: ShortCall;
}

/** Every named field must be as it is here; data fields likewise. Or: why nothing can be said. */
type Expected = readonly Partial<Detection>[] | { readonly notAssessed: string };

const read = (path: string): unknown => JSON.parse(readFileSync(new URL(path, CASES), "utf8"));

for (const id of OPERATOR_IDS) {
  describe(id, () => {
    const operator: Operator = OPERATORS[id];
    const names = readdirSync(new URL(`${id}/`, CASES)).sort();

    test("has cases enough", () => {
      expect(names.filter((name) => name.startsWith("ng.")).length).toBeGreaterThanOrEqual(2);
      expect(names.filter((name) => name.startsWith("ok.")).length).toBeGreaterThanOrEqual(3);
    });

    test.each(names)("%s", (name) => {
      const { options: given = {}, call } = read(`${id}/${name}/call.json`) as Case;
      const expected = read(`${id}/${name}/findings.json`) as Expected;
      const options = Value.Default(operator.options, structuredClone(given));
      expect([...Value.Errors(operator.options, options)]).toEqual([]);
      const answer = operator.prepare(options as never)(operatorCall(call));
      if (!Array.isArray(expected)) return expect(answer).toMatchObject(expected);
      if (isUnjudged(answer)) return expect(answer).toEqual(expected);
      expect(answer.map(named(expected))).toEqual(expected);
      expect(answer.length > 0).toBe(name.startsWith("ng."));
      for (const { startMs, endMs, confidence } of answer) {
        expect(endMs).toBeGreaterThan(startMs);
        expect(Number.isInteger(startMs) && Number.isInteger(endMs)).toBe(true);
        expect(confidence).toBeGreaterThan(0);
        expect(confidence).toBeLessThanOrEqual(1);
      }
      return undefined;
    });
  });
}

/** A detection with only the fields that the expected one at its place has. */
function named(expected: readonly Partial<Detection>[]) {
  return (detection: Detection, i: number) => pick(detection, expected[i] ?? {});
}

function pick(value: object, like: object): unknown {
  return Object.fromEntries(
    Object.entries(like).map(([key, wanted]) => {
      const got = (value as Record<string, unknown>)[key];
      return [key, typeof wanted === "object" && wanted !== null && typeof got === "object" && got !== null ? pick(got, wanted) : got];
    }),
  );
}
