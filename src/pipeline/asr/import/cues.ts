import { invalid, tooLong, tooMany } from "./fields.ts";
import { type ImportedUtterance, MAX_CHARACTERS, MAX_UTTERANCES, NOBODY, type Voice } from "./imported.ts";
import { splitLabel, voiceOf } from "./voice.ts";
import { tokensOf } from "./words.ts";

/** What WebVTT and SRT have in common: blocks of lines, a time line with an arrow, and words with or without a label. */

const ARROW = "-->";
/** `1:02:03.456`, `02:03.456`, SRT's comma; hours may have any number of digits. */
const TIME = /^(?:(\d{1,6}):)?(\d{1,2}):(\d{2})(?:[.,](\d{1,3}))?$/;

/** Utterances of all cues; `isComment` says which blocks without times are no fault (NOTE, STYLE, REGION). */
export function parseCues(text: string, isComment: (firstLine: string) => boolean): ImportedUtterance[] {
  const arrows = countArrows(text);
  if (arrows > MAX_UTTERANCES) throw tooMany(arrows);
  const lines = text.split(/\r\n|\n|\r/);
  const utterances: ImportedUtterance[] = [];
  let cue = 0;
  for (let at = 0; at < lines.length; ) {
    if (blank(lines[at])) {
      at++;
      continue;
    }
    const first = at;
    while (at < lines.length && !blank(lines[at])) at++;
    const block = lines.slice(first, at);
    if (isComment(block[0] as string)) continue;
    const timeLine = block[0]?.includes(ARROW) ? 0 : block[1]?.includes(ARROW) ? 1 : -1;
    if (timeLine < 0) {
      // Words after an empty line inside a cue: loose writers do this, and the words are worth keeping.
      const last = utterances.at(-1);
      if (!last) throw invalid(`line ${first + 1}`, `a time line with "${ARROW}"`, block[0]);
      utterances[utterances.length - 1] = { ...last, text: `${last.text} ${cueText(block.join(" "))}` };
      continue;
    }
    cue++;
    const where = `cue ${cue} (line ${first + timeLine + 1})`;
    const characters = block.reduce((sum, line) => sum + line.length, 0);
    if (characters > MAX_CHARACTERS) throw tooLong(where, characters);
    const { startMs, endMs } = timesOf(block[timeLine] as string, where);
    utterances.push(...utterancesOf(block.slice(timeLine + 1), startMs, endMs, where));
  }
  return utterances;
}

function countArrows(text: string): number {
  let count = 0;
  for (let at = text.indexOf(ARROW); at >= 0; at = text.indexOf(ARROW, at + ARROW.length)) count++;
  return count;
}

function blank(line: string | undefined): boolean {
  return line === undefined || line.trim() === "";
}

function timesOf(line: string, where: string): { startMs: number; endMs: number } {
  const arrow = line.indexOf(ARROW);
  const startMs = timeOf(line.slice(0, arrow).trim(), where);
  // WebVTT's cue settings follow the end time.
  const endMs = timeOf(
    line
      .slice(arrow + ARROW.length)
      .trim()
      .split(/\s/, 1)[0] ?? "",
    where,
  );
  if (endMs < startMs) throw invalid(where, `an end ≥ the start ${startMs} ms`, `${endMs} ms`);
  return { startMs, endMs };
}

function timeOf(text: string, where: string): number {
  const match = TIME.exec(text);
  const [hours, minutes, seconds] = [Number(match?.[1] ?? 0), Number(match?.[2]), Number(match?.[3])];
  if (!match || minutes > 59 || seconds > 59) throw invalid(where, "a time hh:mm:ss.mmm", text);
  return ((hours * 60 + minutes) * 60 + seconds) * 1000 + Number((match[4] ?? "0").padEnd(3, "0"));
}

/** One utterance per voice in the cue; several share its time in proportion to their words. */
function utterancesOf(lines: readonly string[], startMs: number, endMs: number, where: string): ImportedUtterance[] {
  const parts: { voice: Voice; text: string }[] = [];
  for (const line of lines) {
    for (const piece of voicesOf(line)) {
      const labelled = piece.voice ? null : splitLabel(piece.text);
      const voice = piece.voice ?? labelled?.voice;
      const text = labelled?.text ?? piece.text;
      const last = parts.at(-1);
      if (voice || !last) parts.push({ voice: voice ?? NOBODY, text });
      else last.text = `${last.text} ${text}`;
    }
  }
  const weights = parts.map(({ text }) => tokensOf(text).reduce((sum, { weight }) => sum + weight, 0));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let done = 0;
  return parts.map(({ voice, text }, i) => {
    const fromMs = total > 0 ? startMs + Math.round((done / total) * (endMs - startMs)) : startMs;
    done += weights[i] ?? 0;
    const toMs = total > 0 ? startMs + Math.round((done / total) * (endMs - startMs)) : endMs;
    return { where, ...voice, startMs: fromMs, endMs: toMs, text, confidence: null, words: null };
  });
}

/** Pieces of a line at WebVTT voice tags, `<v Agent>Hello</v>`; a piece without a tag has no voice. */
function voicesOf(line: string): { voice: Voice | null; text: string }[] {
  const pieces: { voice: Voice | null; text: string }[] = [];
  let voice: Voice | null = null;
  let from = 0;
  for (const tag of line.matchAll(/<(\/?v)(?:\.[^<>\s]*)?(?:\s+([^<>]*))?>/g)) {
    const before = cueText(line.slice(from, tag.index));
    if (before !== "") pieces.push({ voice, text: before });
    voice = tag[1] === "v" && tag[2] ? voiceOf(cueText(tag[2])) : null;
    from = tag.index + tag[0].length;
  }
  const rest = cueText(line.slice(from));
  if (rest !== "") pieces.push({ voice, text: rest });
  return pieces;
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: " ", lrm: "", rlm: "" };

/** Words without markup: `<i>`, `<c.loud>`, `<00:01.000>`, SubStation `{\an8}`, and entities spelt out. */
function cueText(markup: string): string {
  return markup
    .replace(/<[^<>]*>|\{\\[^{}]*\}/g, "")
    .replace(/&(\w{2,4});/g, (entity, name: string) => ENTITIES[name] ?? entity)
    .trim();
}
