import { describe, expect, test } from "vitest";
import { OPERATORS } from "../../src/pipeline/operators/index.ts";
import { openPolicies } from "../../src/pipeline/policies.ts";
import { judge } from "../../src/pipeline/rules/judge.ts";
import { listenedPhrases } from "../../src/pipeline/rules/listened-phrases.ts";
import { messageTable, renderFinding } from "../../src/pipeline/rules/messages.ts";
import { compileRules } from "../../src/pipeline/rules/policy.ts";
import type { Condition, Rule, RuleSet } from "../../src/pipeline/rules/schema.ts";
import { wordingsOf } from "../../src/pipeline/text/likeness.ts";
import type { Language, Role, Severity, Span } from "../../src/pipeline/types.ts";
import { operatorCall, type ShortCall } from "../support/heard-call.ts";

const rule = (id: string, severity: Severity, when: Condition, more: Partial<Rule> = {}): Rule => ({
  id,
  version: 1,
  severity,
  name: { zh: id, en: id },
  when,
  ...more,
});
const compiled = (rules: readonly Rule[], language?: Language) => {
  const set: RuleSet = { schema: "callsift.rules/1", where: "test", rules, ...(language && { language }) };
  return compileRules({ rules: [set] }).rules;
};
const said = (...phrases: string[]): Condition => ({ operator: "phrase", options: { phrases } });
const missing = (...phrases: string[]): Condition => ({ operator: "phrase", options: { mode: "absent", phrases } });
const asked = (rules: readonly Rule[], language: Language = "zh") =>
  listenedPhrases(compiled(rules), language).map(({ phrase, confirm, search, groups }) => [
    phrase.source,
    confirm,
    search,
    groups?.length ?? 0,
  ]);

describe("what is listened for twice", () => {
  test("is what is a serious fault where it is said", () => {
    expect(asked([rule("a", "serious", said("不清楚")), rule("b", "fatal", said("去死"))])).toEqual([
      ["不清楚", true, true, 0],
      ["去死", true, true, 0],
    ]);
    expect(asked([rule("a", "general", said("不清楚")), rule("b", "notice", said("投诉"))])).toEqual([]);
  });

  test("is what is any fault where it is missing", () => {
    expect(asked([rule("a", "notice", missing("您好", "为您服务"))])).toEqual([
      ["您好", false, true, 1],
      ["为您服务", false, true, 1],
    ]);
    const reply = { operator: "sequence", options: { trigger: { phrases: ["投诉"] }, reply: { phrases: ["抱歉"] } } };
    expect(asked([rule("a", "general", reply)])).toEqual([["抱歉", false, true, 1]]);
    const steps = {
      operator: "sequence",
      options: {
        mode: "steps",
        steps: [
          { name: "一", phrases: ["核身"] },
          { name: "二", phrases: ["复述"] },
        ],
      },
    };
    expect(asked([rule("a", "general", steps)]).map(([source]) => source)).toEqual(["核身", "复述"]);
    const hangUp = { operator: "metadata", options: { field: "hangupParty", in: ["agent"], unless: { phrases: ["再见"] } } };
    expect(asked([rule("a", "serious", hangUp)])).toEqual([["再见", false, true, 1]]);
  });

  test("is the other way round under a not", () => {
    expect(asked([rule("a", "serious", { all: [said("改密码"), { not: said("身份证") }] })])).toEqual([
      ["改密码", true, true, 0],
      ["身份证", false, true, 1],
    ]);
    expect(asked([rule("a", "serious", { not: missing("投诉") }), rule("b", "general", { not: missing("举报") })])).toEqual([
      ["投诉", true, true, 0],
    ]);
  });

  test("is one phrase, strictest, where several rules list it", () => {
    const a = rule("a", "serious", { operator: "phrase", options: { phrases: ["保证"], except: ["保证金"] } });
    const b = rule("b", "general", { operator: "phrase", options: { mode: "absent", phrases: ["保证"], except: ["保证书"] } });
    const c = rule("c", "general", missing("保证"));
    const [both] = listenedPhrases(compiled([a, b]), "zh");
    expect(both).toMatchObject({ confirm: true, search: true });
    expect(both?.groups).toBeUndefined();
    expect(both?.phrase.except.map(({ source }) => source)).toEqual(["保证金", "保证书"]);
    expect(asked([b, c])).toEqual([["保证", false, true, 2]]);
  });

  test("is of the call's language", () => {
    const rules = [rule("a", "serious", { operator: "phrase", options: { phrases: { zh: ["不清楚"], en: ["no idea"] } } })];
    expect(listenedPhrases(compiled(rules), "en").map(({ phrase }) => phrase.source)).toEqual(["no idea"]);
    expect(listenedPhrases(compiled(rules, "zh"), "en")).toEqual([]);
  });

  test("is worked out once", () => {
    const rules = compiled([rule("a", "serious", said("不清楚"))]);
    expect(listenedPhrases(rules, "zh")).toBe(listenedPhrases(rules, "zh"));
  });

  test("of the built-in rules is every phrase that costs points", async () => {
    const { policyFor } = await openPolicies({ ruleFiles: [], form: "deduction-20" });
    const listened = listenedPhrases(policyFor("zh").rules, "zh");
    const of = (source: string) => listened.find(({ phrase }) => phrase.source === source);
    expect(of("神经病")).toMatchObject({ confirm: true, search: true });
    expect(of("没办法")).toMatchObject({ confirm: true, search: true });
    expect(of("再见")).toMatchObject({ confirm: false, search: true });
    expect(of("抱歉")).toMatchObject({ confirm: false, search: true });
    expect(of("12315")).toBeUndefined();
    expect(listened.flatMap(({ phrase }) => wordingsOf(phrase)).length).toBeGreaterThan(1_000);
  });
});

describe("a finding that was only heard", () => {
  const call: ShortCall = {
    utterances: [{ role: "agent", startMs: 0, endMs: 4_000, text: "你去投足吧" }],
    hearings: [
      {
        role: "agent",
        channel: 0,
        startMs: 800,
        endMs: 3_200,
        phrase: "去投诉",
        wording: "去投诉",
        written: "去投足",
        check: "search",
        said: true,
        margin: -3,
      },
    ],
  };
  const wording = { zh: "引导投诉：“{quote}”", en: "told to complain: “{quote}”" };
  const rules = compiled([rule("steering", "fatal", said("去投诉"), { wording })]);

  test("does not count, and is told as what it is", () => {
    const [finding] = judge(operatorCall(call), { rules }).findings;
    expect(finding).toMatchObject({
      rule: "steering",
      counts: false,
      quote: "去投足",
      data: { kind: "heard", wording: "去投诉", margin: -3 },
    });
    const table = messageTable(OPERATORS, rules);
    expect(finding && renderFinding(finding, table, "zh")).toBe("听起来说了“去投诉”（转写为“去投足”）");
    expect(finding && renderFinding(finding, table, "en")).toContain('"去投诉"');
  });

  test("excuses under a not", () => {
    const unless = compiled([rule("no-advice", "serious", { not: said("去投诉") })]);
    expect(judge(operatorCall(call), { rules: unless }).findings).toEqual([]);
  });
});

test("a written phrase that was not heard again does not count, one that was does", () => {
  const rules = compiled([rule("forbidden", "serious", said("不清楚"))]);
  const call = (heard: boolean): ShortCall => ({
    utterances: [{ role: "agent", startMs: 0, endMs: 3_000, text: "不清楚", confidence: 0.55 }],
    hearings: [
      {
        role: "agent",
        channel: 0,
        startMs: 0,
        endMs: 3_000,
        phrase: "不清楚",
        wording: "不清楚",
        written: "不清楚",
        check: "confirm",
        said: heard,
        margin: null,
      },
    ],
  });
  expect(judge(operatorCall(call(true)), { rules }).findings).toMatchObject([{ counts: true, confidence: 0.775 }]);
  expect(judge(operatorCall(call(false)), { rules }).findings).toMatchObject([{ counts: false, data: { secondListen: "disagrees" } }]);
});

test("doubtful words make a rule not assessed, and its reason is told", () => {
  const rules = compiled([rule("greeting", "general", missing("您好"))]);
  const call = operatorCall({
    durationMs: 20_000,
    utterances: [{ role: "agent", startMs: 0, endMs: 3_000, text: "什么事情" }],
    doubtful: [{ role: "agent", channel: 0, startMs: 4_000, endMs: 5_000, text: "零号", confidence: 0.2, doubt: "low-confidence" }],
  });
  expect(judge(call, { rules })).toMatchObject({ findings: [], notAssessed: [{ rule: "greeting", reason: "words-doubtful" }] });
});

describe("turns under 1 s of voices told apart in one channel", () => {
  const rules = compiled([
    rule("forbidden", "serious", said("不清楚")),
    rule("anyone", "serious", { operator: "phrase", options: { role: "any", phrases: ["没办法"] } }),
    rule("late", "serious", { operator: "response-time", options: { maxSeconds: 1 } }),
    rule("greeting", "general", missing("您好")),
  ]);
  const judged = (short: ShortCall) =>
    judge(operatorCall({ layout: "mixed", ...short }), { rules }).findings.map((finding) => [finding.rule, finding.counts]);
  const voices = (agent: Span[], customer: Span[]): Record<Role, Span[]> => ({ agent, customer });

  test("carry no deduction", () => {
    const short = [{ role: "agent", startMs: 3_000, endMs: 3_900, text: "不清楚" }] as const;
    expect(
      judged({
        speech: voices(
          [
            [0, 1_500],
            [3_000, 3_900],
          ],
          [[1_600, 2_900]],
        ),
        utterances: [...short],
      }),
    ).toContainEqual(["forbidden", false]);
    const long = [{ role: "agent", startMs: 3_000, endMs: 4_100, text: "不清楚" }] as const;
    expect(
      judged({
        speech: voices(
          [
            [0, 1_500],
            [3_000, 4_100],
          ],
          [[1_600, 2_900]],
        ),
        utterances: [...long],
      }),
    ).toContainEqual(["forbidden", true]);
  });

  test("carry none where they only end a wait", () => {
    const late = (endMs: number) =>
      judged({
        speech: voices(
          [
            [0, 1_500],
            [6_000, endMs],
          ],
          [[1_600, 3_000]],
        ),
        utterances: [{ role: "agent", startMs: 0, endMs: 1_500, text: "您好" }],
      });
    expect(late(6_800)).toContainEqual(["late", false]);
    expect(late(7_500)).toContainEqual(["late", true]);
  });

  test("make no absence weak that longer turns show, and no words that may be anyone's", () => {
    const found = judged({
      speech: voices(
        [
          [0, 4_000],
          [6_000, 6_500],
        ],
        [[4_100, 4_900]],
      ),
      utterances: [
        { role: "agent", startMs: 0, endMs: 4_000, text: "什么事情请讲" },
        { role: "customer", startMs: 4_100, endMs: 4_900, text: "嗯" },
      ],
    });
    expect(found).toContainEqual(["greeting", true]);
  });

  test("carry one where each side has a channel, or roles come from elsewhere", () => {
    const utterances = [{ role: "agent", startMs: 3_000, endMs: 3_900, text: "不清楚" }] as const;
    expect(judged({ layout: "split", utterances: [...utterances] })).toContainEqual(["forbidden", true]);
    expect(judged({ speech: null, utterances: [...utterances] })).toContainEqual(["forbidden", true]);
  });
});
