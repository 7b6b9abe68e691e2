import type { HeardPiece } from "../../src/pipeline/asr/recogniser.ts";
import { charactersOf } from "./error-rate.ts";
import type { Labelled } from "./sentences.ts";

/** How far the times of sentence starts are from the truth. */
export interface StartErrors {
  /** Heard less true, ms; one a sentence whose first character has a counterpart. */
  readonly errorsMs: readonly { readonly sentence: string; readonly errorMs: number; readonly written: string }[];
  /** Sentences whose beginning was left out. */
  readonly unheard: number;
}

interface Unit {
  readonly text: string;
  readonly ms: number;
}

/** Holds each sentence's true start against that of the character that was heard in the place of its first. */
export function startErrors(piece: Labelled, heard: Pick<HeardPiece, "tokens">): StartErrors {
  const said = piece.sentences.flatMap(({ text, startMs }, sentence) =>
    charactersOf(text).map((unit, i) => ({ unit, first: i === 0 ? { sentence, startMs } : null })),
  );
  const units = heard.tokens.flatMap(({ text, startMs }) =>
    charactersOf(text).map((unit): Unit => ({ text: unit, ms: startMs ?? Number.NaN })),
  );
  const counterparts = align(
    said.map(({ unit }) => unit),
    units.map(({ text }) => text),
  );
  const errorsMs: StartErrors["errorsMs"][number][] = [];
  let unheard = 0;
  said.forEach(({ first }, i) => {
    if (!first) return;
    const at = counterparts[i] ?? null;
    const unit = at === null ? undefined : units[at];
    if (!unit || Number.isNaN(unit.ms)) unheard++;
    else {
      const written = units.slice(at ?? 0, (at ?? 0) + 6).map(({ text }) => text);
      errorsMs.push({ sentence: piece.sentences[first.sentence]?.text ?? "", errorMs: unit.ms - first.startMs, written: written.join("") });
    }
  });
  return { errorsMs, unheard };
}

/** For each of `a` its place in `b` on a cheapest way from one to the other; null where it was left out. */
export function align(a: readonly string[], b: readonly string[]): (number | null)[] {
  const width = b.length + 1;
  const cost = new Float64Array((a.length + 1) * width);
  for (let i = 0; i <= a.length; i++) {
    for (let j = 0; j <= b.length; j++) {
      if (i === 0 || j === 0) cost[i * width + j] = i + j;
      else
        cost[i * width + j] = Math.min(
          (cost[(i - 1) * width + j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1),
          (cost[(i - 1) * width + j] as number) + 1,
          (cost[i * width + j - 1] as number) + 1,
        );
    }
  }
  const places = new Array<number | null>(a.length).fill(null);
  for (let i = a.length, j = b.length; i > 0; ) {
    const here = cost[i * width + j] as number;
    const isSame = j > 0 && a[i - 1] === b[j - 1];
    if (j > 0 && here === (cost[(i - 1) * width + j - 1] as number) + (isSame ? 0 : 1)) places[--i] = --j;
    else if (here === (cost[(i - 1) * width + j] as number) + 1) i--;
    else j--;
  }
  return places;
}

/** The value that this share of all lie at or below. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? Number.NaN;
}
