import { type AnyPath, besideRecording, fileName, readSmallFile } from "../beside.ts";
import { CallsiftError } from "../errors.ts";
import type { Language, NoTranscript, Sound, Span, Transcript, Utterance, Word } from "../types.ts";
import { attributeChannels } from "./attribute.ts";
import { tooLong, tooMany } from "./import/fields.ts";
import { clipToRecording, refuseOtherCall, refuseOverlaps } from "./import/fit.ts";
import { formatOf, parseTranscript } from "./import/formats.ts";
import { type ImportedTranscript, type ImportedUtterance, MAX_CHARACTERS, MAX_UTTERANCES } from "./import/imported.ts";
import { languageOf } from "./import/language.ts";
import { decodeSource } from "./import/source.ts";
import { estimateWords, exactWords, type Token, tokensOf } from "./import/words.ts";
import type { AsrEngine, ToTranscribe, TranscribeOptions } from "./port.ts";
import { createWithin, type Within } from "./within.ts";

/** A day of speech on both sides stays below; more is no transcript of a call. */
const LIMITS = { bytes: 32 * 1024 * 1024, words: 1_000_000 };

/** Tried in this order, `call.wav` → `call.transcript.json` first. */
const ENDINGS = [".transcript.json", ".transcript.vtt", ".transcript.srt", ".vtt", ".srt", ".json"] as const;

/**
 * The transcript beside a recording, null where there is none. `call.json` counts only if its content is a transcript, since any
 * program may keep something else under that name.
 */
export async function findTranscript<P extends AnyPath>(recordingPath: P, signal?: AbortSignal): Promise<AnyPath | null> {
  for (const ending of ENDINGS) {
    const path = besideRecording(recordingPath, ending);
    const file = await readSmallFile(path, ending === ".json" ? LIMITS.bytes : 0, signal);
    if (file.status === "missing") continue;
    // Something is there under a transcript's own name: whatever is wrong with it is said when it is read.
    if (ending !== ".json") return path;
    if (file.status === "read" && isTranscript(file.bytes)) return path;
  }
  return null;
}

function isTranscript(bytes: Uint8Array): boolean {
  try {
    return formatOf(decodeSource(bytes)) !== undefined;
  } catch (error) {
    if (error instanceof CallsiftError) return false;
    throw error;
  }
}

/** Reads a transcript that lies beside the recording: the words of another recogniser, or of a person. */
export const importEngine: AsrEngine = {
  name: "import",
  license: "Apache-2.0",
  capabilities: { wordTimes: true, confidence: true, languages: ["zh", "en"] },
  open: async () => ({
    name: "import",
    recipe: "import/1",
    transcribe,
    [Symbol.asyncDispose]: async () => {},
  }),
};

async function transcribe(call: ToTranscribe, { language, signal }: TranscribeOptions): Promise<Transcript | NoTranscript> {
  signal?.throwIfAborted();
  if (call.transcriptPath === null) return { status: "not-available", reason: "there is no transcript beside the recording" };
  const name = fileName(call.transcriptPath);
  const file = await readSmallFile(call.transcriptPath, LIMITS.bytes, signal);
  if (file.status === "missing") throw new CallsiftError("transcript/unreadable", `${name}: there is no such file`);
  if (file.status === "unreadable") throw new CallsiftError("transcript/unreadable", `${name}: ${file.why}`);
  if (file.status === "too-large")
    throw new CallsiftError("transcript/too-large", `${name}: expected at most ${LIMITS.bytes} bytes, got ${file.size}`);
  try {
    const imported = parseTranscript(decodeSource(file.bytes));
    signal?.throwIfAborted();
    return fitTranscript(imported, call, language);
  } catch (error) {
    if (!(error instanceof CallsiftError)) throw error;
    throw new CallsiftError(error.code, `${name}: ${error.message}`, { cause: error.cause });
  }
}

/**
 * A transcript as the pipeline wants it: sorted, inside the recording, with words for every utterance.
 *
 * @throws CallsiftError `transcript/invalid`, `transcript/mismatch`, `transcript/too-large`
 */
export function fitTranscript(
  imported: ImportedTranscript,
  { sound, durationMs }: Pick<ToTranscribe, "sound" | "durationMs">,
  language: Language | "auto",
): Transcript | NoTranscript {
  if (imported.utterances.length > MAX_UTTERANCES) throw tooMany(imported.utterances.length);
  const spoken = withTokens(imported.utterances.map(cleaned));
  const utterances = clipToRecording(spoken.utterances, durationMs);
  if (utterances.length === 0) return { status: "not-available", reason: "the transcript beside the recording has no words" };
  refuseOverlaps(utterances);
  refuseOtherCall(utterances, sound, durationMs);
  const heard = speechOf(utterances, sound);
  return {
    engine: "import",
    model: null,
    language: language === "auto" ? languageOf(imported.language, utterances) : language,
    utterances: utterances.map((utterance, i) => withWords(utterance, spoken.tokens[i] ?? [], heard[i] as Within)),
  };
}

/** The text on one line, without control characters and halves of characters. */
function cleaned(utterance: ImportedUtterance): ImportedUtterance {
  if (utterance.text.length > MAX_CHARACTERS) throw tooLong(utterance.where, utterance.text.length);
  return {
    ...utterance,
    text: utterance.text
      .replace(/[\p{Cc}\u2028\u2029]+/gu, " ")
      .replace(/\p{Cs}/gu, "\uFFFD")
      .trim(),
  };
}

/** Utterances with something spoken, ascending by start, and their tokens. */
function withTokens(utterances: readonly ImportedUtterance[]): { utterances: ImportedUtterance[]; tokens: Token[][] } {
  let words = 0;
  const spoken: { utterance: ImportedUtterance; tokens: Token[] }[] = [];
  for (const utterance of utterances) {
    const tokens = tokensOf(utterance.text);
    words += tokens.length;
    if (words > LIMITS.words) throw new CallsiftError("transcript/too-large", `expected at most ${LIMITS.words} words, got more`);
    if (tokens.length > 0) spoken.push({ utterance, tokens });
  }
  spoken.sort((a, b) => a.utterance.startMs - b.utterance.startMs || a.utterance.endMs - b.utterance.endMs);
  return { utterances: spoken.map(({ utterance }) => utterance), tokens: spoken.map(({ tokens }) => tokens) };
}

/** Per utterance, the speech its words may lie on: of its channel where that is known, else of all. */
function speechOf(utterances: readonly ImportedUtterance[], { layout, channels }: Sound): Within[] {
  const all = createWithin(channels.flatMap(({ speech }) => speech));
  const own = new Map(channels.map(({ channel, speech }) => [channel, createWithin(speech)]));
  const attributed = attributeChannels(utterances, layout, channels).channels;
  return attributed.map((channel) => (channel === null ? undefined : own.get(channel)) ?? all);
}

function withWords(imported: ImportedUtterance, tokens: readonly Token[], heard: Within): Utterance {
  const { role, channel, speaker, startMs, endMs, text, confidence } = imported;
  const span: Span = [startMs, endMs];
  const exact = imported.words === null ? [] : ordered(exactWords(text, imported.words), span, imported.where);
  return {
    role,
    channel,
    ...(speaker !== null && { speaker }),
    startMs,
    endMs,
    text,
    confidence,
    words: exact.length > 0 ? exact : estimateWords(tokens, span, heard(span)),
    timing: exact.length > 0 ? "exact" : "estimated",
  };
}

/** How far a recogniser's words may lie outside their utterance, or go back in time. */
const WORD_TOLERANCE_MS = 1_000;

/**
 * Words inside their utterance, in order.
 *
 * @throws CallsiftError `transcript/invalid`
 */
function ordered(words: readonly Word[], [startMs, endMs]: Span, where: string): Word[] {
  let latestMs = startMs;
  return words.map((word) => {
    if (word.startMs < startMs - WORD_TOLERANCE_MS || word.endMs > endMs + WORD_TOLERANCE_MS || word.startMs < latestMs - WORD_TOLERANCE_MS)
      throw new CallsiftError(
        "transcript/invalid",
        `${where}: expected words in order within ${startMs}–${endMs} ms, got ${JSON.stringify(word.text.slice(0, 40))} at ${word.startMs}–${word.endMs} ms`,
      );
    const from = Math.min(Math.max(word.startMs, latestMs), endMs);
    latestMs = from;
    return { ...word, startMs: from, endMs: Math.min(Math.max(word.endMs, from), endMs) };
  });
}
