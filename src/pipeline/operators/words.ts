import type { Role, Span, Utterance } from "../types.ts";
import type { OperatorCall } from "./define.ts";

/** Offsets into an utterance's text, in UTF-16 units, half-open. */
export type TextRange = readonly [start: number, end: number];

/** What that side says in a stretch of the call, as it was written, with its punctuation; words half inside count. Empty where it says nothing. */
export function spokenWithin(call: OperatorCall, role: Role, span: Span): string {
  const parts: string[] = [];
  for (const utterance of call.text?.utterances ?? []) {
    if (utterance.role !== role || utterance.startMs >= span[1] || utterance.endMs <= span[0]) continue;
    const range = rangeWithin(utterance, span);
    if (range) parts.push(utterance.text.slice(...range));
  }
  return parts.join(call.language === "en" ? " " : "");
}

/** The part of the text whose words lie at least partly inside the span; null where none does. */
function rangeWithin(utterance: Utterance, [startMs, endMs]: Span): TextRange | null {
  let start: number | null = null;
  let end = 0;
  let cursor = 0;
  for (const word of utterance.words) {
    const at = utterance.text.indexOf(word.text, cursor);
    if (at < 0) continue;
    cursor = at + word.text.length;
    if (word.startMs >= endMs || word.endMs <= startMs) continue;
    start ??= at;
    end = cursor;
  }
  return start === null ? null : [start, end];
}

/** When a part of an utterance's text is said; the whole utterance where no word lies in that part. */
export function spanOfText(utterance: Utterance, [start, end]: TextRange): Span {
  let startMs: number | null = null;
  let endMs = utterance.endMs;
  let cursor = 0;
  for (const word of utterance.words) {
    const at = utterance.text.indexOf(word.text, cursor);
    if (at < 0) continue;
    cursor = at + word.text.length;
    if (at >= end) break;
    if (cursor <= start) continue;
    startMs ??= word.startMs;
    endMs = word.endMs;
  }
  return startMs === null ? [utterance.startMs, utterance.endMs] : [startMs, endMs];
}
