import mongoose, { type Connection } from "mongoose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createSearchIndex, type SearchIndex } from "../../src/models/search/search-index.ts";
import type { SearchHit } from "../../src/models/search.ts";
import { createSearchStore, type SearchStore } from "../../src/models/search.ts";
import { normalise } from "../../src/pipeline/text/normalise.ts";
import type { Role, Utterance } from "../../src/pipeline/types.ts";
import { TEST_SERVERS, type TestDatabase } from "../support/database.ts";

const T = "t";
const START = Date.UTC(2026, 0, 1);

/** An utterance of a second per character, a word each. */
function said(role: Role | null, startMs: number, text: string): Utterance {
  const words = Array.from(text.matchAll(/[a-z']+|[^\sa-z，。？！]/giu), ([word], i) => ({
    text: word,
    startMs: startMs + i * 1000,
    endMs: startMs + i * 1000 + 900,
  }));
  return { role, channel: null, startMs, endMs: startMs + words.length * 1000, text, confidence: 1, words, timing: "exact" };
}

function call(...lines: readonly string[]): Utterance[] {
  let at = 0;
  return lines.map((line) => {
    const [, who, text] = /^([ac-]):(.*)$/u.exec(line) as unknown as [string, string, string];
    const utterance = said(who === "a" ? "agent" : who === "c" ? "customer" : null, at, text);
    at = utterance.endMs + 1000;
    return utterance;
  });
}

describe.skipIf(TEST_SERVERS.length === 0)("search (skipped where there is no MongoDB server)", () => {
  describe.each(TEST_SERVERS)("on $name", (server) => {
    let database: TestDatabase;
    let connection: Connection;
    let index: SearchIndex;
    let store: SearchStore;

    beforeAll(async () => {
      database = await server.open();
      connection = await mongoose.createConnection(database.uri).asPromise();
      // Small blocks, so that few calls make some of every size.
      index = createSearchIndex(connection, { calls: 8, fan: 4 });
      store = createSearchStore(connection);
      for (const model of Object.values(connection.models)) await model.createIndexes();
    });
    afterAll(async () => {
      await connection?.close();
      await database?.[Symbol.asyncDispose]();
    });

    const add = async (
      id: string,
      utterances: readonly Utterance[],
      facts: { day?: number; agentId?: string; team?: string; tenant?: string } = {},
    ) =>
      await index.saveWords(
        id,
        facts.tenant ?? T,
        { startedAt: new Date(START + (facts.day ?? 0) * 86_400_000), agentId: facts.agentId ?? null, team: facts.team ?? null },
        utterances,
      );
    const ask = async (
      query: string,
      { tenant = T, sound = false, ...filter }: { tenant?: string; sound?: boolean; agentId?: string; from?: Date } = {},
    ) => await store.search(query, { tenant }, filter, { limit: 100, sound });
    /** Hits as `call 【marked】 text`. */
    const shown = ({ items }: { items: readonly SearchHit[] }): string[] =>
      items.map(
        ({ callId, text, marks }) =>
          `${callId} ${marks.toReversed().reduce((line, [from, to]) => `${line.slice(0, from)}【${line.slice(from, to)}】${line.slice(to)}`, text)}`,
      );

    test("calls without a word are taken, and found by none", async () => {
      await add("wordless-1", [], { tenant: "wordless" });
      await add("wordless-2", [said("agent", 0, "，。")], { tenant: "wordless" });
      await add("worded", call("a:喂你好"), { tenant: "wordless" });
      expect(shown(await ask("你好", { tenant: "wordless" }))).toEqual(["worded 喂【你好】"]);
    });

    test("phrases are found however they are written, with marks in the written text and the times of the words", async () => {
      await add("w1", call("a:您好，請問有什麼可以幫您？", "c:我要退款，我的号码是１３８。"), { tenant: "w" });
      await add("w2", call("c:I want a Refund, please."), { tenant: "w", day: 1 });
      expect(shown(await ask('"请问有什么"', { tenant: "w" }))).toEqual(["w1 您好，【請問有什麼】可以幫您？"]);
      expect(shown(await ask("一三八", { tenant: "w" }))).toEqual(["w1 我要退款，我的号码是【１３８】。"]);
      expect(shown(await ask("“好请问”", { tenant: "w" }))).toEqual(["w1 您【好，請問】有什麼可以幫您？"]);
      expect(shown(await ask("我", { tenant: "w" }))).toEqual(["w1 【我】要退款，【我】的号码是１３８。"]);
      expect(shown(await ask('"a REFUND"', { tenant: "w" }))).toEqual(["w2 I want 【a Refund】, please."]);
      expect(shown(await ask("fund", { tenant: "w" }))).toEqual([]);
      expect(shown(await ask("我要退款吧", { tenant: "w" }))).toEqual([]);
      const [hit] = (await ask("退款", { tenant: "w" })).items;
      expect(hit).toEqual({
        callId: "w1",
        role: "customer",
        startMs: 14_000,
        endMs: 15_900,
        text: "我要退款，我的号码是１３８。",
        marks: [[2, 4]],
        match: "exact",
      });
    });

    test("AND, OR, NOT, brackets and sides speak of a call; hits are the utterances of what was looked for", async () => {
      const tenant = "b";
      await add("b1", call("a:您好", "c:我要投诉", "a:好的抱歉"), { tenant, day: 3 });
      await add("b2", call("a:您好", "c:我要退款"), { tenant, day: 2 });
      await add("b3", call("a:我要投诉你", "-:退款"), { tenant, day: 1 });
      const calls = async (query: string) => (await ask(query, { tenant })).items.map(({ callId, text }) => `${callId} ${text}`);
      expect(await calls("您好 AND 投诉")).toEqual(["b1 您好", "b1 我要投诉"]);
      expect(await calls("您好 投诉")).toEqual(await calls("您好 AND 投诉"));
      expect(await calls("投诉 OR 退款")).toEqual(["b1 我要投诉", "b2 我要退款", "b3 我要投诉你", "b3 退款"]);
      expect(await calls("您好 NOT 投诉")).toEqual(["b2 您好"]);
      expect(await calls("(投诉 OR 退款) AND NOT 您好")).toEqual(["b3 我要投诉你", "b3 退款"]);
      expect(await calls("customer:投诉")).toEqual(["b1 我要投诉"]);
      expect(await calls("agent：（投诉 OR 抱歉）")).toEqual(["b1 好的抱歉", "b3 我要投诉你"]);
      expect(await calls("投诉 NOT agent:投诉")).toEqual(["b1 我要投诉"]);
      expect((await ask("投诉 OR 退款", { tenant })).total).toBe(4);
    });

    test("NEAR counts characters or words between, over the ends of utterances too", async () => {
      const tenant = "n";
      await add("n1", call("c:这个保证金我不退了", "a:那可以退款"), { tenant, day: 2 });
      await add("n2", call("c:please cancel my monthly plan today"), { tenant, day: 1 });
      const marked = async (query: string) => shown(await ask(query, { tenant }));
      expect(await marked("保证 NEAR/2 不退")).toEqual(["n1 这个【保证】金我【不退】了"]);
      expect(await marked("不退 NEAR/2 保证")).toEqual(["n1 这个【保证】金我【不退】了"]);
      expect(await marked("保证 NEAR/1 不退")).toEqual([]);
      expect(await marked("不退 NEAR/5 退款")).toEqual(["n1 这个保证金我【不退】了", "n1 那可以【退款】"]);
      expect(await marked("不退 NEAR/4 退款")).toEqual([]);
      expect(await marked("cancel NEAR/2 plan")).toEqual(["n2 please 【cancel】 my monthly 【plan】 today"]);
      expect(await marked("cancel NEAR/1 plan")).toEqual([]);
    });

    test("by sound, what sounds the same is found and says so", async () => {
      const tenant = "s";
      await add("s1", call("c:我要头诉"), { tenant, day: 2 });
      await add("s2", call("c:我要投诉"), { tenant, day: 1 });
      await add("s3", call("c:音悦好听"), { tenant });
      expect((await ask("投诉", { tenant })).items.map(({ callId, match }) => `${callId} ${match}`)).toEqual(["s2 exact"]);
      expect((await ask("投诉", { tenant, sound: true })).items.map(({ callId, match }) => `${callId} ${match}`)).toEqual([
        "s1 sound",
        "s2 exact",
      ]);
      // 乐 is read le first, and yue in 音乐.
      expect((await ask("音乐", { tenant, sound: true })).items.map(({ callId, match }) => `${callId} ${match}`)).toEqual(["s3 sound"]);
    });

    test("a call's words are replaced by later ones, and removed without a trace", async () => {
      const tenant = "r";
      await add("r1", call("c:原来的话"), { tenant });
      await Promise.all([add("r1", call("c:后来的话"), { tenant }), add("r1", call("c:后来的话"), { tenant })]);
      expect((await ask("原来", { tenant })).total).toBe(0);
      expect((await ask("后来", { tenant })).total).toBe(1);
      await index.removeCall("r1");
      await index.removeCall("r1");
      expect((await ask("后来", { tenant })).total).toBe(0);
    });

    test("many calls: blocks of every size find what looking through all of them finds", async () => {
      const tenant = "m";
      // A small alphabet, so that phrases are in many calls, and homophones among them.
      const letters = "的地得事是市退推款宽";
      let seed = 7;
      const random = (below: number) => {
        seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
        return Math.floor((seed / 2 ** 31) * below);
      };
      const all = Array.from({ length: 200 }, (_, i) => {
        const lines = Array.from(
          { length: 2 },
          (_, k) => `${"ac"[k]}:${Array.from({ length: 6 }, () => letters[random(letters.length)]).join("")}`,
        );
        return { id: `m${String(i).padStart(5, "0")}`, utterances: call(...lines), day: random(300), agentId: `${random(5)}` };
      });
      for (let at = 0; at < all.length; at += 40)
        await Promise.all(all.slice(at, at + 40).map(({ id, utterances, ...facts }) => add(id, utterances, { tenant, ...facts })));
      await index.maintain();
      const set = await connection.collection<{ _id: string; blocks: { level: number }[] }>("searchSets").findOne({ _id: tenant });
      expect(new Set(set?.blocks.map(({ level }) => level))).toEqual(new Set([0, 1, 2]));
      expect(await connection.collection("searchWords").countDocuments({ tenant, fresh: 1 })).toBeLessThan(8);

      const check = async (phrase: string, agentId?: string) => {
        const expected = all
          .filter((each) => agentId === undefined || each.agentId === agentId)
          .sort((a, b) => b.day - a.day || (a.id < b.id ? 1 : -1))
          .flatMap(({ id, utterances }) =>
            utterances.filter(({ text }) => normalise(text).text.includes(phrase)).map(({ text }) => `${id} ${text}`),
          );
        const found: string[] = [];
        for (let cursor: string | null | undefined; cursor !== null; ) {
          const filter = agentId === undefined ? {} : { agentId };
          const page = await store.search(phrase, { tenant }, filter, { limit: 97, sound: false, ...(cursor && { cursor }) });
          expect(page.total).toBe(expected.length);
          found.push(...page.items.map(({ callId, text }) => `${callId} ${text}`));
          for (const { text, marks } of page.items) for (const [from, to] of marks) expect(text.slice(from, to)).toContain(phrase[0]);
          cursor = page.nextCursor;
        }
        expect(found).toEqual(expected);
      };
      for (const phrase of ["退", "退款", "是市退", "的事是市", "推款宽的地得"]) await check(phrase);
      await check("退款", "3");

      const gone = all.splice(100, 5);
      for (const { id } of gone) await index.removeCall(id);
      await check("退款");
      const bytes = gone.map(({ id }) => id);
      for (const { ids } of await connection.collection("searchBlocks").find({ tenant }).toArray())
        for (const id of bytes) expect(ids).not.toContain(id);
      await expect(ask("退款 OR", { tenant })).rejects.toMatchObject({ code: "search/bad-query", details: { position: 5 } });
    }, 120_000);

    test("a cursor is of one query, scope and filter", async () => {
      const page = await store.search("退款", { tenant: "m" }, {}, { limit: 1, sound: false });
      const cursor = page.nextCursor as string;
      const foreign = { code: "request/invalid" };
      await expect(store.search("退", { tenant: "m" }, {}, { limit: 1, sound: false, cursor })).rejects.toMatchObject(foreign);
      await expect(store.search("退款", { tenant: "m", team: "x" }, {}, { limit: 1, sound: false, cursor })).rejects.toMatchObject(foreign);
      await expect(store.search("退款", { tenant: "m" }, { agentId: "1" }, { limit: 1, sound: false, cursor })).rejects.toMatchObject(
        foreign,
      );
      expect((await store.search("退款", { tenant: "nobody" }, {}, { limit: 1, sound: false })).items).toEqual([]);
    });
  });
});
