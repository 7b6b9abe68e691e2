/** A child process that tries weights, and may die of them (self-test.ts). */
import { CallsiftError } from "../../errors.ts";
import type { TrialAnswer } from "./self-test.ts";
import { type TrialOrder, tryWeights } from "./trial.ts";

// Whoever asked hangs up when they have the answer, or are gone.
process.once("disconnect", () => process.exit(0));
const answer = (said: TrialAnswer) => process.send?.(said);

process.once("message", (order: TrialOrder) => {
  tryWeights(order).then(
    (report) => answer({ report }),
    (error: unknown) => {
      if (error instanceof CallsiftError) answer({ code: error.code, message: error.message });
      else process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`, () => process.exit(1));
    },
  );
});
