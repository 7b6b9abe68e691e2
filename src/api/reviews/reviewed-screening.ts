import type { Call } from "../../models/calls.ts";
import type { Models } from "../../models/models.ts";
import type { Review } from "../../models/reviews.ts";
import { CallsiftError } from "../../pipeline/errors.ts";
import type { Screening } from "../../pipeline/screening.ts";

/** Names a screening of a call. */
export interface ScreeningKey {
  readonly recipe: string;
  readonly policy: string;
}

/** The screening that people see and judge: that of the saved review, which it is about for ever, else the call's own. null while there is none. */
export function reviewedKey(call: Pick<Call, "recipe" | "policy">, saved: Review | null): ScreeningKey | null {
  if (saved) return { recipe: saved.recipe, policy: saved.policy };
  return call.recipe !== null && call.policy !== null ? { recipe: call.recipe, policy: call.policy } : null;
}

/**
 * The screening that a review is of.
 *
 * @throws CallsiftError `review/not-scored`, `request/invalid` where another one than is there was asked for
 */
export async function reviewedScreening(
  models: Pick<Models, "screenings">,
  call: Pick<Call, "id" | "summary" | "recipe" | "policy">,
  saved: Review | null,
  asked?: ScreeningKey,
): Promise<Screening> {
  const key = asked ?? (call.summary ? reviewedKey(call, saved) : null);
  if (!key) throw new CallsiftError("review/not-scored", "expected a call with a pre-score, got one without");
  const screening = await models.screenings.get(call.id, key.recipe, key.policy);
  if (screening) return screening;
  if (asked)
    throw new CallsiftError("request/invalid", "body/screening: expected a screening of this call", {
      details: { path: "body/screening" },
    });
  throw new CallsiftError("store/damaged", `expected the screening of call ${call.id}, got none`);
}
