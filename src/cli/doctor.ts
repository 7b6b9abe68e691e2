import { execFile } from "node:child_process";
import { tmpdir } from "node:os";
import { promisify } from "node:util";
import { type Config, loadConfig, SETTINGS } from "../config.ts";
import { ENGINES } from "../pipeline/asr/engines.ts";
import { findFfmpeg } from "../pipeline/audio/run.ts";
import { toCallsiftError } from "../pipeline/errors.ts";
import { openPolicies } from "../pipeline/policies.ts";
import { VERSION } from "../version.ts";
import { freeBytes, gibibytes } from "../weights/space.ts";
import type { Check } from "./check.ts";
import { checkRecognition } from "./doctor-recognition.ts";
import { checkStores } from "./doctor-stores.ts";
import { EXIT, type Terminal } from "./terminal.ts";

const MIN_FREE_BYTES = 1024 ** 3;

/** `callsift doctor`: looks at what callsift needs of this machine. Exit 0 when calls can be screened, 3 when something must be mended first. */
export async function doctorCommand(options: { readonly json?: true }, { stdout }: Terminal): Promise<number> {
  const config = loadConfig();
  const all = await Promise.all([
    checkNode(),
    checkFfmpeg(config),
    checkVad(config),
    checkRules(config),
    checkRecognition(config),
    checkStores(config),
    checkSpace(config),
    checkSettings(config),
  ]);
  const checks = all.flat();
  const engines = Object.entries(ENGINES).map(([name, { license, capabilities }]) => ({ name, license, ...capabilities }));
  const settings = Object.entries(SETTINGS).map(([name, { fallback, meaning }]) => ({ name, fallback, meaning }));
  if (options.json) stdout.write(`${JSON.stringify({ version: VERSION, checks, engines, settings })}\n`);
  else {
    const marks = { ok: "ok  ", warn: "warn", fail: "FAIL" } as const;
    stdout.write(`callsift ${VERSION}\n`);
    for (const { name, state, detail, remedy } of checks)
      stdout.write(`${marks[state]} ${name}: ${detail}${remedy ? `\n     → ${remedy}` : ""}\n`);
    stdout.write(`\nSpeech recognition (--engine): auto, ${engines.map(({ name }) => name).join(", ")}\n`);
    stdout.write("\nSettings (environment; default in brackets):\n");
    for (const { name, fallback, meaning } of settings) stdout.write(`  ${name} [${fallback ?? "–"}]\n    ${meaning}\n`);
  }
  return checks.some(({ state }) => state === "fail") ? EXIT.someFailed : EXIT.done;
}

async function checkNode(): Promise<Check> {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const recent = major > 20 || (major === 20 && minor >= 19);
  return {
    name: "Node",
    state: recent ? "ok" : "fail",
    detail: process.versions.node,
    ...(!recent && { remedy: "install Node 20.19 or later" }),
  };
}

async function checkFfmpeg(config: Config): Promise<Check> {
  const found = config.ffmpegPath ? { path: config.ffmpegPath, source: "CALLSIFT_FFMPEG" } : findFfmpeg(config.searchPath);
  const remedy = "install ffmpeg (apt install ffmpeg), or set CALLSIFT_FFMPEG; plain WAV works without";
  if (!found) return { name: "ffmpeg", state: "warn", detail: "not found", remedy };
  try {
    const { stdout } = await promisify(execFile)(found.path, ["-version"], { timeout: 10_000 });
    const version = /^ffmpeg version (\S+)/.exec(stdout)?.[1];
    if (!version) return { name: "ffmpeg", state: "fail", detail: `${found.path} is no ffmpeg`, remedy };
    return found.source === "bundled"
      ? {
          name: "ffmpeg",
          state: "warn",
          detail: `${version}, from npm`,
          remedy: "for recordings of strangers prefer the system's, which gets security updates: apt install ffmpeg",
        }
      : { name: "ffmpeg", state: "ok", detail: `${version} (${found.path})` };
  } catch (error) {
    return { name: "ffmpeg", state: "fail", detail: `${found.path} does not run: ${(error as Error).message.split("\n")[0]}`, remedy };
  }
}

async function checkVad(config: Config): Promise<Check> {
  try {
    const { VAD_ENGINES } = await import("../pipeline/vad/engines.ts");
    await using detector = await VAD_ENGINES[config.vad].open();
    return { name: "speech detector", state: "ok", detail: `${detector.name}, ${detector.sampleRate} Hz` };
  } catch (error) {
    return { name: "speech detector", state: "fail", detail: toCallsiftError(error).message, remedy: "npm ci, or CALLSIFT_VAD=energy" };
  }
}

async function checkRules(config: Config): Promise<Check> {
  try {
    const policies = await openPolicies({ ruleFiles: [], form: config.form });
    return {
      name: "rules",
      state: "ok",
      detail: `${policies.policyFor("zh").rules.length} zh, ${policies.policyFor("en").rules.length} en; form ${config.form}`,
    };
  } catch (error) {
    return { name: "rules", state: "fail", detail: toCallsiftError(error).message, remedy: "check CALLSIFT_FORM" };
  }
}

async function checkSpace(config: Config): Promise<Check> {
  const folder = config.tempDir ?? tmpdir();
  try {
    const free = await freeBytes(folder);
    const detail = `${gibibytes(free)} free in ${folder}`;
    return free < MIN_FREE_BYTES
      ? { name: "space", state: "warn", detail, remedy: "a decoded hour takes 115 MB; make room or set CALLSIFT_TEMP_DIR" }
      : { name: "space", state: "ok", detail };
  } catch (error) {
    return { name: "space", state: "fail", detail: (error as Error).message, remedy: "set CALLSIFT_TEMP_DIR to a folder that is there" };
  }
}

async function checkSettings({ unknown }: Config): Promise<Check> {
  return unknown.length > 0
    ? {
        name: "settings",
        state: "warn",
        detail: `not known: ${unknown.join(", ")}`,
        remedy: "a slip of the pen? The names are listed below",
      }
    : { name: "settings", state: "ok", detail: "no unknown names" };
}
