import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { checkRules } from "../../src/pipeline/rules/check.ts";
import { exampleCall } from "../../src/pipeline/rules/example-call.ts";
import { judge } from "../../src/pipeline/rules/judge.ts";
import { compileRules } from "../../src/pipeline/rules/policy.ts";
import type { Finding, Language } from "../../src/pipeline/types.ts";

const read = (language: Language) => readFileSync(new URL(`../../src/pipeline/rules/builtin/${language}.yaml`, import.meta.url), "utf8");

/** contracts.md §4. */
const CONTRACT = {
  "missing-greeting": ["phrase", "general"],
  "missing-closing": ["phrase", "general"],
  "missing-survey-invite": ["phrase", "notice"],
  "forbidden-phrase": ["phrase", "serious"],
  insult: ["phrase", "fatal"],
  "steering-away": ["phrase", "fatal"],
  "over-promise": ["phrase", "serious"],
  "missing-apology": ["sequence", "general"],
  "impolite-call": ["phrase", "general"],
  fillers: ["rate", "general"],
  "repeated-question": ["repetition", "general"],
  "dead-air": ["silence", "general"],
  "slow-response": ["response-time", "general"],
  "hold-without-notice": ["hold", "general"],
  "long-hold": ["hold", "general"],
  interruption: ["interruption", "general"],
  "speech-rate": ["speech-rate", "general"],
  volume: ["level", "general"],
  "agent-hangup": ["metadata", "serious"],
  "customer-escalation": ["phrase", "notice"],
  "unusable-call": ["call-class", "notice"],
};

describe.each(["zh", "en"] as const)("built-in rules, %s", (language) => {
  const { rules, results } = checkRules(read(language), `${language}.yaml`);

  it("are those of the contract", () => {
    const seen = rules.rules.map(({ id, when, severity }) => [id, ["operator" in when ? when.operator : "", severity]]);
    expect(Object.fromEntries(seen)).toEqual(CONTRACT);
    expect(rules.language).toBe(language);
  });

  it("come out as their examples say, two of each kind at least", () => {
    expect(results.filter(({ ok }) => !ok)).toEqual([]);
    for (const { id } of rules.rules) {
      for (const kind of ["hit", "miss"]) {
        expect(results.filter((result) => result.rule === id && result.kind === kind).length, `${id} ${kind}`).toBeGreaterThanOrEqual(2);
      }
    }
  });
});

const zh = compileRules({ rules: [checkRules(read("zh"), "zh.yaml").rules] }).rules;
const findings = (lines: string): Finding[] => judge(exampleCall(lines, "zh").call, { rules: zh }).findings;
const quotes = (rule: string, lines: string) => findings(lines).flatMap((found) => (found.rule === rule ? [found.quote] : []));

describe("service taboos (domain.md D-03), said by the agent in the middle of a sentence", () => {
  it.each([
    ["喂", "喂，您还在吗？"],
    ["不知道", "这个我也不知道，您打总部问一下。"],
    ["不清楚", "具体的我不清楚啊。"],
    ["不明白", "我真不明白您要什么。"],
    ["不可能", "您说的这个不可能。"],
    ["没办法", "那我就没办法了。"],
    ["你想好了再打", "行了，你想好了再打来吧。"],
    ["你这话什么意思", "你这话什么意思啊？"],
    ["不归我们管", "我说了，这事不归我们管，您找别的部门。"],
    ["跟你讲过了", "上次不是已经跟你讲过了吗？"],
    ["我们向来都这样", "我们向来都这样，没有例外。"],
  ])("%s", (said, line) => {
    const found = quotes("forbidden-phrase", `agent: 您好，请问有什么可以帮您？\ncustomer: 帮我看看。\nagent: ${line}`);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(said);
  });

  it.each([
    "我说清楚了吗？",
    "您清楚了吗？",
    "您听明白了吗？",
    "如果您不明白，可以再问我。",
    "您哪里不清楚，我再解释一遍。",
    "声音不清楚，请您再说一遍。",
    "这个办法有可能可以。",
    "您看有没有办法先还一部分？",
    "宝宝喂养方面的问题请咨询医生。",
    "您知不知道密码？",
  ])("not: %s", (line) => {
    expect(quotes("forbidden-phrase", `agent: 您好，请问有什么可以帮您？\ncustomer: 喂，不知道，不可能，没办法。\nagent: ${line}`)).toEqual(
      [],
    );
  });
});

describe("words that only look like faults", () => {
  const clean = (line: string) =>
    findings(`agent: 您好，请问有什么可以帮您？\ncustomer: 帮我看看。\nagent: ${line}`).map(({ rule }) => rule);

  it.each([
    ["over-promise", "保证金三天内退还，我们一定会尽快为您核实。"],
    ["over-promise", "这个时间我不能保证，也不一定今天到账。"],
    ["insult", "神经内科在三楼，神经病学在四楼。"],
    ["insult", "请您去四楼缴费，再去死亡证明窗口。"],
    ["steering-away", "您的投诉已经受理，我们会尽快回复您。"],
    ["steering-away", "您可以去其他营业厅办理，有问题您尽管告诉我。"],
  ])("%s: %s", (rule, line) => {
    expect(clean(line)).not.toContain(rule);
  });

  it("an exact phrase counts, one heard by sound waits for a person", () => {
    const [written] = findings("agent: 您好，这个我不清楚。").filter(({ rule }) => rule === "forbidden-phrase");
    const [heard] = findings("agent: 您好，这个我不轻楚。").filter(({ rule }) => rule === "forbidden-phrase");
    expect(written).toMatchObject({ counts: true, quote: "不清楚" });
    expect(heard).toMatchObject({ counts: false, quote: "不轻楚" });
  });
});

describe("a whole call", () => {
  const call = exampleCall(
    "agent: 喂，说吧。\ncustomer: 我要投诉你们，我等了半天了！\npause 10\nagent: 你去投诉吧。\ncustomer: 什么态度！\nagent: 神经病，我保证没人理你。",
    "zh",
  ).call;

  it("gives findings in order of start, then rule, numbered", () => {
    const { findings: found } = judge(call, { rules: zh });
    expect(found.map(({ id }) => id)).toEqual(found.map((_, i) => `f${i + 1}`));
    const keys = found.map(({ startMs, rule }) => `${String(startMs).padStart(9, "0")} ${rule}`);
    expect(keys).toEqual([...keys].sort());
    const rules = new Set(found.map(({ rule }) => rule));
    for (const rule of [
      "missing-greeting",
      "forbidden-phrase",
      "customer-escalation",
      "dead-air",
      "slow-response",
      "steering-away",
      "insult",
      "over-promise",
    ]) {
      expect(rules).toContain(rule);
    }
  });

  it("comes out the same twice, byte by byte", () => {
    const again = compileRules({ rules: [checkRules(read("zh"), "zh.yaml").rules] }).rules;
    expect(JSON.stringify(judge(call, { rules: again }))).toBe(JSON.stringify(judge(call, { rules: zh })));
  });

  it("without words leaves the rules of words unjudged, each with the reason, and judges the rest", () => {
    const silentWords = exampleCall({ lines: "agent: 喂。\ncustomer: 查一下余额。\npause 9\nagent: 好。", transcript: false }, "zh").call;
    const { findings: found, notAssessed } = judge(silentWords, { rules: zh });
    expect(found.map(({ rule }) => rule)).toEqual(expect.arrayContaining(["dead-air", "slow-response"]));
    const reasons = Object.fromEntries(notAssessed.map(({ rule, reason }) => [rule, reason]));
    expect(reasons).toMatchObject({
      "forbidden-phrase": "no-transcript",
      insult: "no-transcript",
      "missing-greeting": "no-transcript",
      "agent-hangup": "no-hangup-party",
    });
    expect(found.some(({ rule }) => rule in reasons)).toBe(false);
  });
});
