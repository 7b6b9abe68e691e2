import { DEMUXERS } from "./probe.ts";

/** What ffmpeg may spend on one recording. */
export interface DecodeLimits {
  /** Seconds of sound. */
  readonly maxSeconds: number;
  /** Bytes of decoded sound. */
  readonly maxBytes: number;
  /** Seconds of processor time: the end of an ffmpeg whose parent was killed. */
  readonly maxCpuSeconds: number;
}

/** The file names that ffmpeg sees, relative to its own folder: nothing of the recording's name reaches a command line. */
export const INPUT_NAME = "recording";
export const OUTPUT_NAME = "decoded.wav";

/** One allocation of more than this is an attack; the index of a 24 h MP4 takes some tens of MB. */
const MAX_ALLOCATION_BYTES = 256 * 1024 * 1024;

/**
 * The arguments of the one run that decodes a recording: first audio stream, all channels, native rate, to 16-bit WAV (RF64
 * where it grows past 4 GB). The file may be hostile: one named demuxer, no protocol but local files, no second input.
 *
 * Gaps in the time stamps (a dropped network packet) are filled with silence, so that sample n is at time n / rate.
 */
export function decodeArguments(demuxer: string, limits: DecodeLimits): string[] {
  return [
    ...["-hide_banner", "-nostdin", "-nostats", "-y"],
    ...["-loglevel", "info"],
    ...["-max_alloc", String(MAX_ALLOCATION_BYTES)],
    ...["-timelimit", String(limits.maxCpuSeconds)],
    ...["-protocol_whitelist", "file"],
    ...["-format_whitelist", DEMUXERS.join(",")],
    ...["-threads", "1"],
    ...["-f", demuxer],
    ...["-i", `file:${INPUT_NAME}`],
    ...["-map", "0:a:0", "-vn", "-sn", "-dn"],
    ...["-map_metadata", "-1", "-map_chapters", "-1"],
    ...["-filter_threads", "1"],
    ...["-af", "aresample=async=1:min_hard_comp=0.1:first_pts=0"],
    ...["-c:a", "pcm_s16le", "-threads", "1"],
    ...["-t", String(limits.maxSeconds)],
    ...["-fs", String(limits.maxBytes)],
    ...["-f", "wav", "-rf64", "auto", "-fflags", "+bitexact"],
    `file:${OUTPUT_NAME}`,
  ];
}

/** What ffmpeg said about a run. */
export interface DecodeReport {
  /** ffmpeg's name of the decoded coding, e.g. `amr_nb`; null if it never came to decoding. */
  readonly codec: string | null;
  /** Length that the container promises; null if unknown or only guessed from the bit rate. */
  readonly promisedMs: number | null;
  /** The container says that the file is cut. */
  readonly isPartial: boolean;
  readonly hasNoAudio: boolean;
  readonly hasNoDecoder: boolean;
  readonly isDiskFull: boolean;
  /** ffmpeg's last complaint on one line, without paths. */
  readonly complaint: string;
}

/** Last words that explain less than the line before them. */
const GENERIC = /Invalid data found|Conversion failed|Error opening input|Nothing was written|received no packets/i;

/** Collects a report from ffmpeg's messages, line by line and in constant memory. */
export function createReportReader(): { line(text: string): void; report(): DecodeReport } {
  let codec: string | null = null;
  let promisedMs: number | null = null;
  let isGuess = false;
  let hasVideo = false;
  let isPartial = false;
  let hasNoAudio = false;
  let hasNoDecoder = false;
  let isDiskFull = false;
  let complaint = "";
  return {
    line(text) {
      const mapped = /^ {2}Stream #0:\d+ -> #0:0 \((\w+) \(/.exec(text);
      const length = /^ {2}Duration: (\d+):(\d\d):(\d\d\.\d+),/.exec(text);
      if (mapped) codec = mapped[1] ?? null;
      else if (length) promisedMs = Math.round((Number(length[1]) * 3600 + Number(length[2]) * 60 + Number(length[3])) * 1000);
      else if (/^ {2,4}Stream #0:\d+(\[\w+\])?(\(\w+\))?: Video: /.test(text)) hasVideo = true;
      else if (/^\s|^(Input|Output) #|^Stream mapping:|^size=|^Guessed /.test(text)) return;
      else if (text !== "") {
        if (/Estimating duration from bitrate/i.test(text)) isGuess = true;
        if (/partial file|Truncat|Packet corrupt|ended prematurely|unexpected end of file/i.test(text)) isPartial = true;
        if (/matches no streams/.test(text)) hasNoAudio = true;
        if (/Decoder .*not found|no decoder found|Unknown decoder|^Codec .* is not supported/i.test(text)) hasNoDecoder = true;
        if (/No space left on device/.test(text)) isDiskFull = true;
        if (complaint === "" || !GENERIC.test(text)) complaint = text;
      }
    },
    report: () => ({
      codec,
      // The length of a film is its picture's as much as its sound's.
      promisedMs: isGuess || hasVideo ? null : promisedMs,
      isPartial,
      hasNoAudio,
      hasNoDecoder,
      isDiskFull,
      complaint: tidy(complaint),
    }),
  };
}

/** One short line without control characters, addresses in memory and our own file names. */
function tidy(text: string): string {
  return text
    .replace(/^\[[^\]]*\] /, "")
    .replace(new RegExp(`(file:)?(${INPUT_NAME}|${OUTPUT_NAME}): `, "g"), "")
    .replace(/[\p{C}\s]+/gu, " ")
    .trim()
    .slice(0, 200);
}
