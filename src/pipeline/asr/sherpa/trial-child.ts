/** A child process that tries weights, and may die of them (self-test.ts). */
import { type TrialOrder, tryWeights } from "./trial.ts";

process.once("message", (order: TrialOrder) => {
  tryWeights(order).then(
    (report) => process.send?.(report, () => process.exit(0)),
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`, () => process.exit(1));
    },
  );
});
