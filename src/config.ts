import { availableParallelism, homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { CallsiftError } from "./pipeline/errors.ts";

const MEGABYTE = 1024 * 1024;

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
const yesOrNo = (text: string) => (/^(yes|true|1)$/i.test(text) ? true : /^(no|false|0)$/i.test(text) ? false : undefined);
const mongoAddress = (text: string) => (/^mongodb(\+srv)?:\/\/[^\s/]/.test(text) ? text : undefined);
const redisAddress = (text: string) => (/^rediss?:\/\/[^\s]/.test(text) && URL.canParse(text) ? text : undefined);
/** Names, or a name with `*.` before it for all below it. */
const hostList = (text: string) => {
  const hosts = text.split(",").map((host) => host.trim().toLowerCase());
  return hosts.every((host) => /^(\*\.)?[a-z0-9]([a-z0-9.:-]*[a-z0-9])?$/.test(host)) ? hosts : undefined;
};
const timeZone = (text: string) => {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: text }).resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
};

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
  MONGODB_URI: {
    fallback: null,
    expected: "an address like mongodb://host:27017/callsift",
    meaning:
      "The MongoDB server that keeps everything. Unset: a local database that callsift starts itself, its files below the data folder.",
    read: mongoAddress,
    secret: true,
  } satisfies Setting<string | null>,
  REDIS_URL: {
    fallback: null,
    expected: "an address like redis://host:6379/0",
    meaning: "The Redis server that orders the work of several machines. Unset: work is scheduled in this process.",
    read: redisAddress,
    secret: true,
  } satisfies Setting<string | null>,
  CALLSIFT_DATA: {
    fallback: "data",
    expected: "a path",
    meaning: "The data folder where `--data` is not given: recordings, and the local database.",
    read: anyText,
  } satisfies Setting<string>,
  CALLSIFT_MONGOD: {
    fallback: null,
    expected: "a path",
    meaning:
      "The database program that callsift starts where MONGODB_URI is unset. Unset: the first that is found (`callsift doctor` says which).",
    read: anyText,
  } satisfies Setting<string | null>,
  CALLSIFT_DATABASE_CACHE_MB: {
    fallback: 256,
    expected: "whole megabytes from 64 to 1048576",
    meaning: "Memory that the local database keeps its pages in, in megabytes.",
    read: wholeNumber(64, 1_048_576),
  } satisfies Setting<number>,
  CALLSIFT_HOST: {
    fallback: "127.0.0.1",
    expected: "an address or a name",
    meaning: "Where the service listens, unless `--host` says otherwise.",
    read: headerWord,
  } satisfies Setting<string>,
  CALLSIFT_PORT: {
    fallback: 8080,
    expected: "a port from 0 to 65535 (0: any that is free)",
    meaning: "Port of the service, unless `--port` says otherwise.",
    read: wholeNumber(0, 65_535),
  } satisfies Setting<number>,
  CALLSIFT_PUBLIC_URL: {
    fallback: null,
    expected: "an http or https address",
    meaning: "The address that people's browsers use, where a proxy stands before the service. With https, cookies are sent over TLS only.",
    read: webAddress,
  } satisfies Setting<string | null>,
  CALLSIFT_TRUST_PROXY: {
    fallback: false,
    expected: "yes or no",
    meaning: "Whether a proxy stands before the service whose word on the client's address is taken (X-Forwarded-For).",
    read: yesOrNo,
  } satisfies Setting<boolean>,
  CALLSIFT_ADMIN_PASSWORD: {
    fallback: null,
    expected: "a password of at least 8 characters",
    meaning: "Password of the user `admin` who is made at the first start. Unset: a random one, shown once on the terminal.",
    read: (text) => (text.length >= 8 ? text : undefined),
    secret: true,
  } satisfies Setting<string | null>,
  CALLSIFT_SESSION_HOURS: {
    fallback: 12,
    expected: "whole hours from 1 to 720",
    meaning: "How long a sign-in lasts.",
    read: wholeNumber(1, 720),
  } satisfies Setting<number>,
  CALLSIFT_METRICS_TOKEN: {
    fallback: null,
    expected: "visible ASCII characters without spaces",
    meaning: "Who presents it as a bearer token may read /metrics from anywhere. Unset: only from loopback and private addresses.",
    read: headerWord,
    secret: true,
  } satisfies Setting<string | null>,
  CALLSIFT_METRICS_PORT: {
    fallback: null,
    expected: "a port from 1 to 65535",
    meaning: "Port on which a process of `callsift worker` shows /metrics and /healthz. Unset: none.",
    read: wholeNumber(1, 65_535),
  } satisfies Setting<number | null>,
  CALLSIFT_LOG_LEVEL: {
    fallback: "info",
    expected: "debug, info, warn, error or silent",
    meaning: "How much the service logs (JSON lines on standard error, never words or numbers of calls).",
    read: oneOf("debug", "info", "warn", "error", "silent"),
  } satisfies Setting<"debug" | "info" | "warn" | "error" | "silent">,
  CALLSIFT_TIME_ZONE: {
    fallback: Intl.DateTimeFormat().resolvedOptions().timeZone,
    expected: "a time zone like Asia/Shanghai",
    meaning: "Where a day of the coverage ledger begins, and what times without a zone mean. Unset: the machine's.",
    read: timeZone,
  } satisfies Setting<string>,
  CALLSIFT_MAX_UPLOAD_MB: {
    fallback: 512,
    expected: "whole megabytes from 1 to 65536",
    meaning: "Largest recording that is accepted, in megabytes.",
    read: wholeNumber(1, 65_536),
  } satisfies Setting<number>,
  CALLSIFT_MIN_FREE_MB: {
    fallback: 1024,
    expected: "whole megabytes from 0 to 1048576",
    meaning: "With less room than this in the data folder no recording is accepted and no call is begun, in megabytes.",
    read: wholeNumber(0, 1_048_576),
  } satisfies Setting<number>,
  CALLSIFT_ALLOWED_HOSTS: {
    fallback: [],
    expected: "host names with commas between, e.g. rec.example.com,*.store.example.com",
    meaning: "Hosts that recordings may be fetched from (`POST /api/calls` with a url). Unset: none.",
    read: hostList,
  } satisfies Setting<readonly string[]>,
  CALLSIFT_PRIVATE_ADDRESSES: {
    fallback: false,
    expected: "yes or no",
    meaning: "Whether allowed hosts and webhooks may be at private or loopback addresses.",
    read: yesOrNo,
  } satisfies Setting<boolean>,
  CALLSIFT_WATCH: {
    fallback: null,
    expected: "a path",
    meaning: "A folder that workers watch: each recording that appears in it, or below it, becomes a call once it is whole.",
    read: anyText,
  } satisfies Setting<string | null>,
  CALLSIFT_WATCH_DONE: {
    fallback: null,
    expected: "a path",
    meaning: "Where recordings of the watched folder are moved once they are stored. Unset: they stay where they are.",
    read: anyText,
  } satisfies Setting<string | null>,
  CALLSIFT_NAME_PATTERN: {
    fallback: null,
    expected: "a pattern like {startedAt:yyyyMMddHHmmss}_{agentId}_{customerNumber}.wav",
    meaning: "What the names of recordings say (`callsift import --preview` shows what it would read).",
    read: anyText,
  } satisfies Setting<string | null>,
  CALLSIFT_S3_URL: {
    fallback: null,
    expected: "an http or https address",
    meaning: "S3-compatible storage that recordings are kept in, instead of the data folder.",
    read: webAddress,
  } satisfies Setting<string | null>,
  CALLSIFT_S3_BUCKET: {
    fallback: "callsift",
    expected: "the name of a bucket",
    meaning: "The bucket there.",
    read: headerWord,
  } satisfies Setting<string>,
  CALLSIFT_S3_REGION: {
    fallback: "us-east-1",
    expected: "the name of a region",
    meaning: "Its region.",
    read: headerWord,
  } satisfies Setting<string>,
  CALLSIFT_S3_KEY: {
    fallback: null,
    expected: "visible ASCII characters without spaces",
    meaning: "Access key of the storage.",
    read: headerWord,
    secret: true,
  } satisfies Setting<string | null>,
  CALLSIFT_S3_SECRET: {
    fallback: null,
    expected: "visible ASCII characters without spaces",
    meaning: "Its secret key.",
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
  /** May hold a password. */
  readonly mongodbUri: string | null;
  /** May hold a password. */
  readonly redisUrl: string | null;
  readonly dataDir: string;
  /** callsift's part of the user's cache folder: weights and programs that were fetched. */
  readonly cacheDir: string;
  readonly mongodPath: string | null;
  readonly databaseCacheMegabytes: number;
  readonly host: string;
  readonly port: number;
  /** Without a slash at its end. */
  readonly publicUrl: string | null;
  readonly trustProxy: boolean;
  /** Secret. */
  readonly adminPassword: string | null;
  readonly sessionMs: number;
  /** Secret. */
  readonly metricsToken: string | null;
  readonly metricsPort: number | null;
  readonly logLevel: "debug" | "info" | "warn" | "error" | "silent";
  /** IANA name. */
  readonly timeZone: string;
  readonly maxUploadBytes: number;
  readonly minFreeBytes: number;
  /** Lower case; `*.example.com` for all below it. */
  readonly allowedHosts: readonly string[];
  readonly privateAddresses: boolean;
  readonly watch: { readonly folder: string; readonly doneFolder: string | null } | null;
  readonly namePattern: string | null;
  readonly s3: {
    readonly url: string;
    readonly bucket: string;
    readonly region: string;
    /** Secrets; null: as the environment of the machine says (roles, profiles). */
    readonly credentials: { readonly key: string; readonly secret: string } | null;
  } | null;
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
  function readS3(): Config["s3"] {
    const url = read("CALLSIFT_S3_URL", SETTINGS.CALLSIFT_S3_URL);
    const key = read("CALLSIFT_S3_KEY", SETTINGS.CALLSIFT_S3_KEY);
    const secret = read("CALLSIFT_S3_SECRET", SETTINGS.CALLSIFT_S3_SECRET);
    const bucket = read("CALLSIFT_S3_BUCKET", SETTINGS.CALLSIFT_S3_BUCKET);
    const region = read("CALLSIFT_S3_REGION", SETTINGS.CALLSIFT_S3_REGION);
    if ((key === null) !== (secret === null)) faults.push("CALLSIFT_S3_KEY, CALLSIFT_S3_SECRET: expected both or neither");
    return url === null ? null : { url, bucket, region, credentials: key !== null && secret !== null ? { key, secret } : null };
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
    mongodbUri: read("MONGODB_URI", SETTINGS.MONGODB_URI),
    redisUrl: read("REDIS_URL", SETTINGS.REDIS_URL),
    dataDir: read("CALLSIFT_DATA", SETTINGS.CALLSIFT_DATA),
    cacheDir: join(cacheFolder(env), "callsift"),
    mongodPath: read("CALLSIFT_MONGOD", SETTINGS.CALLSIFT_MONGOD),
    databaseCacheMegabytes: read("CALLSIFT_DATABASE_CACHE_MB", SETTINGS.CALLSIFT_DATABASE_CACHE_MB),
    host: read("CALLSIFT_HOST", SETTINGS.CALLSIFT_HOST),
    port: read("CALLSIFT_PORT", SETTINGS.CALLSIFT_PORT),
    publicUrl: read("CALLSIFT_PUBLIC_URL", SETTINGS.CALLSIFT_PUBLIC_URL),
    trustProxy: read("CALLSIFT_TRUST_PROXY", SETTINGS.CALLSIFT_TRUST_PROXY),
    adminPassword: read("CALLSIFT_ADMIN_PASSWORD", SETTINGS.CALLSIFT_ADMIN_PASSWORD),
    sessionMs: read("CALLSIFT_SESSION_HOURS", SETTINGS.CALLSIFT_SESSION_HOURS) * 3_600_000,
    metricsToken: read("CALLSIFT_METRICS_TOKEN", SETTINGS.CALLSIFT_METRICS_TOKEN),
    metricsPort: read("CALLSIFT_METRICS_PORT", SETTINGS.CALLSIFT_METRICS_PORT),
    logLevel: read("CALLSIFT_LOG_LEVEL", SETTINGS.CALLSIFT_LOG_LEVEL),
    timeZone: read("CALLSIFT_TIME_ZONE", SETTINGS.CALLSIFT_TIME_ZONE),
    maxUploadBytes: read("CALLSIFT_MAX_UPLOAD_MB", SETTINGS.CALLSIFT_MAX_UPLOAD_MB) * MEGABYTE,
    minFreeBytes: read("CALLSIFT_MIN_FREE_MB", SETTINGS.CALLSIFT_MIN_FREE_MB) * MEGABYTE,
    allowedHosts: read("CALLSIFT_ALLOWED_HOSTS", SETTINGS.CALLSIFT_ALLOWED_HOSTS),
    privateAddresses: read("CALLSIFT_PRIVATE_ADDRESSES", SETTINGS.CALLSIFT_PRIVATE_ADDRESSES),
    watch: watchOf(read("CALLSIFT_WATCH", SETTINGS.CALLSIFT_WATCH), read("CALLSIFT_WATCH_DONE", SETTINGS.CALLSIFT_WATCH_DONE)),
    namePattern: read("CALLSIFT_NAME_PATTERN", SETTINGS.CALLSIFT_NAME_PATTERN),
    s3: readS3(),
    noColor: Boolean(env.NO_COLOR),
    locale: /^zh/i.test(env.LC_ALL || env.LC_MESSAGES || env.LANG || "") ? "zh" : "en",
    unknown: Object.keys(env).filter((name) => name.startsWith("CALLSIFT_") && !(name in SETTINGS)),
  });
  if (faults.length > 0) throw new CallsiftError("config/invalid", faults.join("; "));
  return config;
}

function watchOf(folder: string | null, doneFolder: string | null): Config["watch"] {
  return folder === null ? null : { folder, doneFolder };
}

/** XDG base directories: a relative XDG_CACHE_HOME is to be passed over. */
function cacheFolder({ XDG_CACHE_HOME, HOME }: Readonly<Record<string, string | undefined>>): string {
  return XDG_CACHE_HOME && isAbsolute(XDG_CACHE_HOME) ? XDG_CACHE_HOME : join(HOME || homedir(), ".cache");
}
