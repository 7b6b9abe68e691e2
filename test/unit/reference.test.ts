import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { referencePages } from "../../scripts/reference.ts";

describe("docs/reference", () => {
  it.each(Object.entries(referencePages()))("%s says what the code says (npx tsx scripts/build-reference.ts)", (name, text) => {
    expect(readFileSync(new URL(`../../docs/reference/${name}`, import.meta.url), "utf8")).toBe(text);
  });
});
