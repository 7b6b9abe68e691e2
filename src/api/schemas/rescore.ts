import Type from "typebox";
import { strict } from "./common.ts";
import { PolicyId } from "./policies.ts";

export const RescoreBody = strict({
  rules: Type.Optional(Type.Array(PolicyId, { minItems: 1, maxItems: 2_000, description: "Only these rules at their version in force" })),
  form: Type.Optional(PolicyId),
  dryRun: Type.Optional(Type.Boolean({ description: "Say what would change, and change nothing" })),
});

const Count = Type.Integer();

/** What judging stored calls again changed, or would change (models/rescore.ts). */
export const RescoreReport = Type.Object({
  dryRun: Type.Boolean(),
  calls: Count,
  changed: Count,
  reviewed: Count,
  skipped: Count,
  rules: Type.Array(Type.Object({ rule: Type.String(), before: Count, after: Count, gained: Count, lost: Count })),
  scores: Type.Object({
    raised: Count,
    lowered: Count,
    meanBefore: Type.Unsafe<number | null>({ type: ["number", "null"] }),
    meanAfter: Type.Unsafe<number | null>({ type: ["number", "null"] }),
  }),
  bands: Type.Array(Type.Object({ from: Type.String(), to: Type.String(), calls: Count })),
  examples: Type.Array(
    Type.Object({
      callId: Type.String(),
      scoreBefore: Type.Number(),
      scoreAfter: Type.Number(),
      bandBefore: Type.String(),
      bandAfter: Type.String(),
    }),
  ),
});
