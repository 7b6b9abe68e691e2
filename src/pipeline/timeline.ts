import type { Span } from "./types.ts";

/** Span algebra. Inputs may be unsorted and overlapping unless said; results are disjoint, ascending and never empty spans. */

/** Length of a span in milliseconds. */
export function lengthOf([startMs, endMs]: Span): number {
  return endMs - startMs;
}

/** Sum of the lengths of disjoint spans. */
export function totalMs(spans: readonly Span[]): number {
  let total = 0;
  for (const span of spans) total += lengthOf(span);
  return total;
}

/** All time covered by any of the spans; spans that touch, or lie at most `joinMs` apart, become one. */
export function union(spans: readonly Span[], joinMs = 0): Span[] {
  return isUnion(spans, joinMs) ? [...spans] : joined(spans, joinMs);
}

/** `union` for who only reads: most lists are what they should be, and stay where they are. */
function disjoint(spans: readonly Span[]): readonly Span[] {
  return isUnion(spans, 0) ? spans : joined(spans, 0);
}

function joined(spans: readonly Span[], joinMs: number): Span[] {
  const sorted = spans.filter(([startMs, endMs]) => endMs > startMs).sort((a, b) => a[0] - b[0]);
  const all: [number, number][] = [];
  for (const [startMs, endMs] of sorted) {
    const last = all.at(-1);
    if (last && startMs <= last[1] + joinMs) last[1] = Math.max(last[1], endMs);
    else all.push([startMs, endMs]);
  }
  return all;
}

function isUnion(spans: readonly Span[], joinMs: number): boolean {
  let freeFromMs = Number.NEGATIVE_INFINITY;
  for (const [startMs, endMs] of spans) {
    if (startMs <= freeFromMs || endMs <= startMs) return false;
    freeFromMs = endMs + joinMs;
  }
  return true;
}

/** Time covered by both. */
export function overlap(a: readonly Span[], b: readonly Span[]): Span[] {
  const left = disjoint(a);
  const right = disjoint(b);
  const both: Span[] = [];
  for (let i = 0, j = 0; i < left.length && j < right.length; ) {
    const x = left[i] as Span;
    const y = right[j] as Span;
    const startMs = Math.max(x[0], y[0]);
    const endMs = Math.min(x[1], y[1]);
    if (endMs > startMs) both.push([startMs, endMs]);
    if (x[1] < y[1]) i++;
    else j++;
  }
  return both;
}

/** Time within `[startMs, endMs)` that no span covers. */
export function gaps(spans: readonly Span[], [startMs, endMs]: Span): Span[] {
  const free: Span[] = [];
  let cursorMs = startMs;
  for (const [spanStartMs, spanEndMs] of disjoint(spans)) {
    if (spanStartMs >= endMs) break;
    if (spanStartMs > cursorMs) free.push([cursorMs, spanStartMs]);
    cursorMs = Math.max(cursorMs, spanEndMs);
  }
  if (cursorMs < endMs) free.push([cursorMs, endMs]);
  return free;
}

/** Time covered by `a` and not by `b`. */
export function subtract(a: readonly Span[], b: readonly Span[]): Span[] {
  const holes = disjoint(b);
  const left: Span[] = [];
  let hole = 0;
  for (const [startMs, endMs] of disjoint(a)) {
    let cursorMs = startMs;
    // Both lists ascend, so a hole that ends before this span touches none of the later ones.
    while (hole < holes.length && (holes[hole] as Span)[1] <= startMs) hole++;
    for (let at = hole; at < holes.length && (holes[at] as Span)[0] < endMs; at++) {
      const [holeStartMs, holeEndMs] = holes[at] as Span;
      if (holeStartMs > cursorMs) left.push([cursorMs, holeStartMs]);
      cursorMs = Math.max(cursorMs, holeEndMs);
    }
    if (cursorMs < endMs) left.push([cursorMs, endMs]);
  }
  return left;
}

/** The parts of the spans inside `window`. */
export function clip(spans: readonly Span[], window: Span): Span[] {
  return overlap(spans, [window]);
}

/** The first `ms` milliseconds of covered time, e.g. an agent's first 15 s of speech. */
export function first(spans: readonly Span[], ms: number): Span[] {
  const taken: Span[] = [];
  let leftMs = ms;
  for (const [startMs, endMs] of disjoint(spans)) {
    if (leftMs <= 0) break;
    const takeMs = Math.min(leftMs, endMs - startMs);
    taken.push([startMs, startMs + takeMs]);
    leftMs -= takeMs;
  }
  return taken;
}

/** The last `ms` milliseconds of covered time. */
export function last(spans: readonly Span[], ms: number): Span[] {
  const taken: Span[] = [];
  let leftMs = ms;
  for (const [startMs, endMs] of union(spans).reverse()) {
    if (leftMs <= 0) break;
    const takeMs = Math.min(leftMs, endMs - startMs);
    taken.unshift([endMs - takeMs, endMs]);
    leftMs -= takeMs;
  }
  return taken;
}
