import { describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config.ts";
import { CallsiftError } from "../../src/pipeline/errors.ts";

describe("loadConfig", () => {
  it("has defaults for everything and is frozen", () => {
    const config = loadConfig({});
    expect(config).toMatchObject({
      ffmpegPath: null,
      vad: "silero",
      language: "auto",
      form: "deduction-20",
      decodeTimeoutMs: 600_000,
      locale: "en",
    });
    expect(config.concurrency).toBeGreaterThan(0);
    expect(Object.isFrozen(config)).toBe(true);
  });

  it("names all faults at once, each with what was expected and what came", () => {
    const load = () => loadConfig({ CALLSIFT_CONCURRENCY: "many", CALLSIFT_VAD: "loud", CALLSIFT_LANGUAGE: "fr", CALLSIFT_FORM: "levels" });
    expect(load).toThrow(CallsiftError);
    expect(load).toThrow(
      /CALLSIFT_CONCURRENCY: expected a whole number from 1 to 256, got "many"; CALLSIFT_VAD: expected silero or energy, got "loud"; CALLSIFT_LANGUAGE/,
    );
  });

  it.each(["0", "-1", "1.5", "257", " 4", "0x10", "1e2"])("refuses %j as a number", (text) => {
    expect(() => loadConfig({ CALLSIFT_CONCURRENCY: text })).toThrow(/CALLSIFT_CONCURRENCY/);
  });

  it.each([
    ["OPENAI_API_KEY", "sk-geheim mit-leerzeichen"],
    ["OPENAI_BASE_URL", "ftp://user:geheim@host"],
    ["CALLSIFT_MODELS_URL", "user:geheim@host"],
  ])("never tells what stands in %s", (name, text) => {
    expect(() => loadConfig({ [name]: text })).toThrow(new RegExp(`^${name}: expected .*, got something else \\(not shown\\)$`));
  });

  it.each([
    [{ XDG_CACHE_HOME: "/x", HOME: "/h" }, "/x/callsift/weights"],
    [{ XDG_CACHE_HOME: "relative", HOME: "/h" }, "/h/.cache/callsift/weights"],
    [{ HOME: "/h" }, "/h/.cache/callsift/weights"],
  ])("keeps weights in the cache folder: %j", (env, folder) => {
    expect(loadConfig(env).weightsDir).toBe(folder);
  });

  it("reads what recognition needs", () => {
    expect(loadConfig({ CALLSIFT_MODELS_URL: "http://m/w//", CALLSIFT_MIN_CONFIDENCE: "0.7", CALLSIFT_ASR_TIMEOUT_S: "5" })).toMatchObject({
      modelsUrl: "http://m/w",
      minConfidence: 0.7,
      asrTimeoutMs: 5000,
      openaiKey: null,
      openaiBaseUrl: null,
      openaiModel: "whisper-1",
    });
    for (const text of ["1.1", "-0.1", "half", "1e-1"])
      expect(() => loadConfig({ CALLSIFT_MIN_CONFIDENCE: text })).toThrow(/CALLSIFT_MIN_C/);
  });

  it("takes an empty value as unset, and reports names that it does not know", () => {
    expect(loadConfig({ CALLSIFT_VAD: "", CALLSIFT_VDA: "energy", OTHER: "x" })).toMatchObject({
      vad: "silero",
      unknown: ["CALLSIFT_VDA"],
    });
  });

  it.each([
    [{ LANG: "zh_CN.UTF-8" }, "zh"],
    [{ LANG: "zh_CN.UTF-8", LC_ALL: "C" }, "en"],
    [{ LANG: "en_GB.UTF-8", LC_MESSAGES: "zh_TW" }, "zh"],
    [{}, "en"],
  ])("tells findings by the locale %j in %s", (env, locale) => {
    expect(loadConfig(env).locale).toBe(locale);
  });
});
