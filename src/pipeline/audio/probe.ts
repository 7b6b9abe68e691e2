import { isWav } from "./wav.ts";

/** What the first bytes of a file (and, where a format has no mark of its own, its name) say it is. */
export type Probed =
  | { readonly kind: "wav" }
  /** For ffmpeg, read by this one demuxer. `sure`: by an unmistakable mark at the front. */
  | { readonly kind: "media"; readonly demuxer: string; readonly sure: boolean }
  /** A recording that neither we nor ffmpeg can decode. */
  | { readonly kind: "unsupported"; readonly what: string }
  /** Would make ffmpeg open other files, hosts or devices. */
  | { readonly kind: "refused"; readonly what: string }
  /** Certainly no recording. */
  | { readonly kind: "foreign"; readonly what: string }
  | { readonly kind: "unknown" };

/** Bytes that `probe` wants to see. */
export const PROBE_BYTES = 16 * 1024;

type Mark = readonly [offset: number, bytes: string];

/** Bytes as latin1. */
const MEDIA_MARKS: readonly (readonly [demuxer: string, ...marks: Mark[]])[] = [
  ["mov", [4, "ftyp"]],
  ["mov", [4, "moov"]],
  ["mov", [4, "mdat"]],
  ["mov", [4, "wide"]],
  ["ogg", [0, "OggS"]],
  ["flac", [0, "fLaC"]],
  ["amr", [0, "#!AMR"]],
  ["matroska", [0, "\x1aE\xdf\xa3"]],
  ["asf", [0, "0&\xb2u\x8ef\xcf\x11\xa6\xd9\x00\xaa\x00b\xcel"]],
  ["w64", [0, "riff.\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"]],
  ["avi", [0, "RIFF"], [8, "AVI "]],
  ["aiff", [0, "FORM"], [8, "AIF"]],
  ["au", [0, ".snd"]],
  ["caf", [0, "caff"]],
  ["flv", [0, "FLV\x01"]],
  ["mpeg", [0, "\x00\x00\x01\xba"]],
  ["mpegts", [0, "G"], [188, "G"], [376, "G"]],
  ["wv", [0, "wvpk"]],
  ["ape", [0, "MAC "]],
  ["tta", [0, "TTA1"]],
  ["mpc8", [0, "MPCK"]],
  ["nistsphere", [0, "NIST_1A"]],
  ["voc", [0, "Creative Voice File\x1a"]],
  ["ilbc", [0, "#!iLBC"]],
];

const UNSUPPORTED_MARKS: readonly (readonly [what: string, ...marks: Mark[]])[] = [
  ["a SILK voice message", [0, "#!SILK"]],
  ["a SILK voice message", [1, "#!SILK"]],
  ["a RealMedia file", [0, ".RMF"]],
  ["a RealAudio file", [0, ".ra\xfd"]],
];

const FOREIGN_MARKS: readonly (readonly [what: string, ...marks: Mark[]])[] = [
  ["a PNG image", [0, "\x89PNG"]],
  ["a JPEG image", [0, "\xff\xd8\xff"]],
  ["a GIF image", [0, "GIF8"]],
  ["a WebP image", [0, "RIFF"], [8, "WEBP"]],
  ["a TIFF image", [0, "II*\x00"]],
  ["a TIFF image", [0, "MM\x00*"]],
  ["a zip archive or office document", [0, "PK\x03\x04"]],
  ["an empty zip archive", [0, "PK\x05\x06"]],
  ["a gzip archive", [0, "\x1f\x8b"]],
  ["a 7-Zip archive", [0, "7z\xbc\xaf\x27\x1c"]],
  ["a RAR archive", [0, "Rar!\x1a\x07"]],
  ["an xz archive", [0, "\xfd7zXZ\x00"]],
  ["a zstd archive", [0, "\x28\xb5\x2f\xfd"]],
  ["a tar archive", [257, "ustar"]],
  ["a PDF document", [0, "%PDF-"]],
  ["a program", [0, "\x7fELF"]],
  ["a program", [0, "MZ\x90\x00"]],
  ["a database", [0, "SQLite format 3"]],
  ["a MIDI file, notes without sound", [0, "MThd"]],
];

/** Formats without a mark that fits in a few bytes: the name decides, unless the content says something else. */
const DEMUXER_BY_EXTENSION: Readonly<Record<string, string>> = {
  mp3: "mp3",
  mp2: "mp3",
  aac: "aac",
  gsm: "gsm",
  g722: "g722",
  "722": "g722",
  g729: "g729",
  ac3: "ac3",
  ts: "mpegts",
};

/** Every demuxer that ffmpeg is ever let use. None of them opens a second file, a host or a device. */
export const DEMUXERS: readonly string[] = [
  ...new Set(["wav", "mp3", "aac", "gsm", ...MEDIA_MARKS.map(([demuxer]) => demuxer), ...Object.values(DEMUXER_BY_EXTENSION)]),
];

/** Text that ffmpeg's demuxers would follow: HLS, DASH, concat, SDP, ASX, SMIL, PLS, RTSP, bare addresses. */
const PLAYLISTS: readonly (readonly [what: string, pattern: RegExp])[] = [
  ["an m3u8 playlist", /^#EXT/],
  ["an ffconcat playlist", /^ffconcat version/],
  ["a list of files", /^\s*file\s+['"]?\S/],
  ["a PLS playlist", /^\[playlist\]/i],
  ["an ASX playlist", /^(<asx|\[Reference\])/i],
  ["a DASH manifest", /^(<\?xml[^>]*>\s*)?(<!--[\s\S]*?-->\s*)?<MPD[\s>]/i],
  ["a SMIL playlist", /^(<\?xml[^>]*>\s*)?<smil[\s>]/i],
  ["a session description (SDP)", /^v=0\r?\n[a-z]=/],
  ["an address", /^(https?|rtsps?|rtmps?|rtp|mms|ftp|tcp|udp|file|concat|subfile|data|crypto):\S/i],
  ["an RTSP redirection", /^RTSPtext/],
  ["filter commands", /^;FFMETADATA/],
];

function hasMarks(text: string, marks: readonly Mark[]): boolean {
  return marks.every(([offset, bytes]) => text.startsWith(bytes, offset));
}

function find(table: readonly (readonly [string, ...Mark[]])[], text: string): string | null {
  return table.find(([, ...marks]) => hasMarks(text, marks))?.[0] ?? null;
}

/** The head as text if it is text: valid UTF-8 (or marked UTF-16) without control characters. */
function asText(head: Uint8Array, isWhole: boolean): string | null {
  if (head.length < 2) return null;
  const wide = (head[0] === 0xff && head[1] === 0xfe) || (head[0] === 0xfe && head[1] === 0xff);
  try {
    const decoder = new TextDecoder(wide ? (head[0] === 0xff ? "utf-16le" : "utf-16be") : "utf-8", { fatal: true });
    const text = decoder.decode(head, { stream: !isWhole });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: their absence is what makes it text
    return /[\0-\x08\x0e-\x1a\x1c-\x1f\x7f]/.test(text) ? null : text;
  } catch {
    return null;
  }
}

/** kbit/s of MPEG-1 layers I–III and MPEG-2 layers I and II/III (ISO 11172-3, 13818-3), index 1–14. */
const BIT_RATES = {
  v1: [
    [32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
    [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
    [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  ],
  v2: [
    [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
    [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
    [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
  ],
} as const;

/** Bytes of the MPEG audio frame at `at`, 0 if there is none. */
function mpegFrameBytes(head: Uint8Array, at: number): number {
  const [a = 0, b = 0, c = 0] = head.subarray(at, at + 3);
  if (a !== 0xff || (b & 0xe0) !== 0xe0) return 0;
  const version = (b >> 3) & 3; // 0: 2.5, 2: 2, 3: 1
  const layer = 4 - ((b >> 1) & 3); // 1–3
  const rateIndex = (c >> 2) & 3;
  if (version === 1 || layer === 4 || rateIndex === 3) return 0;
  const kilobits = BIT_RATES[version === 3 ? "v1" : "v2"][layer - 1]?.[(c >> 4) - 1];
  if (kilobits === undefined) return 0;
  const sampleRate = [44_100, 48_000, 32_000][rateIndex] as number;
  const hz = version === 3 ? sampleRate : version === 2 ? sampleRate / 2 : sampleRate / 4;
  const padding = (c >> 1) & 1;
  if (layer === 1) return 4 * (Math.floor((12_000 * kilobits) / hz) + padding);
  const slots = layer === 3 && version !== 3 ? 72_000 : 144_000;
  return Math.floor((slots * kilobits) / hz) + padding;
}

/** Bytes of the AAC frame (ADTS, ISO 13818-7) at `at`, 0 if there is none. */
function adtsFrameBytes(head: Uint8Array, at: number): number {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = head.subarray(at, at + 6);
  if (a !== 0xff || (b & 0xf6) !== 0xf0 || ((c >> 2) & 15) > 12) return 0;
  const bytes = ((d & 3) << 11) | (e << 3) | (f >> 5);
  return bytes >= 7 ? bytes : 0;
}

/** Whether frames follow one another from `at`: two, or one that reaches the end of what is there. */
function hasFrames(head: Uint8Array, at: number, frameBytes: (head: Uint8Array, at: number) => number): boolean {
  const first = frameBytes(head, at);
  if (first === 0) return false;
  const next = at + first;
  return next + 6 > head.length || frameBytes(head, next) > 0;
}

/** GSM 06.10 frames are 33 bytes and begin with the bits 1101. */
function hasGsmFrames(head: Uint8Array, least: number): boolean {
  const frames = Math.floor(head.length / 33);
  if (frames < least) return false;
  for (let i = 0; i < frames; i++) if (((head[33 * i] as number) & 0xf0) !== 0xd0) return false;
  return true;
}

/** Where the sound begins behind an ID3v2 tag; 0 without one. */
function afterId3(head: Uint8Array): number {
  if (head.length < 10 || head[0] !== 0x49 || head[1] !== 0x44 || head[2] !== 0x33) return 0;
  const [a = 0, b = 0, c = 0, d = 0] = head.subarray(6, 10);
  return 10 + (((a & 0x7f) << 21) | ((b & 0x7f) << 14) | ((c & 0x7f) << 7) | (d & 0x7f));
}

function media(demuxer: string, sure: boolean): Probed {
  return { kind: "media", demuxer, sure };
}

/**
 * Says what a file is by its content. A name ending decides only among formats that have no mark.
 *
 * @param head the first `PROBE_BYTES` of the file, all of it if shorter
 * @param extension without the dot, any case
 */
export function probe(head: Uint8Array, extension: string): Probed {
  if (isWav(head)) return { kind: "wav" };
  const marks = Buffer.from(head.buffer, head.byteOffset, Math.min(head.byteLength, 400)).toString("latin1");
  const demuxer = find(MEDIA_MARKS, marks);
  if (demuxer) return media(demuxer, true);
  const unsupported = find(UNSUPPORTED_MARKS, marks);
  if (unsupported) return { kind: "unsupported", what: unsupported };
  const foreign = find(FOREIGN_MARKS, marks);
  if (foreign) return { kind: "foreign", what: foreign };

  const id3End = afterId3(head);
  if (id3End > 0) {
    const inside = Buffer.from(head.subarray(id3End, id3End + 4)).toString("latin1");
    if (inside === "fLaC") return media("flac", true);
    return media(hasFrames(head, id3End, adtsFrameBytes) ? "aac" : "mp3", true);
  }

  const text = asText(head, head.length < PROBE_BYTES);
  if (text !== null) {
    const playlist = PLAYLISTS.find(([, pattern]) => pattern.test(text.replace(/^\ufeff/, "").trimStart()));
    if (playlist) return { kind: "refused", what: playlist[0] };
    return { kind: "foreign", what: /^\s*(<!doctype|<html|<\?xml|<svg)/i.test(text) ? "an HTML or XML page" : "a text file" };
  }

  if (hasFrames(head, 0, adtsFrameBytes)) return media("aac", false);
  if (hasFrames(head, 0, mpegFrameBytes)) return media("mp3", false);
  const byName = DEMUXER_BY_EXTENSION[extension.toLowerCase()];
  if (byName) return media(byName, false);
  if (hasGsmFrames(head, 8)) return media("gsm", false);
  return { kind: "unknown" };
}
