// 300 rules of 10 phrases over one call of 3,000 characters, a third of them by sound too, the index built anew for each call.
//   npx tsx bench/phrases.ts
import { pinyin } from "pinyin-pro";
import { indexTranscript } from "../src/pipeline/text/index-text.ts";
import { normalise } from "../src/pipeline/text/normalise.ts";
import { type CompiledPhrase, compilePhrase } from "../src/pipeline/text/phrase.ts";
import type { Utterance } from "../src/pipeline/types.ts";
import { median, type Row, report } from "./report.ts";

const RULES = 300;
const PHRASES = 10;
const CHARACTERS = 3000;
const BAR_MS = 5;

const SENTENCES = [
  "您好很高兴为您服务请问有什么可以帮您",
  "我想查一下我上个月的账单为什么多扣了二十块钱",
  "好的请您稍等我这边帮您核实一下",
  "麻烦您提供一下办理业务时登记的手机号码",
  "我的号码是一三八零零一三八零零零",
  "非常抱歉给您带来不便我马上为您处理",
  "这个套餐的费用是每个月五十八元包含三十个流量",
  "你们怎么总是这样我已经打了三次电话了",
  "如果还不解决我就要去投诉你们了",
  "我理解您的心情我们会在二十四小时内给您回复",
  "那个嗯请问还有其他可以帮您的吗",
  "感谢您的来电请稍后为我的服务做出评价祝您生活愉快",
];

/** The same numbers on every machine (Lehmer generator, MINSTD). */
function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}

function makeCall(random: (below: number) => number): Utterance[] {
  const utterances: Utterance[] = [];
  for (let characters = 0, at = 0; characters < CHARACTERS; at += 5000) {
    const text = SENTENCES[random(SENTENCES.length)] as string;
    const words = Array.from(text, (character, i) => ({ text: character, startMs: at + i * 200, endMs: at + i * 200 + 200 }));
    const role = utterances.length % 2 === 0 ? "agent" : "customer";
    utterances.push({ role, channel: null, startMs: at, endMs: at + text.length * 200, text, confidence: 0.9, words, timing: "exact" });
    characters += text.length;
  }
  return utterances;
}

/** Phrases of 3 to 6 characters of the same language: pieces of sentences with one character of another, so that few are said. */
function makePhrases(random: (below: number) => number): string[] {
  const all = SENTENCES.join("");
  return Array.from({ length: RULES * PHRASES }, () => {
    const length = 3 + random(4);
    const start = random(all.length - length);
    const piece = [...all.slice(start, start + length)];
    piece[random(length)] = all[random(all.length)] as string;
    return piece.join("");
  });
}

const BATCHES = 25;

/** Median ms of the quietest of 25 batches, after one to warm up: what the work takes, not what else the machine does. */
function measure(runs: number, work: () => number): { ms: number; result: number } {
  let result = 0;
  const batch = (): number =>
    median(
      Array.from({ length: runs }, () => {
        const startedAt = performance.now();
        result = work();
        return performance.now() - startedAt;
      }),
    );
  batch();
  return { ms: Math.min(...Array.from({ length: BATCHES }, batch)), result };
}

const random = createRandom(20_240_601);
const call = makeCall(random);
const sources = makePhrases(random);
const compiled = sources.map((source, i): CompiledPhrase => compilePhrase(source, i % 3 === 0 ? { sound: true } : {}));
const written = sources.map((source): CompiledPhrase => compilePhrase(source, { ignoreFillers: false }));
const folded = sources.map((source) => normalise(source).text);
const texts = call.map(({ text }) => text);

const findAll = (phrases: readonly CompiledPhrase[]): number => {
  const index = indexTranscript(call);
  let found = 0;
  for (const phrase of phrases) found += index.find(phrase).length;
  return found;
};

const mixed = measure(9, () => findAll(compiled));
const exact = measure(9, () => findAll(written));
const indexing = measure(9, () => indexTranscript(call).utterances.length);
const naive = measure(5, () => {
  const whole = texts.map((text) => normalise(text).text);
  let found = 0;
  for (const phrase of folded) for (const text of whole) if (text.includes(phrase)) found++;
  return found;
});
const convert = measure(3, () => texts.reduce((sum, text) => sum + pinyin(text, { toneType: "none", type: "array" }).length, 0));

const show = (ms: number): string => `${ms.toFixed(2)} ms`;
const rows: Row[] = [
  {
    what: `${RULES} rules × ${PHRASES} phrases, a third by sound, with indexing`,
    measured: show(mixed.ms),
    bar: `< ${BAR_MS} ms`,
    met: mixed.ms < BAR_MS,
  },
  { what: "the same phrases as written only, with indexing", measured: show(exact.ms), bar: "", met: null },
  { what: "laying out the call alone", measured: show(indexing.ms), bar: "", met: null },
  { what: "String.includes over folded utterances, as written only", measured: show(naive.ms), bar: "", met: null },
  { what: "pinyin-pro: the call's text to pinyin, no phrase looked up yet", measured: show(convert.ms), bar: "", met: null },
];
const characters = texts.join("").length;
report("phrases", rows, {
  characters,
  phrases: compiled.length,
  bySound: compiled.filter(({ bySound }) => bySound).length,
  matches: { mixed: mixed.result, exact: exact.result, naive: naive.result },
  ms: { mixed: mixed.ms, exact: exact.ms, indexing: indexing.ms, naive: naive.ms, convert: convert.ms },
});
