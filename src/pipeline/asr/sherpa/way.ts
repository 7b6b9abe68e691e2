import { readFileSync, statSync } from "node:fs";
import { rename, rm, stat, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { CallsiftError } from "../../errors.ts";
import { planCtc } from "./ctc-plan.ts";
import { FAMILIES } from "./families.ts";
import { inspectSherpa, type SherpaWeights } from "./inspect.ts";
import { type Processor, readProcessor } from "./processor.ts";
import { runTrial } from "./self-test.ts";
import { hashFile, planSigned, writeEdited } from "./signed.ts";
import type { TrialReport } from "./trial.ts";

/** How weights are used on this machine, and why not in the faster ways. */
export interface Way {
  /** Of the published file, hex. */
  readonly sha256: string;
  /** The file to load: re-encoded or as published. */
  readonly modelPath: string;
  /** null where the re-encoded weights are used. */
  readonly notSigned: string | null;
  /** Decoded by ourselves (`ctc`), with confidence and in the language asked for, or by sherpa-onnx. */
  readonly by: "ctc" | "sherpa";
  /** Why by sherpa-onnx; null where by ourselves. */
  readonly notOwn: string | null;
}

/** What doctor says of a folder's signed weights, from what was found when they were last opened or verified. */
export interface SignedStatus {
  readonly state: "used" | "not-used" | "not-tried";
  readonly reason: string;
}

/** Raised whenever re-encoding, the trial or what is remembered of it changes. */
const VERSION = 1;

/** A file that has not changed since it was looked at. */
interface Seen {
  readonly bytes: number;
  readonly modifiedMs: number;
}

/** What is remembered beside the weights. */
interface Remembered extends Pick<Way, "sha256" | "notSigned" | "by" | "notOwn"> {
  readonly version: number;
  /** Processor and libraries: elsewhere the trial is made again. */
  readonly on: string;
  readonly original: Seen;
  readonly signed: Seen | null;
}

export interface WayOptions {
  readonly signal?: AbortSignal | undefined;
  readonly processor?: Processor;
  /** Makes the trial again, whatever is remembered. */
  readonly again?: boolean;
}

/**
 * Finds the fastest way to decode these weights that gives the tokens of sherpa-onnx and the published file: re-encodes them where the processor gains by it, tries both in a
 * child process on spoken lines, and remembers the outcome beside the weights.
 *
 * @throws CallsiftError `weights/foreign` where sherpa-onnx cannot use them, `aborted`
 */
export async function chooseWay(
  weights: SherpaWeights,
  { signal, processor = readProcessor(), again = false }: WayOptions = {},
): Promise<Way> {
  const on = placeOf(processor);
  const remembered = again ? null : recall(weights);
  if (remembered?.on === on && isUnchanged(remembered, weights))
    return { ...plain(remembered), modelPath: modelPathOf(remembered, weights) };
  if (signal?.aborted) throw new CallsiftError("aborted", "stopped on request before weights were tried");
  const sha256 = await hashFile(weights.modelPath);
  const signed = await makeSigned(weights, sha256, processor, signal);
  const report = await tryBoth(weights, "path" in signed ? signed.path : null, signal);
  const notSigned = "path" in signed ? report.signed : signed.reason;
  const way: Way = {
    sha256,
    modelPath: notSigned === null && "path" in signed ? signed.path : weights.modelPath,
    notSigned,
    by: report.own === null ? "ctc" : "sherpa",
    notOwn: report.own,
  };
  if (notSigned !== null && "path" in signed) await rm(signed.path, { force: true });
  await remember(weights, way, on);
  return way;
}

/** Whether the faster, signed weights are used in a folder; quick, nothing is loaded or tried. */
export function signedStatus(folder: string, processor: Processor = readProcessor()): SignedStatus {
  const weights = inspectSherpa(folder);
  const remembered = recall(weights);
  if (remembered?.on === placeOf(processor) && isUnchanged(remembered, weights)) {
    const { notSigned } = remembered;
    const gain = `this processor has ${processor.instructions.join(", ")}, and the tokens are the same`;
    return notSigned === null ? { state: "used", reason: gain } : { state: "not-used", reason: notSigned };
  }
  const why = whyNot(weights, processor);
  return why === null
    ? { state: "not-tried", reason: "the weights were not opened or verified on this machine yet" }
    : { state: "not-used", reason: why };
}

function whyNot(weights: SherpaWeights, { name, instructions }: Processor): string | null {
  if (instructions.length === 0) return `this processor (${name}) has neither VNNI nor AMX`;
  return planSigned(weights.onnx).length === 0 ? "the weights hold no unsigned 8-bit matrices" : null;
}

async function makeSigned(
  weights: SherpaWeights,
  sha256: string,
  processor: Processor,
  signal: AbortSignal | undefined,
): Promise<{ readonly path: string } | { readonly reason: string }> {
  const reason = whyNot(weights, processor);
  if (reason !== null) return { reason };
  const path = join(weights.folder, signedName(sha256));
  try {
    await writeEdited(weights.modelPath, path, planSigned(weights.onnx), signal);
    return { path };
  } catch (error) {
    if (signal?.aborted) throw new CallsiftError("aborted", "stopped on request while weights were re-encoded", { cause: error });
    return {
      reason: `the signed weights could not be written: ${error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? error.message) : error}`,
    };
  }
}

async function tryBoth(weights: SherpaWeights, signedPath: string | null, signal: AbortSignal | undefined): Promise<TrialReport> {
  const { config, label } = FAMILIES[weights.family];
  const plan = planCtc(weights);
  const { tokensPath, tokens, modelPath } = weights;
  const published = { original: config(modelPath), tokensPath, signed: null, own: null };
  const ownOf = (path: string) => (plan ? { modelPath: path, plan, symbols: tokens.symbols } : null);
  const told = (report: TrialReport): TrialReport => (plan ? report : { ...report, own: `${label} is decoded by sherpa-onnx only` });
  if (signedPath !== null) {
    try {
      const report = await runTrial({ ...published, signed: config(signedPath), own: ownOf(signedPath) }, { signal });
      if (report.signed === null) return told(report);
      return told({ ...(await runTrial({ ...published, own: ownOf(modelPath) }, { signal })), signed: report.signed });
    } catch (error) {
      if (signal?.aborted || !(error instanceof CallsiftError)) throw error;
      // The published weights may be sound all the same, and the machine large enough for them alone.
      return { ...(await runTrial(published, { signal })), signed: error.message, own: error.message };
    }
  }
  return told(await runTrial({ ...published, own: ownOf(modelPath) }, { signal }));
}

function signedName(sha256: string): string {
  return `signed-${sha256.slice(0, 16)}.onnx`;
}

function memoryPath({ folder }: SherpaWeights): string {
  return join(folder, "callsift-way.json");
}

function placeOf({ name, instructions }: Processor): string {
  const require = createRequire(import.meta.url);
  const versionOf = (library: string): string => (require(`${library}/package.json`) as { version: string }).version;
  return `${name} ${instructions.join(" ")} sherpa-onnx-node ${versionOf("sherpa-onnx-node")} onnxruntime-node ${versionOf("onnxruntime-node")}`;
}

function recall(weights: SherpaWeights): Remembered | null {
  try {
    const remembered = JSON.parse(readFileSync(memoryPath(weights), "utf8")) as Partial<Remembered>;
    return remembered.version === VERSION && typeof remembered.sha256 === "string" && /^[\da-f]{64}$/u.test(remembered.sha256)
      ? (remembered as Remembered)
      : null;
  } catch {
    return null;
  }
}

function plain({ sha256, notSigned, by, notOwn }: Remembered): Omit<Way, "modelPath"> {
  return { sha256, notSigned, by, notOwn };
}

function modelPathOf({ notSigned, sha256 }: Remembered, weights: SherpaWeights): string {
  return notSigned === null ? join(weights.folder, signedName(sha256)) : weights.modelPath;
}

function isUnchanged(remembered: Remembered, weights: SherpaWeights): boolean {
  if (!isSame(remembered.original, weights.modelPath)) return false;
  if (remembered.notSigned !== null) return true;
  return remembered.signed !== null && isSame(remembered.signed, modelPathOf(remembered, weights));
}

function isSame({ bytes, modifiedMs }: Seen, path: string): boolean {
  const now = statSync(path, { throwIfNoEntry: false });
  return now !== undefined && now.size === bytes && now.mtimeMs === modifiedMs;
}

async function remember(weights: SherpaWeights, way: Way, on: string): Promise<void> {
  const seen = async (path: string): Promise<Seen> => {
    const { size, mtimeMs } = await stat(path);
    return { bytes: size, modifiedMs: mtimeMs };
  };
  const { sha256, notSigned, by, notOwn, modelPath } = way;
  const memory: Remembered = {
    version: VERSION,
    on,
    sha256,
    notSigned,
    by,
    notOwn,
    original: await seen(weights.modelPath),
    signed: notSigned === null ? await seen(modelPath) : null,
  };
  const path = memoryPath(weights);
  const partial = `${path}.${process.pid}.partial`;
  try {
    await writeFile(partial, `${JSON.stringify(memory, null, 1)}\n`);
    await rename(partial, path);
  } catch {
    // A folder that cannot be written: the trial is made again next time.
    await rm(partial, { force: true }).catch(() => {});
  }
}
