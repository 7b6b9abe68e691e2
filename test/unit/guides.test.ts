import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { checkRules } from "../../src/pipeline/rules/check.ts";
import { parseForm } from "../../src/pipeline/scoring/parse.ts";

/** The first YAML block of a guide. */
function firstExample(guide: string): string {
  const page = readFileSync(new URL(`../../docs/guide/${guide}.md`, import.meta.url), "utf8");
  return /```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? "";
}

describe("what the guides show works as it stands", () => {
  it("the rule, with its examples", () => {
    const { results } = checkRules(firstExample("write-a-rule"), "guide");
    expect(results).toHaveLength(4);
    expect(results.filter(({ ok }) => !ok)).toEqual([]);
  });

  it("the form", () => {
    expect(parseForm(firstExample("write-a-form"), "guide")).toMatchObject({ id: "hotline-50", max: 50 });
  });
});
