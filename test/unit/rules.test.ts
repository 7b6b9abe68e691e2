import fc from "fast-check";
import Type from "typebox";
import { describe, expect, it } from "vitest";
import { CallsiftError } from "../../src/pipeline/errors.ts";
import { defineOperator, type Need, type OperatorCall } from "../../src/pipeline/operators/define.ts";
import { canonicalJson } from "../../src/pipeline/rules/canonical-json.ts";
import { checkRules } from "../../src/pipeline/rules/check.ts";
import { exampleCall } from "../../src/pipeline/rules/example-call.ts";
import { judge } from "../../src/pipeline/rules/judge.ts";
import { messageTable, renderFinding, renderNotAssessed } from "../../src/pipeline/rules/messages.ts";
import { checkRuleSet, parseRules } from "../../src/pipeline/rules/parse.ts";
import { compilePolicy, compileRules, type Operators } from "../../src/pipeline/rules/policy.ts";
import type { Condition } from "../../src/pipeline/rules/schema.ts";
import { checkForm } from "../../src/pipeline/scoring/parse.ts";
import type { AudioProblem, HeardCall, ProblemCode } from "../../src/pipeline/types.ts";

const name = { zh: "甲", en: "a" };
const Needs = Type.Array(Type.String());

/** Detects wherever its options say, so that the tests are about combination alone. */
const spot = defineOperator({
  id: "spot",
  description: name,
  options: Type.Object(
    {
      at: Type.Array(Type.Integer(), { default: [] }),
      confidence: Type.Number({ default: 1, minimum: 0, maximum: 1 }),
      weak: Type.Boolean({ default: false }),
      needs: Type.Optional(Needs),
      unfit: Type.Optional(Needs),
      role: Type.Optional(Type.Union([Type.Literal("agent"), Type.Literal("customer")])),
      unjudged: Type.Optional(Type.String()),
    },
    { additionalProperties: false },
  ),
  needs: ({ needs = [] }) => needs as Need[],
  unfitFor: ({ unfit = [] }) => unfit as ProblemCode[],
  messages: { found: { zh: "{role}在 {start} 说“{quote}”{missing}", en: "{role} said {quote} at {start}, {n}" }, other: name },
  prepare:
    ({ at, confidence, weak, role = null, unjudged }) =>
    () =>
      unjudged
        ? { notAssessed: unjudged }
        : at.map((seconds) => ({
            role,
            startMs: seconds * 1000,
            endMs: seconds * 1000 + 500,
            quote: null,
            confidence,
            ...(weak && { weak }),
            data: {},
          })),
});
const operators: Operators = { spot };

const call = exampleCall("agent: hello there\ncustomer: good morning", "en").call;

const hits = (...at: number[]): Condition => ({ operator: "spot", options: { at } });
const unknown: Condition = { operator: "spot", options: { unjudged: "no-idea" } };
const none = hits();

function ask(when: Condition, over: object = {}, of: OperatorCall = call, roleConfidence = 1) {
  const set = checkRuleSet(
    { schema: "callsift.rules/1", rules: [{ id: "r", version: 3, severity: "general", name, when, ...over }] },
    "test",
  );
  return judge(of, { rules: compileRules({ rules: [set], operators }).rules }, { roleConfidence });
}
const starts = (when: Condition) => ask(when).findings.map(({ startMs }) => startMs / 1000);
/** true, false or null as the three values. */
function value(when: Condition): boolean | null {
  const { findings, notAssessed } = ask(when);
  return notAssessed.length > 0 ? null : findings.length > 0;
}

describe("conditions", () => {
  it("any: all detections of the parts that hold, one of those that are the same", () => {
    expect(starts({ any: [hits(3, 5), hits(1, 5), none] })).toEqual([1, 3, 5]);
  });

  it("all: the detections of the first part that is no `not`, if every part holds", () => {
    expect(starts({ all: [{ not: none }, hits(4, 2), hits(9)] })).toEqual([2, 4]);
    expect(starts({ all: [hits(4), none] })).toEqual([]);
  });

  it("not: one detection that spans the call", () => {
    const [found, ...more] = ask({ not: none }).findings;
    expect(found).toMatchObject({ startMs: 0, endMs: call.durationMs, operator: "spot" });
    expect(more).toEqual([]);
    expect(starts({ not: hits(1) })).toEqual([]);
  });

  it("all within: only near each other", () => {
    expect(starts({ all: [hits(1, 20, 40), hits(23, 60)], within: 5 })).toEqual([20]);
    expect(starts({ all: [hits(1, 20, 40), { not: hits(23) }], within: 5 })).toEqual([1, 40]);
    expect(starts({ all: [hits(1), { not: none }], within: 5 })).toEqual([1]);
    expect(starts({ all: [hits(1), hits(50)], within: 5 })).toEqual([]);
  });

  it("all: as sure as its weakest link", () => {
    const link = (confidence: number, weak = false): Condition => ({ operator: "spot", options: { at: [1], confidence, weak } });
    expect(ask({ all: [link(0.9), link(0.7)] }).findings[0]).toMatchObject({ confidence: 0.7, counts: true });
    expect(ask({ all: [link(0.9), link(0.9, true)] }).findings[0]).toMatchObject({ counts: false });
  });

  it("unknown propagates, unless the other parts decide", () => {
    const yes = hits(1);
    const table: [Condition, boolean | null][] = [
      [{ any: [unknown, yes] }, true],
      [{ any: [unknown, none] }, null],
      [{ any: [none, none] }, false],
      [{ all: [unknown, yes] }, null],
      [{ all: [unknown, none] }, false],
      [{ all: [yes, yes] }, true],
      [{ not: unknown }, null],
      [{ all: [yes, { not: unknown }], within: 3 }, null],
    ];
    for (const [when, expected] of table) expect(value(when), JSON.stringify(when)).toBe(expected);
  });

  it("is Kleene's logic, however it nests", () => {
    type Tree = Condition;
    const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 5 },
        fc.constantFrom<Tree>(hits(1), none, unknown),
        fc.record({ any: fc.array(tie("tree"), { minLength: 1, maxLength: 3 }) }),
        fc.record({ all: fc.array(tie("tree"), { minLength: 1, maxLength: 3 }) }),
        fc.record({ not: tie("tree") }),
      ),
    }));
    const kleene = (when: Condition): boolean | null => {
      if ("operator" in when) return when === unknown ? null : when !== none;
      if ("not" in when) {
        const inner = kleene(when.not);
        return inner === null ? null : !inner;
      }
      const values = ("any" in when ? when.any : when.all).map(kleene);
      const decisive = "any" in when;
      return values.includes(decisive) ? decisive : values.includes(null) ? null : !decisive;
    };
    fc.assert(
      fc.property(tree, (when) => value(when) === kleene(when)),
      { numRuns: 300 },
    );
  });
});

describe("judge", () => {
  it("takes rule, version, operator and severity along", () => {
    expect(ask(hits(2)).findings).toEqual([
      {
        id: "f1",
        rule: "r",
        ruleVersion: 3,
        operator: "spot",
        severity: "general",
        role: null,
        startMs: 2000,
        endMs: 2500,
        quote: null,
        confidence: 1,
        counts: true,
        data: {},
      },
    ]);
  });

  it.each([
    ["general", 0.5, true],
    ["general", 0.49, false],
    ["serious", 0.6, true],
    ["serious", 0.59, false],
    ["fatal", 0.59, false],
    ["notice", 0.5, true],
  ] as const)("%s at confidence %d counts: %s", (severity, confidence, counts) => {
    expect(ask({ operator: "spot", options: { at: [1], confidence } }, { severity }).findings[0]?.counts).toBe(counts);
  });

  it("takes a rule's own threshold", () => {
    const when = { operator: "spot", options: { at: [1], confidence: 0.7 } };
    expect(ask(when, { minConfidence: 0.8 }).findings[0]?.counts).toBe(false);
    expect(ask(when, { severity: "fatal", minConfidence: 0.1 }).findings[0]?.counts).toBe(true);
  });

  it("never lets weak evidence count", () => {
    expect(ask({ operator: "spot", options: { at: [1], weak: true } }, { severity: "fatal" }).findings[0]).toMatchObject({
      counts: false,
      confidence: 1,
    });
  });

  it("is no surer than of the roles, where a role matters", () => {
    const at = (options: object) => ask({ operator: "spot", options: { at: [1], ...options } }, {}, call, 0.6).findings[0]?.confidence;
    expect(at({})).toBe(1);
    expect(at({ role: "agent" })).toBe(0.6);
    expect(at({ needs: ["sides"], confidence: 0.5 })).toBe(0.3);
  });

  it("leaves out disabled rules", () => {
    expect(ask(hits(1), { enabled: false })).toEqual({ findings: [], notAssessed: [] });
  });
});

describe("what a call lacks", () => {
  const lacking = (needs: Need[], over: Partial<HeardCall>) =>
    ask({ operator: "spot", options: { at: [1], needs } }, {}, { ...call, ...over }).notAssessed[0]?.reason ?? null;
  const noWords = { transcript: { status: "not-available", reason: "none" } } as const;
  const mixed = { layout: "mixed", speech: null, agentChannel: null } as const;
  const silent = { ...noWords, layout: "silent", speech: null, channels: [] } as const;
  const estimated = {
    transcript: {
      engine: "x",
      model: null,
      language: "en",
      utterances: [{ role: "agent", channel: 0, startMs: 0, endMs: 9, text: "a", confidence: 1, words: [], timing: "estimated" }],
    },
  } as const;
  const roleless = {
    transcript: { ...estimated.transcript, utterances: [{ ...estimated.transcript.utterances[0], role: null }] },
  } as const;

  it.each<[string, Need[], Partial<HeardCall>, string | null]>([
    ["nothing", ["transcript", "sides", "roles", "word-times"], {}, null],
    ["words", ["transcript"], noWords, "no-transcript"],
    ["word times", ["word-times"], estimated, "word-times-estimated"],
    ["apart sides, mixed", ["sides"], mixed, "sides-mixed"],
    ["apart sides, the same on both", ["sides"], { ...mixed, layout: "dual-mono" }, "sides-mixed"],
    ["one side", ["sides"], { ...mixed, layout: "one-sided" }, "one-sided"],
    ["roles, though split", ["sides"], { speech: null, agentChannel: null }, "roles-unknown"],
    ["roles, in a mixed call without", ["transcript", "roles"], { ...mixed, ...roleless }, "roles-unknown"],
    ["nothing: the transcript of a mixed call says who speaks", ["transcript", "roles"], { ...mixed, ...estimated }, null],
    ["who hung up", ["hangup-party"], {}, "no-hangup-party"],
    ["nothing: known who hung up", ["hangup-party"], { metadata: { hangupParty: "agent" } }, null],
    ["speech before words", ["transcript", "roles"], silent, "no-speech"],
    ["speech is nothing to metadata", ["hangup-party"], silent, "no-hangup-party"],
  ])("%s", (_what, needs, over, reason) => {
    expect(lacking(needs, over)).toBe(reason);
  });

  const problem = (over: Partial<AudioProblem>): AudioProblem => ({ code: "noise", channel: 0, detail: "SNR 3 dB", unfit: true, ...over });
  const unfit = (problems: AudioProblem[], options: object = {}) =>
    ask({ operator: "spot", options: { at: [1], unfit: ["noise", "cross-talk"], ...options } }, {}, { ...call, problems }).notAssessed[0];

  it("names the problem that makes the sound unfit", () => {
    expect(unfit([problem({})])).toEqual({ rule: "r", reason: "audio-unfit", detail: "noise (channel 0): SNR 3 dB" });
  });

  it.each<[string, AudioProblem, object, boolean]>([
    ["a problem of another kind", problem({ code: "hum" }), {}, false],
    ["a problem that is only worth a note", problem({ unfit: false }), {}, false],
    ["the other side's noise", problem({ channel: 1 }), { role: "agent" }, false],
    ["the own side's noise", problem({ channel: 1 }), { role: "customer" }, true],
    ["noise of the whole", problem({ channel: null }), { role: "agent" }, true],
    ["a leak, whichever channel it is told of", problem({ code: "cross-talk", channel: 1 }), { role: "agent" }, true],
  ])("%s", (_what, one, options, isUnfit) => {
    expect(unfit([one], options)?.reason ?? null).toBe(isUnfit ? "audio-unfit" : null);
  });

  it("takes the rule of the call's language; what only listens takes any", () => {
    const set = (language: "zh" | "en", id: string, options: object) =>
      checkRuleSet(
        {
          schema: "callsift.rules/1",
          language,
          rules: [
            {
              id,
              version: language === "en" ? 2 : 1,
              severity: "general",
              name,
              when: { operator: "spot", options: { at: [1], ...options } },
            },
          ],
        },
        language,
      );
    const words = { needs: ["transcript"] };
    const { rules } = compileRules({
      rules: [set("zh", "both", words), set("en", "both", words), set("zh", "words", words), set("zh", "sound", {})],
      operators,
    });
    const { findings, notAssessed } = judge(call, { rules });
    expect(findings.map(({ rule, ruleVersion }) => [rule, ruleVersion])).toEqual([
      ["both", 2],
      ["sound", 1],
    ]);
    expect(notAssessed.map(({ rule, reason }) => [rule, reason])).toEqual([["words", "language"]]);
  });
});

describe("rule files that are wrong", () => {
  const file = (...rules: object[]) => JSON.stringify({ schema: "callsift.rules/1", rules });
  const good = { id: "a", version: 1, severity: "general", name, when: hits(1) };
  const message = (text: string) => {
    try {
      compileRules({ rules: [parseRules(text, "mine.json")], operators });
    } catch (error) {
      if (error instanceof CallsiftError && error.code === "rules/invalid") return error.message;
      throw error;
    }
    return "";
  };

  it.each<[string, object, string]>([
    ["unknown operator", { when: { operator: "sp0t" } }, 'rules[0].when.operator: one of spot expected, "sp0t" came'],
    ["unknown option", { when: { operator: "spot", options: { att: [1] } } }, 'rules[0].when.options: no field "att" expected'],
    ["wrong option", { when: { operator: "spot", options: { at: ["x"] } } }, 'rules[0].when.options.at[0]: integer expected, "x" came'],
    [
      "option out of range",
      { when: { operator: "spot", options: { confidence: 2 } } },
      "rules[0].when.options.confidence: <= 1 expected, 2 came",
    ],
    ["bad severity", { severity: "bad" }, 'rules[0].severity: "notice" or "general" or "serious" or "fatal" expected, "bad" came'],
    ["missing name", { name: undefined }, 'rules[0]: field "name" expected, it is missing'],
    ["bad id", { id: "No Spaces" }, "rules[0].id:"],
    ["empty any", { when: { any: [] } }, "rules[0].when.any: a list of 1 to 100 conditions expected, [] came"],
    ["two shapes", { when: { any: [hits(1)], not: hits(1) } }, 'rules[0].when: no field "not" beside "any" expected'],
    ["no condition", { when: 5 }, "rules[0].when: a condition (operator, any, all or not) expected, 5 came"],
    ["bad within", { when: { all: [hits(1)], within: -1 } }, "rules[0].when.within: seconds, 0 to 86400, expected, -1 came"],
    ["inside", { when: { all: [{ not: { operator: "x" } }] } }, "rules[0].when.all[0].not.operator: one of spot expected"],
  ])("%s", (_what, over, expected) => {
    expect(message(file({ ...good, ...over }))).toContain(expected);
  });

  it("names all faults of all rules at once", () => {
    const text = message(file({ ...good, when: { operator: "x" } }, { ...good, id: "b", when: { operator: "y" } }));
    expect(text).toContain('rules[0].when.operator: one of spot expected, "x" came');
    expect(text).toContain('rules[1].when.operator: one of spot expected, "y" came');
  });

  it("refuses an id twice, in one file and in two", () => {
    expect(message(file(good, good))).toContain('ids once each expected, "a" came more than once');
    const sets = ["one", "two"].map((where) => parseRules(file(good), where));
    expect(() => compileRules({ rules: sets, operators })).toThrow('two: rules[0].id: an id of its own expected, "a" is in one already');
  });

  it("takes eight levels of conditions, and refuses nine", () => {
    const nested = (depth: number): Condition => (depth === 1 ? hits(1) : { not: nested(depth - 1) });
    expect(message(file({ ...good, when: nested(8) }))).toBe("");
    expect(message(file({ ...good, when: nested(9) }))).toContain("conditions at most 8 deep expected");
  });

  it.each([
    "",
    "rules: [",
    "{}",
    "[1]",
    "a: &a [*a]",
    "x: !!binary aGk=",
    "a: 1\na: 2",
    `${"[".repeat(9999)}`,
    "- ".repeat(9999),
    "? ".repeat(500),
    `a: ${"[? ".repeat(500)}`,
    `a: ${"&a ".repeat(100_000)}`,
    Array.from({ length: 3000 }, (_, i) => `${" ".repeat(i)}a:`).join("\n"),
    "\u0000",
    `{"a":${"[".repeat(70)}1${"]".repeat(70)}}`,
  ])("text that is no rule file: %#", (text) => {
    expect(() => parseRules(text, "x")).toThrow(expect.objectContaining({ code: "rules/invalid" }));
  });

  it("any text gives a rule set or a coded error, never anything else", () => {
    const yaml =
      "schema: callsift.rules/1\nrules:\n  - { id: a, version: 1, severity: general, name: { zh: 甲, en: a }, when: { operator: spot, options: { at: [1] } } }\n";
    const edit = fc.record({
      at: fc.nat(yaml.length),
      cut: fc.nat(6),
      put: fc.oneof(fc.string({ maxLength: 4 }), fc.constantFrom("[", "{", "&a ", "*a", "- ", "? ", "\n", ": ", "!!x ", '"', "<<: ")),
    });
    fc.assert(
      fc.property(fc.array(edit, { maxLength: 6 }), (edits) => {
        const text = edits.reduce((was, { at, cut, put }) => was.slice(0, at) + put + was.slice(at + cut), yaml);
        try {
          compileRules({ rules: [parseRules(text, "x")], operators });
        } catch (error) {
          expect(error).toMatchObject({ code: "rules/invalid" });
        }
      }),
      { numRuns: 500 },
    );
  });

  it("reads YAML and JSON alike, with a byte-order mark or without", () => {
    const yaml =
      "schema: callsift.rules/1\nrules:\n  - { id: a, version: 1, severity: general, name: { zh: 甲, en: a }, when: { operator: spot, options: { at: [1] } } }\n";
    expect(parseRules(`\uFEFF${yaml}`, "x")).toEqual(parseRules(file(good), "x"));
  });
});

describe("a policy", () => {
  const form = (id: string) =>
    checkForm(
      {
        schema: "callsift.form/1",
        id,
        version: 1,
        name,
        max: 1,
        bands: [{ id: "any", name, from: 0 }],
        groups: [{ id: "g", name, max: 1, items: [{ id: "i", name, by: "machine", kind: "check", max: 1, rules: ["r"] }] }],
      },
      "form",
    );
  const canonical = (over: object, formId = "f") => {
    const set = checkRuleSet(
      { schema: "callsift.rules/1", rules: [{ id: "r", version: 1, severity: "general", name, when: hits(1), ...over }] },
      "test",
    );
    return compilePolicy({ rules: [set], form: form(formId), operators }).canonical;
  };

  it("is the same text for the same judgement, defaults written out or not", () => {
    expect(canonical({ when: { operator: "spot", options: { at: [1] } } })).toBe(
      canonical({ when: { options: { confidence: 1, weak: false, at: [1] }, operator: "spot" } }),
    );
    expect(canonical({ examples: { hit: ["agent: a"] } })).toBe(canonical({}));
  });

  it("is another text for another option, severity or form", () => {
    const texts = [
      canonical({}),
      canonical({ when: hits(2) }),
      canonical({ severity: "fatal" }),
      canonical({ minConfidence: 0.9 }),
      canonical({}, "g"),
    ];
    expect(new Set(texts).size).toBe(texts.length);
  });

  it("canonical JSON doesn't know the order of keys, and reads back", () => {
    const reversed = (value: unknown): unknown =>
      Array.isArray(value)
        ? value.map(reversed)
        : value && typeof value === "object"
          ? Object.fromEntries(
              Object.entries(value)
                .reverse()
                .map(([key, entry]) => [key, reversed(entry)]),
            )
          : value;
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(canonicalJson(reversed(value))).toBe(canonicalJson(value));
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
    expect(() => canonicalJson({ a: Number.NaN })).toThrow(TypeError);
  });
});

describe("examples of rules", () => {
  const check = (examples: object, when: Condition = hits(1)) =>
    checkRules(
      JSON.stringify({ schema: "callsift.rules/1", rules: [{ id: "r", version: 1, severity: "general", name, when, examples }] }),
      "x",
      { operators },
    ).results;

  it("tell what was expected and what came", () => {
    expect(check({ hit: ["agent: a"], miss: ["agent: a"] })).toEqual([
      { rule: "r", kind: "hit", index: 0, ok: true, expected: "a finding", came: "r at 1000 to 1500 ms" },
      { rule: "r", kind: "miss", index: 0, ok: false, expected: "nothing", came: "r at 1000 to 1500 ms" },
    ]);
    expect(check({ hit: [{ lines: "agent: a", count: 2 }] })[0]).toMatchObject({ ok: false, expected: "2 findings" });
  });

  it("fail where the rule can't judge, whichever way", () => {
    expect(check({ miss: ["agent: a"] }, unknown)[0]).toMatchObject({ ok: false, came: "not assessed: no-idea" });
  });

  it("refuse lines of no form", () => {
    expect(() => check({ hit: ["agent says hello"] })).toThrow(
      'rules[0].examples.hit[0]: "agent: …", "customer: …" or "pause 9" expected, "agent says hello" came',
    );
  });

  it("are spoken at four characters a second, one after the other", () => {
    const { call: spoken } = exampleCall("坐席：您好。\n停顿 5\n客户: 查一下 ok", "zh");
    expect(spoken.speech).toEqual({ agent: [[500, 1000]], customer: [[6000, 7150]] });
    expect(spoken.durationMs).toBe(7650);
    expect(spoken.transcript).toMatchObject({
      utterances: [
        { role: "agent", text: "您好。" },
        { role: "customer", words: [{ text: "查" }, { text: "一" }, { text: "下" }, { text: "ok" }] },
      ],
    });
  });
});

describe("wording", () => {
  const [finding] = ask({ operator: "spot", options: { at: [62], role: "agent" } }).findings;
  if (!finding) throw new Error("the operator of these tests finds something");
  const said = { ...finding, quote: "喂", data: { n: 1.23456 } };

  it("is the operator's in the reader's language, with the finding's values", () => {
    const table = messageTable(operators);
    expect(renderFinding(said, table, "zh")).toBe("坐席在 1:02 说“喂”–");
    expect(renderFinding(said, table, "en")).toBe("agent said 喂 at 1:02, 1.23");
    expect(renderFinding({ ...said, data: { kind: "other" } }, table, "en")).toBe("a");
    expect(renderFinding({ ...said, operator: "gone" }, table, "en")).toBe("r");
  });

  it("is the rule's own where it has one", () => {
    const set = checkRuleSet(
      {
        schema: "callsift.rules/1",
        rules: [{ id: "r", version: 1, severity: "general", name, when: hits(1), wording: { zh: "禁语{quote}", en: "taboo {quote}" } }],
      },
      "x",
    );
    const { rules } = compileRules({ rules: [set], operators });
    expect(renderFinding(said, messageTable(operators, rules), "zh")).toBe("禁语喂");
  });

  it("says why a rule was not assessed", () => {
    expect(renderNotAssessed({ rule: "r", reason: "no-transcript" }, "zh")).toBe("没有转写文本");
    expect(renderNotAssessed({ rule: "r", reason: "audio-unfit", detail: "hum" }, "en")).toBe("The sound is unfit as evidence: hum");
    expect(renderNotAssessed({ rule: "r", reason: "of-its-own" }, "en")).toBe("of-its-own");
  });
});
