import { availableParallelism } from "node:os";
import { CallsiftError } from "./pipeline/errors.ts";

/** One setting: how its text is read, what holds without it, and what people are told. */
interface Setting<T> {
  readonly fallback: T;
  readonly expected: string;
  readonly meaning: string;
  /** The value, or undefined where the text is not as expected. */
  readonly read: (text: string) => T | undefined;
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
    if (value === undefined) faults.push(`${name}: expected ${setting.expected}, got ${JSON.stringify(text)}`);
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
    noColor: Boolean(env.NO_COLOR),
    locale: /^zh/i.test(env.LC_ALL || env.LC_MESSAGES || env.LANG || "") ? "zh" : "en",
    unknown: Object.keys(env).filter((name) => name.startsWith("CALLSIFT_") && !(name in SETTINGS)),
  });
  if (faults.length > 0) throw new CallsiftError("config/invalid", faults.join("; "));
  return config;
}
