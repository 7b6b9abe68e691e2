import { afterAll, expect, test } from "vitest";
import type { Recogniser } from "../../src/pipeline/asr/recogniser.ts";
import { inspectSherpa } from "../../src/pipeline/asr/sherpa/inspect.ts";
import { openSherpa, openWay } from "../../src/pipeline/asr/sherpa/open.ts";
import { createSeats } from "../../src/pipeline/asr/sherpa/seats.ts";
import { chooseWay } from "../../src/pipeline/asr/sherpa/way.ts";
import { sharedModels, TINY_FAMILIES } from "../support/sherpa-models.ts";
import { spokenBy } from "../support/speech.ts";

const models = sharedModels();
afterAll(() => models[Symbol.asyncDispose]());

/** A voice of the fixtures at 16 kHz: every sample twice will do for weights that are random. */
function sound(seconds: number, voice = "zf-xiaobei"): Float32Array {
  const samples = spokenBy(voice, seconds);
  return Float32Array.from({ length: samples.length * 2 }, (_, i) => samples[i >> 1] as number);
}

test.each(TINY_FAMILIES)("%s hears a piece: text, words in time, nothing of its special symbols", async (family) => {
  const path = await models.path(family);
  await using recogniser = await openSherpa({ folder: path, lanes: 1 });
  expect(recogniser).toMatchObject({ name: "sherpa", model: family, lanes: 1 });
  const heard = await recogniser.hear(sound(3), { language: "zh" });
  expect(heard.text).not.toBe("");
  expect(heard.text).not.toMatch(/[<>|@▁]/u);
  expect(heard.tokens.map(({ text }) => text).join("")).toBe(heard.text.replaceAll(" ", ""));
  let before = 0;
  for (const { startMs, endMs } of heard.tokens) {
    expect(startMs).toBeGreaterThanOrEqual(before);
    expect(endMs).toBeGreaterThanOrEqual(startMs as number);
    expect(endMs).toBeLessThanOrEqual(3000);
    before = startMs as number;
  }
  expect(heard).toMatchObject({ capped: false, looped: false, prompted: false });
  heard.release();
});

test("SenseVoice: language, emotion and event are tags, and the languages are told apart where none is asked for", async () => {
  const path = await models.path("sense-voice");
  await using recogniser = await openSherpa({ folder: path, lanes: 1 });
  const piece = sound(2);
  const tags = { emotion: "NEUTRAL", event: "Speech" };
  const zh = await recogniser.hear(piece, { language: "zh" });
  expect(zh).toMatchObject({ languages: null, tags: { language: "zh", ...tags } });
  expect((await recogniser.hear(piece, { language: "en" })).tags).toEqual({ language: "en", ...tags });
  const auto = await recogniser.hear(piece, { language: "auto" });
  // The scores 4 and 2 of the tiny model's table.
  expect((auto.languages?.zh ?? 0) - (auto.languages?.en ?? 0)).toBeCloseTo(2, 2);
  expect(zh.noSpeech).toBeLessThan(0.01);
  expect(zh.confidence).toBeGreaterThan(0);
  for (const { confidence } of zh.tokens) expect(confidence).toBeLessThanOrEqual(1);
});

test("our own decoding and sherpa-onnx's give the same words at the same times, of published and of signed weights", async () => {
  for (const family of ["sense-voice", "zipformer-ctc"] as const) {
    const path = await models.path(family);
    const weights = inspectSherpa(path);
    const way = await chooseWay(weights);
    await using own = await openWay(weights, way, 1);
    await using native = await openWay(weights, { ...way, by: "sherpa" }, 1);
    await using published = await openWay(weights, { ...way, by: "sherpa", modelPath: weights.modelPath }, 1);
    for (const voice of ["zf-xiaobei", "am-fenrir"]) {
      const piece = sound(4, voice);
      const timed = async (recogniser: Recogniser) => {
        const { tokens } = await recogniser.hear(piece, { language: "auto" });
        return tokens.map(({ text, startMs, endMs }) => `${text} ${startMs} ${endMs}`);
      };
      const expected = await timed(published);
      expect(expected.length).toBeGreaterThan(3);
      expect(await timed(native)).toEqual(expected);
      expect(await timed(own)).toEqual(expected);
    }
  }
});

test("a text is weighed on the sound: what was heard is the likeliest, what cannot be spelt impossible", async () => {
  for (const [family, by] of [
    ["sense-voice", "ctc"],
    ["sense-voice", "sherpa"],
    ["zipformer-ctc", "ctc"],
  ] as const) {
    const path = await models.path(family);
    const weights = inspectSherpa(path);
    await using recogniser = await openWay(weights, { ...(await chooseWay(weights)), by }, 1);
    const heard = await recogniser.hear(sound(2), { language: "auto", keep: true });
    const characters = heard.tokens.map(({ text }) => text);
    const other = [...characters.slice(0, 1), "您", ...characters.slice(2)].join("");
    const weights3 = await heard.weigh?.([heard.text, other, `${heard.text}龘`, heard.text]);
    const [own = 0, changed = 0, impossible, again] = weights3 ?? [];
    expect(own).toBeLessThanOrEqual(0);
    expect(own).toBeGreaterThan(changed);
    expect(impossible).toBe(Number.NEGATIVE_INFINITY);
    expect(again).toBe(own);
    heard.release();
    heard.release();
    await expect(heard.weigh?.([heard.text])).rejects.toMatchObject({ code: "internal/bug" });
  }
});

test("only CTC families weigh, and only held pieces", async () => {
  const path = await models.path("paraformer");
  await using recogniser = await openSherpa({ folder: path, lanes: 1 });
  expect((await recogniser.hear(sound(1), { language: "zh", keep: true })).weigh).toBe(null);
  const ctc = await models.path("sense-voice");
  await using other = await openSherpa({ folder: ctc, lanes: 1 });
  expect((await other.hear(sound(1), { language: "zh" })).weigh).toBe(null);
});

test.each(TINY_FAMILIES)("%s takes any sound: 1 ms, silence, what is no number, 30 s", async (family) => {
  const path = await models.path(family);
  await using recogniser = await openSherpa({ folder: path, lanes: 2 });
  const broken = sound(1).map((sample, i) => (i % 100 === 0 ? Number.NaN : i % 101 === 0 ? Number.POSITIVE_INFINITY : sample));
  for (const piece of [new Float32Array(16).fill(0.1), new Float32Array(32_000), broken, new Float32Array(0), sound(30)]) {
    const { tokens, text } = await recogniser.hear(piece, { language: "zh" });
    // Noise of which a model writes nothing but a full stop has no text.
    if (!/[\p{L}\p{N}]/u.test(text)) expect([text, ...tokens]).toEqual([""]);
    for (const { endMs } of tokens) expect(endMs).toBeLessThanOrEqual(piece.length / 16);
  }
});

test("pieces that are stopped or late are let go of, and the next are heard", async () => {
  const path = await models.path("sense-voice");
  await using recogniser = await openSherpa({ folder: path, lanes: 1 });
  const piece = sound(20);
  const stop = new AbortController();
  const first = recogniser.hear(piece, { language: "zh", signal: stop.signal, keep: true });
  const second = recogniser.hear(piece, { language: "zh", signal: stop.signal });
  const third = recogniser.hear(sound(1), { language: "zh" });
  stop.abort();
  await expect(first).rejects.toMatchObject({ code: "aborted" });
  await expect(second).rejects.toMatchObject({ code: "aborted" });
  expect((await third).text).not.toBe("");
  await expect(recogniser.hear(piece, { language: "zh", timeoutMs: 1 })).rejects.toMatchObject({ code: "asr/time-out" });
  await expect(recogniser.hear(piece, { language: "zh", signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "aborted" });
  expect((await recogniser.hear(sound(1), { language: "zh" })).text).not.toBe("");
});

test("a closed recogniser hears nothing more, and what waits is told", async () => {
  const path = await models.path("zipformer-ctc");
  const recogniser = await openSherpa({ folder: path, lanes: 1 });
  const pieces = [1, 2, 3].map(() => recogniser.hear(sound(5), { language: "zh" }));
  const outcomes = Promise.allSettled(pieces);
  await recogniser[Symbol.asyncDispose]();
  expect((await outcomes).map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected"]);
  await expect(recogniser.hear(sound(1), { language: "zh" })).rejects.toMatchObject({ code: "aborted" });
});

test("several lanes hear what one does, whatever comes first", async () => {
  const path = await models.path("sense-voice");
  await using one = await openSherpa({ folder: path, lanes: 1 });
  await using three = await openSherpa({ folder: path, lanes: 3 });
  const pieces = [1, 4, 2, 6, 1, 3].map((seconds) => sound(seconds));
  const texts = async (recogniser: Recogniser) =>
    await Promise.all(pieces.map(async (piece) => (await recogniser.hear(piece, { language: "zh" })).text));
  expect(await texts(three)).toEqual(await texts(one));
});

test("seats are taken first come first served, and one that is left stays taken until its work is done", async () => {
  const seats = createSeats(["only"]);
  const order: string[] = [];
  const leftOver: string[] = [];
  let finish = (_value: string) => {};
  const stop = new AbortController();
  const slow = seats.use(
    () => new Promise<string>((resolve) => (finish = resolve)),
    (late) => leftOver.push(late),
    { signal: stop.signal },
  );
  const next = (name: string, signal?: AbortSignal) =>
    seats.use(
      async () => {
        order.push(name);
        return name;
      },
      () => {},
      { signal },
    );
  const waiting = [next("a"), next("b", AbortSignal.timeout(1)), next("c")];
  stop.abort();
  await expect(slow).rejects.toMatchObject({ code: "aborted" });
  await expect(waiting[1]).rejects.toMatchObject({ code: "aborted" });
  expect(order).toEqual([]);
  finish("too late");
  expect(await Promise.all([waiting[0], waiting[2]])).toEqual(["a", "c"]);
  expect(order).toEqual(["a", "c"]);
  expect(leftOver).toEqual(["too late"]);
});

test("pieces one after the other are all heard at one seat, so that a copy of the weights is loaded only when it is needed", async () => {
  const seats = createSeats(["first", "second", "third"]);
  const at = (work: (seat: string) => Promise<string>) => seats.use(work, () => {}, {});
  for (let i = 0; i < 3; i++) expect(await at(async (seat) => seat)).toBe("first");
  const together = await Promise.all([1, 2].map(() => at(async (seat) => seat)));
  expect(together).toEqual(["first", "second"]);
});

test("weights that cannot be loaded after all are told at the opening", async () => {
  const path = await models.path("sense-voice");
  const weights = inspectSherpa(path);
  const way = { ...(await chooseWay(weights)), by: "ctc", modelPath: `${weights.modelPath}.gone` } as const;
  await expect(openWay(weights, way, 1)).rejects.toMatchObject({ code: "weights/foreign" });
});
