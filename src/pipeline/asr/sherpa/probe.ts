import { FAMILIES } from "./families.ts";
import { inspectSherpa, type SherpaWeights } from "./inspect.ts";
import { runTrial, type TrialOptions } from "./self-test.ts";

/**
 * Whether the weights in a folder can be used: looked into, then loaded and tried in a child process, which may die of them.
 *
 * @throws CallsiftError `weights/missing`, `weights/damaged`, `weights/foreign`, `aborted`
 */
export async function probeSherpa(folder: string, options: TrialOptions = {}): Promise<SherpaWeights> {
  const weights = inspectSherpa(folder);
  const { config } = FAMILIES[weights.family];
  await runTrial({ original: config(weights.modelPath), tokensPath: weights.tokensPath, signed: null, own: null }, options);
  return weights;
}
