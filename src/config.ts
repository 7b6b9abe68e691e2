import { availableParallelism, homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { CallsiftError } from "./pipeline/errors.ts";

/** One setting: how its text is read, what holds without it, and what people are told. */
interface Setting<T> {
  readonly fallback: T;
  readonly expected: string;
  readonly meaning: string;
  /** The value, or undefined where the text is not as expected. */
  readonly read: (text: string) => T | undefined;
  /** It may hold a key or a password: its text is told to nobody, in faults neither. */
  readonly secret?: true;
}

const wholeNumber = (min: number, max: number) => (text: string) => {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  return value >= min && value <= max ? value : undefined;
};
const oneOf =
  <T extends string>(...values: readonly T[]) =>
  (text: string) =>
    values.find((value) => value === text);
const anyText = (text: string) => text;
const share = (text: string) => (/^(0(\.\d+)?|1(\.0+)?)$/.test(text) ? Number(text) : undefined);
/** An http(s) address without the slashes at its end. */
const webAddress = (text: string) => (/^https?:\/\//i.test(text) && URL.canParse(text) ? text.replace(/\/+$/, "") : undefined);
/** What a header can carry: one word of visible ASCII. */
const headerWord = (text: string) => (/^[\x21-\x7E]+$/.test(text) ? text : undefined);

/** Every environment variable that callsift reads; docs/reference/config.md lists the same, held equal by a test. */
export const SETTINGS = {
  CALLSIFT_FFMPEG: {
    fallback: null,
    expected: "a path",
    meaning:
      "The ffmpeg program for recordings that are not plain WAV. Unset: the system's ffmpeg if there is one, else the one that npm installed.",
    read: anyText,
  } satisfies Setting<string | null>,
  CALLSIFT_TEMP_DIR: {
    fallback: null,
    expected: "a path",
    meaning:
      "Where decoded sound is kept while a call is listened to. Unset: memory (/dev/shm) where it has room, else the system's temporary folder.",
    read: anyText,
  } satisfies Setting<string | null>,
  CALLSIFT_DECODE_TIMEOUT_S: {
    fallback: 600,
    expected: "whole seconds from 1 to 86400",
    meaning: "Longest time ffmpeg may take for one recording, in seconds.",
    read: wholeNumber(1, 86_400),
  } satisfies Setting<number>,
  CALLSIFT_CONCURRENCY: {
    fallback: availableParallelism(),
    expected: "a whole number from 1 to 256",
    meaning: "How many calls are worked on at once. Unset: the number of processor cores.",
    read: wholeNumber(1, 256),
  } satisfies Setting<number>,
  CALLSIFT_VAD: {
    fallback: "silero",
    expected: "silero or energy",
    meaning:
      "The speech detector: silero (a small neural network, the default) or energy (level only, for machines where the first cannot run).",
    read: oneOf("silero", "energy"),
  } satisfies Setting<"silero" | "energy">,
  CALLSIFT_LANGUAGE: {
    fallback: "auto",
    expected: "zh, en or auto",
    meaning: "Language of the calls, and with it of the rules, where `--language` is not given. auto: as the transcript says, else zh.",
    read: oneOf("zh", "en", "auto"),
  } satisfies Setting<"zh" | "en" | "auto">,
  CALLSIFT_FORM: {
    fallback: "deduction-20",
    expected: "the id of a built-in form, or a file",
    meaning: "The scoring form where `--form` is not given.",
    read: anyText,
  } satisfies Setting<string>,
  CALLSIFT_MODELS_URL: {
    fallback: null,
    expected: "an http or https address",
    meaning:
      "A mirror of the speech weights, asked before all other sources: each file is looked for at `<mirror>/<name of the weights>/<file>`.",
    read: webAddress,
    secret: true,
  } satisfies Setting<string | null>,
  CALLSIFT_MIN_CONFIDENCE: {
    fallback: 0.5,
    expected: "a number from 0 to 1",
    meaning:
      "How sure a recogniser must be of a stretch of words for it to be evidence; on a stretch below it rules of wording are not assessed.",
    read: share,
  } satisfies Setting<number>,
  CALLSIFT_ASR_TIMEOUT_S: {
    fallback: 120,
    expected: "whole seconds from 1 to 86400",
    meaning: "Longest time a recogniser may take for one piece of sound (about ten seconds of speech), in seconds.",
    read: wholeNumber(1, 86_400),
  } satisfies Setting<number>,
  CALLSIFT_OPENAI_MODEL: {
    fallback: "whisper-1",
    expected: "the name of a model, without spaces",
    meaning: "The model asked for at a recognition server of OpenAI's protocol.",
    read: headerWord,
  } satisfies Setting<string>,
  OPENAI_BASE_URL: {
    fallback: null,
    expected: "an http or https address",
    meaning:
      "Address of a recognition server of OpenAI's protocol. With it or a key set, sound may leave this machine; `doctor` says to where.",
    read: webAddress,
    secret: true,
  } satisfies Setting<string | null>,
  OPENAI_API_KEY: {
    fallback: null,
    expected: "a key: visible ASCII characters without spaces",
    meaning: "The key for that server. It is never printed.",
    read: headerWord,
    secret: true,
  } satisfies Setting<string | null>,
};

export interface Config {
  readonly ffmpegPath: string | null;
  /** Folders in which programs are looked for. */
  readonly searchPath: string;
  readonly tempDir: string | null;
  readonly decodeTimeoutMs: number;
  readonly concurrency: number;
  readonly vad: "silero" | "energy";
  readonly language: "zh" | "en" | "auto";
  readonly form: string;
  /** Folder of the speech weights: below the user's cache folder (XDG base directories). */
  readonly weightsDir: string;
  /** Mirror of the weights, without a slash at its end; may hold a password. */
  readonly modelsUrl: string | null;
  /** 0–1: below it a stretch of words is no evidence. */
  readonly minConfidence: number;
  /** For one piece of sound. */
  readonly asrTimeoutMs: number;
  /** Secret. */
  readonly openaiKey: string | null;
  /** Without a slash at its end; may hold a password. */
  readonly openaiBaseUrl: string | null;
  readonly openaiModel: string;
  /** NO_COLOR is set (https://no-color.org). */
  readonly noColor: boolean;
  /** Language in which findings are told to people, of the POSIX locale variables. */
  readonly locale: "zh" | "en";
  /** Names in the environment that look like ours and are not read: a slip of the pen, or of another version. `doctor` names them. */
  readonly unknown: readonly string[];
}

/**
 * Reads the settings; the only reader of the environment.
 *
 * @throws CallsiftError `config/invalid` that names every fault.
 */
export function loadConfig(env: Readonly<Record<string, string | undefined>> = process.env): Config {
  const faults: string[] = [];
  function read<T>(name: keyof typeof SETTINGS, setting: Setting<T>): T {
    const text = env[name];
    if (text === undefined || text === "") return setting.fallback;
    const value = setting.read(text);
    if (value === undefined)
      faults.push(`${name}: expected ${setting.expected}, got ${setting.secret ? "something else (not shown)" : JSON.stringify(text)}`);
    return value ?? setting.fallback;
  }
  const config: Config = Object.freeze({
    ffmpegPath: read("CALLSIFT_FFMPEG", SETTINGS.CALLSIFT_FFMPEG),
    searchPath: env.PATH ?? "",
    tempDir: read("CALLSIFT_TEMP_DIR", SETTINGS.CALLSIFT_TEMP_DIR),
    decodeTimeoutMs: read("CALLSIFT_DECODE_TIMEOUT_S", SETTINGS.CALLSIFT_DECODE_TIMEOUT_S) * 1000,
    concurrency: read("CALLSIFT_CONCURRENCY", SETTINGS.CALLSIFT_CONCURRENCY),
    vad: read("CALLSIFT_VAD", SETTINGS.CALLSIFT_VAD),
    language: read("CALLSIFT_LANGUAGE", SETTINGS.CALLSIFT_LANGUAGE),
    form: read("CALLSIFT_FORM", SETTINGS.CALLSIFT_FORM),
    weightsDir: join(cacheFolder(env), "callsift", "weights"),
    modelsUrl: read("CALLSIFT_MODELS_URL", SETTINGS.CALLSIFT_MODELS_URL),
    minConfidence: read("CALLSIFT_MIN_CONFIDENCE", SETTINGS.CALLSIFT_MIN_CONFIDENCE),
    asrTimeoutMs: read("CALLSIFT_ASR_TIMEOUT_S", SETTINGS.CALLSIFT_ASR_TIMEOUT_S) * 1000,
    openaiKey: read("OPENAI_API_KEY", SETTINGS.OPENAI_API_KEY),
    openaiBaseUrl: read("OPENAI_BASE_URL", SETTINGS.OPENAI_BASE_URL),
    openaiModel: read("CALLSIFT_OPENAI_MODEL", SETTINGS.CALLSIFT_OPENAI_MODEL),
    noColor: Boolean(env.NO_COLOR),
    locale: /^zh/i.test(env.LC_ALL || env.LC_MESSAGES || env.LANG || "") ? "zh" : "en",
    unknown: Object.keys(env).filter((name) => name.startsWith("CALLSIFT_") && !(name in SETTINGS)),
  });
  if (faults.length > 0) throw new CallsiftError("config/invalid", faults.join("; "));
  return config;
}

/** XDG base directories: a relative XDG_CACHE_HOME is to be passed over. */
function cacheFolder({ XDG_CACHE_HOME, HOME }: Readonly<Record<string, string | undefined>>): string {
  return XDG_CACHE_HOME && isAbsolute(XDG_CACHE_HOME) ? XDG_CACHE_HOME : join(HOME || homedir(), ".cache");
}
