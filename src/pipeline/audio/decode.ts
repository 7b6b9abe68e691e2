import { stat, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CallsiftError } from "../errors.ts";
import type { AudioProblem, PcmFile } from "../types.ts";
import { createReportReader, type DecodeReport, decodeArguments, INPUT_NAME, OUTPUT_NAME } from "./ffmpeg.ts";
import { checkFormat, checkLength, MAX_SECONDS } from "./limits.ts";
import { type FilePath, openRegularFile } from "./regular-file.ts";
import { findFfmpeg, runFfmpeg } from "./run.ts";
import { createScratch, type Scratch } from "./scratch.ts";
import { readWavLayout } from "./wav.ts";

export interface DecodeOptions {
  readonly signal?: AbortSignal | undefined;
  /** The program to use; without it the first in `searchPath`, else the bundled one. */
  readonly ffmpegPath?: string | undefined;
  /** Folders as in PATH; default the usual ones. */
  readonly searchPath?: string | undefined;
  /** Default 600,000 (ten minutes decode 24 h of mp3 on a slow machine). */
  readonly timeoutMs?: number | undefined;
  /** Default 8 GiB, and never more than nine tenths of the free disk. */
  readonly maxDecodedBytes?: number | undefined;
  /** Where temporary folders are made; without it in memory or on disk, as fits. */
  readonly tempRoot?: string | undefined;
}

/** A recording as ffmpeg decoded it: one 16-bit WAV in a folder of its own, gone once disposed of. */
export interface Decoded extends AsyncDisposable {
  readonly pcm: PcmFile;
  /** ffmpeg's name. */
  readonly codec: string;
  readonly problems: readonly AudioProblem[];
}

const USUAL_FOLDERS = "/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin:/snap/bin";
const DEFAULT_TIMEOUT_MS = 600_000;
const DEFAULT_MAX_DECODED_BYTES = 8 * 1024 ** 3;
/** Telephone and web codings take 4 to 30 times less than 16-bit samples. */
const EXPECTED_GROWTH = 32;
/** Beyond this a file is made to fill the disk: near-silence in Opus reaches 1,500. */
const MAX_GROWTH = 2_000;
const SMALLEST_MAX_BYTES = 1024 ** 3;
/** Containers round their length; only what is shorter by more than both is called cut. */
const SHORT_MS = 500;
const SHORT_SHARE = 0.02;

/** Absolute, so that a link in another folder can point at it; bytes are joined as bytes. */
function absolute(path: FilePath): Buffer {
  const bytes = typeof path === "string" ? Buffer.from(path) : path;
  return bytes[0] === 0x2f ? bytes : Buffer.concat([Buffer.from(`${process.cwd()}/`), bytes]);
}

function pickFfmpeg({ ffmpegPath, searchPath }: DecodeOptions): string {
  const found = ffmpegPath ?? findFfmpeg(searchPath ?? USUAL_FOLDERS)?.path;
  if (!found) throw new CallsiftError("audio/no-decoder", "expected an ffmpeg program on this machine, found none");
  return found;
}

function failure(report: DecodeReport): CallsiftError {
  const said = report.complaint ? `: ${report.complaint}` : "";
  if (report.hasNoAudio) return new CallsiftError("audio/no-sound", "expected an audio stream, the file has none");
  if (report.isDiskFull) return new CallsiftError("output/unwritable", "the disk for temporary files is full");
  if (report.hasNoDecoder) return new CallsiftError("audio/unsupported", `ffmpeg cannot decode this coding${said}`);
  return new CallsiftError("audio/unreadable", `ffmpeg cannot decode the file${said}`);
}

function truncation(report: DecodeReport, decodedMs: number): AudioProblem | null {
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
  const promisedMs = report.promisedMs ?? 0;
  const missingMs = promisedMs - decodedMs;
  const isShort = missingMs > SHORT_MS && missingMs > SHORT_SHARE * promisedMs;
  if (isShort) {
    const detail = `the file promises ${seconds(promisedMs)}, ${seconds(decodedMs)} could be decoded`;
    return { code: "truncated", channel: null, detail, unfit: true };
  }
  if (!report.isPartial) return null;
  return { code: "truncated", channel: null, detail: `the file ends early, ${seconds(decodedMs)} could be decoded`, unfit: true };
}

async function decodeIn(scratch: Scratch, path: FilePath, bytes: number, demuxer: string, options: DecodeOptions) {
  await symlink(absolute(path), join(scratch.folder, INPUT_NAME));
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const maxBytes = Math.floor(
    Math.min(
      options.maxDecodedBytes ?? DEFAULT_MAX_DECODED_BYTES,
      Math.max(SMALLEST_MAX_BYTES, MAX_GROWTH * bytes),
      0.9 * scratch.freeBytes,
    ),
  );
  const reader = createReportReader();
  const limits = { maxSeconds: MAX_SECONDS + 1, maxBytes, maxCpuSeconds: Math.ceil(timeoutMs / 1000) + 1 };
  const exitCode = await runFfmpeg({
    ffmpegPath: pickFfmpeg(options),
    folder: scratch.folder,
    args: decodeArguments(demuxer, limits),
    timeoutMs,
    signal: options.signal,
    onLine: reader.line,
  });
  // What a shell and `nice` answer for a program that is not there or cannot be run.
  if (exitCode === 126 || exitCode === 127) {
    throw new CallsiftError("audio/no-decoder", `expected an ffmpeg program, but it does not start: ${reader.report().complaint}`);
  }
  return { exitCode, report: reader.report(), maxBytes };
}

async function decodeOnce(scratch: Scratch, path: FilePath, bytes: number, demuxer: string, options: DecodeOptions) {
  const { exitCode, report, maxBytes } = await decodeIn(scratch, path, bytes, demuxer, options);
  if (exitCode !== 0) throw failure(report);
  const output = join(scratch.folder, OUTPUT_NAME);
  const written = await stat(output).catch(() => null);
  if (!written) throw failure(report);
  if (report.isDiskFull) throw failure(report);
  if (written.size >= maxBytes) {
    throw new CallsiftError("audio/too-large", `expected at most ${maxBytes} bytes of decoded sound, got more`);
  }
  await using file = await openRegularFile(output);
  const layout = await readWavLayout(file.readAt, file.size);
  checkFormat(layout);
  const frames = Math.floor(layout.dataBytes / (2 * layout.channels));
  if (frames === 0 && report.complaint) throw failure(report);
  checkLength(frames, layout.sampleRate);
  const { sampleRate, channels, dataOffset } = layout;
  const pcm: PcmFile = { path: output, encoding: "s16", bigEndian: false, sampleRate, channels, dataOffset, frames };
  const problem = truncation(report, (frames * 1000) / sampleRate);
  return { pcm, codec: report.codec ?? demuxer, problems: problem ? [problem] : [] };
}

/**
 * Decodes a recording with one ffmpeg, all channels at the native rate.
 *
 * @param bytes size of the file
 * @param demuxer ffmpeg's name of the container, as `probe` found it
 * @throws CallsiftError `audio/*`, `output/unwritable`, `aborted`
 */
export async function decode(path: FilePath, bytes: number, demuxer: string, options: DecodeOptions): Promise<Decoded> {
  const attempt = async (root: string | undefined): Promise<Decoded> => {
    const scratch = await createScratch(EXPECTED_GROWTH * bytes, root);
    try {
      const decoded = await decodeOnce(scratch, path, bytes, demuxer, options);
      return { ...decoded, [Symbol.asyncDispose]: () => scratch[Symbol.asyncDispose]() };
    } catch (error) {
      await scratch[Symbol.asyncDispose]();
      throw error;
    }
  };
  try {
    return await attempt(options.tempRoot);
  } catch (error) {
    // Memory may have filled up under other calls; the disk may still have room.
    const isFull = error instanceof CallsiftError && error.code === "output/unwritable";
    if (!isFull || options.tempRoot !== undefined) throw error;
    return await attempt(tmpdir());
  }
}
