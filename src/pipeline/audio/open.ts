import { createHash, type Hash } from "node:crypto";
import { extname } from "node:path";
import { CallsiftError } from "../errors.ts";
import type { AudioProblem, PcmFile, Recording } from "../types.ts";
import { findCut } from "./cut.ts";
import { type DecodeOptions, decode } from "./decode.ts";
import { checkFormat, checkLength } from "./limits.ts";
import { SAMPLE_BYTES } from "./pcm.ts";
import { PROBE_BYTES, type Probed, probe } from "./probe.ts";
import type { RawFormat } from "./raw.ts";
import { type FilePath, openRegularFile, type RegularFile } from "./regular-file.ts";
import { readWavLayout, type WavLayout } from "./wav.ts";

export { parseRawFormat, type RawFormat } from "./raw.ts";

/** A call on disk: one recording, or two one-channel ones. */
export interface RecordingSource {
  /** For people and results; need not be a path. */
  readonly name: string;
  readonly path: FilePath;
  /** The coding of a file without a header; a file that does have one is read by that. */
  readonly raw?: RawFormat | undefined;
  /** Instead of `path`: each side in a file of its own. */
  readonly legs?: { readonly agent: FilePath; readonly customer: FilePath } | undefined;
}

export type OpenOptions = DecodeOptions;

/** A recording that is ready to be listened to. Disposing of it removes what was decoded. */
export interface OpenedRecording extends AsyncDisposable {
  readonly recording: Recording;
  /** One file, or two of one channel each (agent first) where the call has legs. */
  readonly pcm: readonly PcmFile[];
  readonly problems: readonly AudioProblem[];
  /** Looking at the file and hashing it. */
  readonly probeMs: number;
  readonly transcodeMs: number;
}

/** One file of a call. */
interface OpenedFile extends AsyncDisposable {
  readonly pcm: PcmFile;
  readonly codec: string;
  readonly bytes: number;
  readonly problems: readonly AudioProblem[];
  readonly transcodeMs: number;
}

/** Missing sound shorter than this hides nothing that a rule looks for; it is noted all the same. */
const HARMLESS_MS = 500;
const HASH_BLOCK_BYTES = 512 * 1024;

/**
 * Finds out what a recording is and makes its samples readable: a WAV of plain coding as it lies there, everything else decoded
 * by ffmpeg. The content decides, not the name.
 *
 * @throws CallsiftError `audio/*`, `output/unwritable`, `aborted`
 */
export async function openRecording(source: RecordingSource, options: OpenOptions = {}): Promise<OpenedRecording> {
  const started = performance.now();
  const hash = createHash("sha256");
  const files = source.legs
    ? await openLegs(source.legs, source.raw, hash, options)
    : [await openFile(source.path, source.raw, hash, options)];
  const [first] = files as [OpenedFile];
  const transcodeMs = sum(files.map((file) => file.transcodeMs));
  const codecs = [...new Set(files.map((file) => file.codec))];
  return {
    recording: {
      name: source.name,
      sha256: hash.digest("hex"),
      bytes: sum(files.map((file) => file.bytes)),
      codec: codecs.join("+"),
      sampleRate: Math.max(...files.map(({ pcm }) => pcm.sampleRate)),
      channels: source.legs ? 2 : first.pcm.channels,
      durationMs: Math.max(...files.map(({ pcm }) => Math.round((pcm.frames * 1000) / pcm.sampleRate))),
    },
    pcm: files.map((file) => file.pcm),
    problems: files.flatMap((file, channel) => file.problems.map((problem) => (source.legs ? { ...problem, channel } : problem))),
    probeMs: Math.max(0, Math.round(performance.now() - started - transcodeMs)),
    transcodeMs: Math.round(transcodeMs),
    [Symbol.asyncDispose]: () => disposeAll(files),
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

async function disposeAll(files: readonly AsyncDisposable[]): Promise<void> {
  for (const file of files) await file[Symbol.asyncDispose]();
}

/** One after the other: the hash runs over both in this order. */
async function openLegs(
  legs: NonNullable<RecordingSource["legs"]>,
  raw: RawFormat | undefined,
  hash: Hash,
  options: OpenOptions,
): Promise<OpenedFile[]> {
  const opened: OpenedFile[] = [];
  try {
    for (const role of ["agent", "customer"] as const) {
      const file = await openFile(legs[role], raw, hash, options);
      opened.push(file);
      const { channels } = file.pcm;
      if (channels !== 1) {
        throw new CallsiftError("audio/legs-mismatch", `expected one channel in the ${role}'s file of the call, got ${channels}`);
      }
    }
    return opened;
  } catch (error) {
    await disposeAll(opened);
    throw error;
  }
}

/** How a file will be read: its own samples, or ffmpeg's; with what its header already tells. */
type Plan =
  | { readonly pcm: PcmFile; readonly problems: readonly AudioProblem[] }
  | { readonly demuxer: string; readonly problemsOf: (decodedMs: number) => readonly AudioProblem[] };

async function openFile(path: FilePath, raw: RawFormat | undefined, hash: Hash, options: OpenOptions): Promise<OpenedFile> {
  const isAborted = (): boolean => options.signal?.aborted ?? false;
  await using file = await openRegularFile(path);
  if (file.size === 0) throw new CallsiftError("audio/empty", "expected a recording, got a file of 0 bytes");
  const plan = await planFor(file, path, raw);
  if ("pcm" in plan) {
    const bytes = await hashFile(file, hash, isAborted);
    return { ...plan, codec: codecOf(plan.pcm), bytes, transcodeMs: 0, [Symbol.asyncDispose]: async () => {} };
  }
  const started = performance.now();
  let hasFailed = false;
  const hashing = hashFile(file, hash, () => hasFailed || isAborted());
  const decoding = decode(path, file.size, plan.demuxer, options).catch((error: unknown) => {
    hasFailed = true;
    throw error;
  });
  // Both end before the handle is closed and anything is thrown.
  const [decoded, hashed] = await Promise.allSettled([decoding, hashing]);
  if (decoded.status === "rejected") throw decoded.reason;
  if (hashed.status === "rejected") {
    await decoded.value[Symbol.asyncDispose]();
    throw hashed.reason;
  }
  const { pcm } = decoded.value;
  // What the file itself says is missing is the better figure.
  const own = plan.problemsOf((pcm.frames * 1000) / pcm.sampleRate);
  const problems = own.length > 0 ? own : decoded.value.problems;
  return { ...decoded.value, bytes: hashed.value, problems, transcodeMs: performance.now() - started };
}

async function planFor(file: RegularFile, path: FilePath, raw: RawFormat | undefined): Promise<Plan> {
  const head = await file.readAt(0, PROBE_BYTES);
  const found = probe(head, extensionOf(path));
  if (raw && !hasOwnHeader(found)) return { pcm: rawPcm(path, file.size, raw), problems: [] };
  switch (found.kind) {
    case "wav": {
      const readAt = readAheadOf(head, file);
      const layout = await readWavLayout(readAt, file.size);
      if (layout.dataBytes === 0) throw new CallsiftError("audio/empty", "expected sound, got a data chunk of 0 bytes");
      if (layout.encoding === null) return { demuxer: "wav", problemsOf: (decodedMs) => wavProblems(layout, decodedMs) };
      const pcm = wavPcm(path, layout, layout.encoding);
      return { pcm, problems: wavProblems(layout, (pcm.frames * 1000) / pcm.sampleRate) };
    }
    case "media": {
      const cut = await findCut(found.demuxer, head, file.readAt, file.size);
      const problems = cut ? [truncated(cut.detail, cut.isCertain)] : [];
      return { demuxer: found.demuxer, problemsOf: () => problems };
    }
    case "refused":
      throw new CallsiftError("audio/refused", `expected a recording, got ${found.what}, which points at other files or hosts`);
    case "unsupported":
      throw new CallsiftError("audio/unsupported", `${found.what} cannot be decoded here; convert it to WAV first`);
    case "foreign":
      throw new CallsiftError("audio/unreadable", `expected a recording, got ${found.what}`);
    case "unknown":
      throw new CallsiftError(
        "audio/unreadable",
        "expected a recording, got bytes of no known format; if it is sound without a header, say how it is coded (mulaw:8000:1)",
      );
  }
}

function hasOwnHeader(found: Probed): boolean {
  return found.kind === "wav" || found.kind === "refused" || found.kind === "unsupported" || (found.kind === "media" && found.sure);
}

/** Headers are read in many small steps; nearly all of them lie in what has been read already. */
function readAheadOf(head: Buffer, file: RegularFile): RegularFile["readAt"] {
  return async (position, length) =>
    position + length <= head.length ? head.subarray(position, position + length) : await file.readAt(position, length);
}

/** Without the dot; names that are not UTF-8 keep their ASCII ending. */
function extensionOf(path: FilePath): string {
  return extname(typeof path === "string" ? path : path.toString("latin1")).slice(1);
}

function rawPcm(path: FilePath, bytes: number, raw: RawFormat): PcmFile {
  const frames = Math.floor(bytes / (SAMPLE_BYTES[raw.encoding] * raw.channels));
  checkFormat(raw);
  checkLength(frames, raw.sampleRate);
  return { path, bigEndian: false, dataOffset: 0, frames, ...raw };
}

function wavPcm(path: FilePath, layout: WavLayout, encoding: PcmFile["encoding"]): PcmFile {
  const { bigEndian, sampleRate, channels, dataOffset, dataBytes } = layout;
  const frames = Math.floor(dataBytes / (SAMPLE_BYTES[encoding] * channels));
  checkLength(frames, sampleRate);
  return { path, encoding, bigEndian, sampleRate, channels, dataOffset, frames };
}

function truncated(detail: string, unfit: boolean): AudioProblem {
  return { code: "truncated", channel: null, detail, unfit };
}

function wavProblems(layout: WavLayout, presentMs: number): AudioProblem[] {
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
  if (layout.unfinished) return [truncated(`the recorder never completed the header, ${seconds(presentMs)} of sound are there`, false)];
  if (layout.missingBytes === 0) return [];
  const missingMs = (presentMs * layout.missingBytes) / layout.dataBytes;
  const detail = `the header promises ${seconds(presentMs + missingMs)}, ${seconds(presentMs)} are there (${layout.missingBytes} bytes missing)`;
  return [truncated(detail, missingMs > HARMLESS_MS)];
}

/** ffmpeg's name. */
function codecOf({ encoding, bigEndian }: PcmFile): string {
  return encoding === "mulaw" || encoding === "alaw" || encoding === "u8" ? `pcm_${encoding}` : `pcm_${encoding}${bigEndian ? "be" : "le"}`;
}

/** Adds the whole file to the hash, block by block; returns its bytes. */
async function hashFile(file: RegularFile, hash: Hash, isStopped: () => boolean): Promise<number> {
  const block = Buffer.allocUnsafe(Math.min(HASH_BLOCK_BYTES, file.size));
  for (let position = 0; ; ) {
    if (isStopped()) throw new CallsiftError("aborted", "stopped on request");
    const { bytesRead } = await file.handle.read(block, 0, block.length, position);
    if (bytesRead === 0) return position;
    hash.update(block.subarray(0, bytesRead));
    position += bytesRead;
  }
}
