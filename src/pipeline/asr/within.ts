import { union } from "../timeline.ts";
import type { Span } from "../types.ts";

/** The parts of some spans inside a window; for asking about hundreds of thousands of windows in a row. */
export type Within = (window: Span) => Span[];

/** Sorts the spans once, then finds each window's part by halving. */
export function createWithin(spans: readonly Span[]): Within {
  const sorted = union(spans);
  return ([startMs, endMs]) => {
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((sorted[middle] as Span)[1] <= startMs) low = middle + 1;
      else high = middle;
    }
    const parts: Span[] = [];
    for (let i = low; i < sorted.length; i++) {
      const [fromMs, toMs] = sorted[i] as Span;
      if (fromMs >= endMs) break;
      parts.push([Math.max(fromMs, startMs), Math.min(toMs, endMs)]);
    }
    return parts;
  };
}
