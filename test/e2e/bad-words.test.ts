import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { callsift, scratch, screenJson } from "../support/callsift.ts";
import { sine, wav } from "../support/sound.ts";

const recording = wav([sine(440, 3), sine(550, 3)]);
const transcript = (...utterances: readonly object[]): string => JSON.stringify({ language: "zh", utterances });
const line = { role: "agent", startMs: 100, endMs: 900, text: "您好" };

const BAD_TRANSCRIPTS: readonly [name: string, content: string | Buffer, code: RegExp][] = [
  ["past the end", transcript({ ...line, startMs: 60_000, endMs: 61_000 }), /^transcript\/mismatch$/],
  ["reversed", transcript({ ...line, startMs: 900, endMs: 100 }), /^transcript\/invalid$/],
  ["negative", transcript({ ...line, startMs: -5 }), /^transcript\/invalid$/],
  ["text for a number", transcript({ ...line, startMs: "soon" }), /^transcript\/invalid$/],
  ["one inside another", transcript({ ...line, startMs: 0, endMs: 2900 }, { ...line, startMs: 500, endMs: 2500 }), /^transcript\/invalid$/],
  [
    "a million utterances",
    `{"language":"zh","utterances":[${Array(1_000_000).fill('{"role":"agent","startMs":1,"endMs":2,"text":"a"}').join(",")}]}`,
    /^transcript\/too-large$/,
  ],
  ["10 MB in one", transcript({ ...line, text: "啊".repeat(3_500_000) }), /^transcript\/(too-large|invalid)$/],
  [
    "invalid UTF-8",
    Buffer.concat([
      Buffer.from('{"language":"zh","utterances":[{"role":"agent","startMs":1,"endMs":2,"text":"'),
      Buffer.from([0xff, 0xfe, 0x80]),
      Buffer.from('"}]}'),
    ]),
    /^transcript\/unreadable$/,
  ],
  ["nested bomb", `${"[".repeat(200_000)}${"]".repeat(200_000)}`, /^transcript\/(unreadable|invalid)$/],
  ["not JSON", "{ utterances: oops", /^transcript\/unreadable$/],
  ["HTML", "<!doctype html><p>502 Bad Gateway", /^transcript\/unreadable$/],
];

describe("bad transcripts", () => {
  it("each fails its own call with a code, and only that", async () => {
    await using folder = await scratch();
    for (const [i, [, content]] of BAD_TRANSCRIPTS.entries()) {
      const name = `c${String(i).padStart(2, "0")}`;
      await writeFile(join(folder.path, `${name}.wav`), recording);
      await writeFile(join(folder.path, `${name}.transcript.json`), content);
    }
    await writeFile(join(folder.path, "fine.wav"), recording);
    await writeFile(join(folder.path, "fine.transcript.json"), `\uFEFF${transcript(line)}`);
    const { code, results, stderr } = await screenJson([folder.path]);
    expect(stderr).toBe("");
    expect(code).toBe(3);
    for (const [i, [name, , expected]] of BAD_TRANSCRIPTS.entries()) {
      expect(results[i]?.status, name).toBe("failed");
      expect(results[i]?.error?.code, `${name}: ${results[i]?.error?.message}`).toMatch(expected);
      expect(results[i]?.error?.message, name).toMatch(/^[^\n]{10,500}$/);
    }
    expect(results.at(-1)).toMatchObject({ status: "scored", transcript: { engine: "import", language: "zh" } });
  });
});

describe("bad rules and forms: exit 2, nothing screened", () => {
  const rule = (extra: string): string => `schema: callsift.rules/1
rules:
  - id: mine
    version: 1
    severity: general
    name: { zh: 我的, en: Mine }
    when: ${extra}
`;
  const CASES: readonly [name: string, file: string, flag: "--rules" | "--form", message: RegExp][] = [
    ["an unknown operator", rule("{ operator: telepathy, options: {} }"), "--rules", /rules\/invalid: .*telepathy/],
    ["an unknown option", rule("{ operator: silence, options: { minutes: 3 } }"), "--rules", /rules\/invalid: .*minutes/],
    ["a broken pattern", rule('{ operator: phrase, options: { phrases: ["/(a/"] } }'), "--rules", /rules\/invalid: /],
    [
      "an id twice",
      `${rule("{ operator: silence }")}${rule("{ operator: silence }").split("rules:\n")[1]}`,
      "--rules",
      /rules\/invalid: .*mine/,
    ],
    ["broken YAML", "schema: [", "--rules", /rules\/invalid: /],
    [
      "a YAML alias bomb",
      `a: &a [1,1,1,1,1,1,1,1,1]\n${"bcdefghij"
        .split("")
        .map((x, i) => `${x}: &${x} [${Array(9).fill(`*${"abcdefghi"[i]}`).join(",")}]`)
        .join("\n")}\n`,
      "--rules",
      /rules\/invalid: /,
    ],
    ["a form that is none", "schema: callsift.form/1\nid: mine\n", "--form", /form\/invalid: /],
  ];
  it.each(CASES)("%s", async (_name, content, flag, message) => {
    await using folder = await scratch();
    await writeFile(join(folder.path, "call.wav"), recording);
    await writeFile(join(folder.path, "mine.yaml"), content);
    const args = ["--json", join(folder.path, "call.wav"), flag, join(folder.path, "mine.yaml")];
    const { code, stdout, stderr } = await callsift(["screen", ...args]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(message);
    expect(
      stderr
        .trimEnd()
        .split("\n")
        .filter((text) => text.startsWith("    at ")),
      "no stack trace",
    ).toEqual([]);
    if (flag === "--rules") expect((await callsift(["rules", "check", join(folder.path, "mine.yaml")])).code).toBe(2);
  });

  it("a catastrophic regular expression runs in linear time", async () => {
    await using folder = await scratch();
    await writeFile(join(folder.path, "call.wav"), recording);
    await writeFile(join(folder.path, "call.transcript.json"), transcript({ ...line, endMs: 2900, text: `${"a".repeat(2000)}!` }));
    await writeFile(join(folder.path, "mine.yaml"), rule('{ operator: phrase, options: { phrases: ["/(a+)+$/"] } }'));
    const { code } = await screenJson([join(folder.path, "call.wav"), "--rules", join(folder.path, "mine.yaml")]);
    expect(code).toBe(0);
  });

  it.each([
    [["screen"], /missing required argument/],
    [["screen", "x.wav", "--engine", "magic"], /Allowed choices/],
    [["screen", "x.wav", "--concurrency", "0"], /whole number/],
    [["screen", "x.wav", "--raw", "mulaw"], /usage\/invalid/],
    [["screen", "x.wav", "--form", "no-such-form"], /form\/invalid/],
    [["screen", "x.wav", "--meta", "/nowhere.csv"], /metadata\/invalid/],
    [["frobnicate"], /unknown command/],
  ])("%j is a usage error", async (args, message) => {
    const { code, stderr } = await callsift(args);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });
});
