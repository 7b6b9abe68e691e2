import { type Filled, missingOf } from "./fill.ts";
import type { Form, OutcomeTest } from "./schema.ts";

/** The results of a form's outcomes, and the band that one of them sets. */
export interface Decided {
  /** By outcome id. */
  readonly results: Readonly<Record<string, string>>;
  /** null where no result sets one. */
  readonly band: string | null;
}

/** Answers each outcome's question from the filled lines. */
export function decideOutcomes(form: Form, filled: readonly Filled[], fatal: boolean): Decided {
  const tally = tallyOf(form, filled, fatal);
  const results: Record<string, string> = {};
  let band: string | null = null;
  for (const outcome of form.outcomes ?? []) {
    const result = outcome.results.find(({ when }) => !when || holds(when, tally));
    if (!result) continue;
    results[outcome.id] = result.id;
    band ??= result.band ?? null;
  }
  return { results, band };
}

interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly keyFailed: number;
  readonly nonKeyFailed: number;
  readonly notApplicable: number;
  readonly fatal: boolean;
  /** By item. */
  readonly faults: ReadonlyMap<string, number>;
}

function tallyOf(form: Form, filled: readonly Filled[], fatal: boolean): Tally {
  const counted = filled.filter(({ line }) => line.max > 0);
  const failed = counted.filter(({ points }) => points === 0);
  const isKey = ({ line }: Filled) => line.item.kind === "check" && line.item.key === true;
  // An unknown item that the form gives in full counts as passed until somebody knows better; one that doesn't apply never does.
  const passed = counted.filter((line) =>
    line.points === null ? line.status !== "not-applicable" && missingOf(line, form) === "full" : line.points === line.line.max,
  );
  return {
    passed: passed.length,
    failed: failed.length,
    keyFailed: failed.filter(isKey).length,
    nonKeyFailed: failed.filter((line) => !isKey(line)).length,
    notApplicable: counted.filter(({ status }) => status === "not-applicable").length,
    fatal,
    faults: new Map(filled.map(({ line, faults }) => [line.id, faults])),
  };
}

const COUNTS = ["passed", "failed", "keyFailed", "nonKeyFailed", "notApplicable"] as const;

function holds(test: OutcomeTest, tally: Tally): boolean {
  const countsHold = COUNTS.every((name) => {
    const { atLeast = 0, atMost = Number.POSITIVE_INFINITY } = test[name] ?? {};
    return tally[name] >= atLeast && tally[name] <= atMost;
  });
  const faultsHold = !test.faults || (tally.faults.get(test.faults.item) ?? 0) >= test.faults.atLeast;
  return countsHold && faultsHold && (test.fatal === undefined || test.fatal === tally.fatal);
}
