import { describe, expect, it } from "vitest";
import { openPolicies, policiesOf, readBuiltins } from "../../src/pipeline/policies.ts";
import { policyHash } from "../../src/pipeline/stages.ts";

describe("policies of stored data", () => {
  it.each(["zh", "en"] as const)("judge as the built-in files do (%s), after a way through JSON", async (language) => {
    const files = await openPolicies({ ruleFiles: [], form: "deduction-20" });
    const stored = policiesOf(JSON.parse(JSON.stringify(await readBuiltins())));
    expect(policyHash(stored.policyFor(language))).toBe(policyHash(files.policyFor(language)));
  });

  it("holds all built-in forms once", async () => {
    const { forms, form } = await readBuiltins();
    expect(forms.map(({ id }) => id)).toEqual(["deduction-20", "weighted-100", "levels", "checklist-15"]);
    expect(form).toBe(forms[0]);
  });

  it("refuses rules that no file may have either", async () => {
    const { form } = await readBuiltins();
    const policies = policiesOf({ form, rules: [{ language: null, rules: [{ id: "x" } as never] }] });
    expect(() => policies.policyFor("zh")).toThrow(/rules\[0\]/);
  });
});
