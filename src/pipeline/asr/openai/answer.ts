import { CallsiftError } from "../../errors.ts";
import { simplify } from "../../text/normalise.ts";
import type { HeardPiece } from "../recogniser.ts";
import { type Letter, tokensWith } from "./heard-tokens.ts";
import { lettersOf, splitText } from "./split-text.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Whisper's own limit: a text that packs better than this says the same thing over and over. */
const MOST_COMPRESSION = 2.4;

/** Nobody says a tenth of this in 30 s, characters. */
const MOST_TEXT = 10_000;

/**
 * What a server says of one piece of sound: `verbose_json` with words or without, `json`, or a text. Fields that are missing, or of the wrong kind, are as if
 * the server did not know.
 *
 * Source of the fields: OpenAI API reference, "Create transcription"; `segments[].words[].probability` is faster-whisper's.
 *
 * @param answer parsed JSON, or the text
 * @param lengthMs of the piece
 * @param prompt what the server was given to follow on from
 * @throws CallsiftError `asr/bad-answer`
 */
export function readAnswer(answer: unknown, lengthMs: number, prompt: string | null = null): Omit<HeardPiece, "weigh" | "release"> {
  const fields: Fields = typeof answer === "string" ? { text: answer } : isFields(answer) ? answer : {};
  const segments = fieldsIn(fields.segments);
  const written = typeof fields.text === "string" ? fields.text : segments.length > 0 ? segments.map(textOf).join("") : null;
  if (written === null) throw new CallsiftError("asr/bad-answer", "expected a transcription with a text from the speech server, got none");
  if (written.length > MOST_TEXT)
    throw new CallsiftError(
      "asr/bad-answer",
      `expected a text of at most ${MOST_TEXT} characters for a piece of sound, got ${written.length}`,
    );
  const { text, tags } = takeTags(written);
  const language = typeof fields.language === "string" && /^[\p{L}-]{1,40}$/u.test(fields.language) ? { language: fields.language } : {};
  const tokens = tokensWith(splitText(text), spelling(fields, segments, text), lengthMs);
  const known = tokens.flatMap(({ confidence }) => (confidence === null ? [] : [Math.log(Math.max(confidence, 1e-6))]));
  const noSpeech = segments.flatMap(({ no_speech_prob: share }) => (isShare(share) ? [share] : []));
  return {
    text: tokens.length > 0 ? text : "",
    tokens,
    confidence: known.length > 0 ? Math.exp(known.reduce((sum, log) => sum + log, 0) / known.length) : null,
    // Somebody speaks in the piece if somebody does in any part of it.
    noSpeech: noSpeech.length > 0 ? noSpeech.reduce((least, share) => Math.min(least, share)) : null,
    capped: false,
    looped: segments.some(({ compression_ratio: ratio }) => typeof ratio === "number" && ratio > MOST_COMPRESSION),
    prompted: prompt !== null && spoken(text).startsWith(spoken(prompt)),
    languages: null,
    tags: { ...language, ...tags },
  };
}

function spoken(text: string): string {
  return lettersOf(simplify(text)).join("");
}

/** What the server knows of each letter of the text: by words where it gives them, else by segments, else by its tokens as a whole. */
function spelling(fields: Fields, segments: readonly Fields[], text: string): Letter[] {
  const ofSegments = segments.flatMap((segment) => fieldsIn(segment.words));
  const ofAll = fieldsIn(fields.words);
  const words = ofAll.length > 0 && (ofAll.some(hasProbability) || !ofSegments.some(hasProbability)) ? ofAll : ofSegments;
  const bySegment = segments.flatMap((segment) => lettersAs(textOf(segment), { confidence: fromLog(segment.avg_logprob) }));
  const hasOdds = bySegment.some(({ confidence }) => confidence !== null);
  if (words.length > 0) {
    const letters = words.flatMap(lettersOfWord);
    if (!hasOdds || letters.some(({ confidence }) => confidence !== null)) return letters;
    // Words with times, segments with probabilities: the same letters, as a rule.
    const isSame = bySegment.length === letters.length && bySegment.every(({ letter }, i) => letter === letters[i]?.letter);
    const overall = meanOf(bySegment);
    return letters.map((letter, i) => ({ ...letter, confidence: isSame ? (bySegment[i] as Letter).confidence : overall }));
  }
  if (hasOdds) return bySegment;
  const logs = fieldsIn(fields.logprobs).flatMap(({ logprob }) => (isLog(logprob) ? [logprob] : []));
  return lettersAs(text, { confidence: logs.length > 0 ? fromLog(logs.reduce((sum, log) => sum + log, 0) / logs.length) : null });
}

/** Geometric, over the letters that have one. */
function meanOf(letters: readonly Letter[]): number | null {
  const logs = letters.flatMap(({ confidence }) => (confidence === null ? [] : [Math.log(Math.max(confidence, 1e-6))]));
  return logs.length > 0 ? Math.exp(logs.reduce((sum, log) => sum + log, 0) / logs.length) : null;
}

function lettersAs(text: string, { confidence }: { confidence: number | null }): Letter[] {
  return lettersOf(text).map((letter) => ({ letter, startMs: null, endMs: null, confidence }));
}

/** A word of several characters gives each its share of the time. */
function lettersOfWord(word: Fields): Letter[] {
  const letters = lettersOf(textOf(word));
  const [start, end] = [word.start, word.end];
  const confidence = isShare(word.probability) ? word.probability : null;
  if (typeof start !== "number" || typeof end !== "number" || !Number.isFinite(start) || !Number.isFinite(end) || end < start)
    return letters.map((letter) => ({ letter, startMs: null, endMs: null, confidence }));
  const eachMs = ((end - start) * 1000) / letters.length;
  return letters.map((letter, i) => ({ letter, startMs: start * 1000 + i * eachMs, endMs: start * 1000 + (i + 1) * eachMs, confidence }));
}

function textOf({ word, text }: Fields): string {
  return typeof word === "string" ? word : typeof text === "string" ? text : "";
}

function hasProbability({ probability }: Fields): boolean {
  return isShare(probability);
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function fieldsIn(value: unknown): Fields[] {
  return Array.isArray(value) ? value.filter(isFields) : [];
}

function isShare(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= 1;
}

function isLog(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function fromLog(value: unknown): number | null {
  return isLog(value) ? Math.min(1, Math.exp(value)) : null;
}

/** What SenseVoice writes in front of its text, `<|zh|><|NEUTRAL|><|Speech|><|withitn|>`, by the kind of each. */
const TAG_KINDS = {
  language: /^(?:zh|yue|en|ja|ko|nospeech)$/,
  emotion: /^(?:HAPPY|SAD|ANGRY|NEUTRAL|FEARFUL|DISGUSTED|SURPRISED|EMO_UNKNOWN)$/,
  event: /^(?:Speech|BGM|Applause|Laughter|Cry|Sneeze|Breath|Cough|Event_UNK)$/,
} as const;

/** The text on one line, without the tags that some servers leave in it. */
function takeTags(written: string): { text: string; tags: Record<string, string> } {
  const tags: Record<string, string> = {};
  const plain = written.replace(/<\|([^|<>]{0,40})\|>/g, (_, tag: string) => {
    for (const [kind, names] of Object.entries(TAG_KINDS)) if (names.test(tag)) tags[kind] ??= tag;
    return " ";
  });
  return { text: plain.replace(/[\p{Cc}\p{Cs}\s]+/gu, " ").trim(), tags };
}
