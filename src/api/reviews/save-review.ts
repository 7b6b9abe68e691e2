import type { Static } from "typebox";
import type { Call } from "../../models/calls.ts";
import type { Models } from "../../models/models.ts";
import type { Review } from "../../models/reviews.ts";
import { CallsiftError } from "../../pipeline/errors.ts";
import { applyReview } from "../../pipeline/scoring/review.ts";
import type { Caller } from "../auth/caller.ts";
import { notFound } from "../problem.ts";
import type { ReviewChange } from "../schemas/review.ts";
import { CLAIM_MS, claim, heldError, mayRevise } from "./claims.ts";
import type { KeptPolicies } from "./kept-policies.ts";
import { reviewedScreening } from "./reviewed-screening.ts";

/** A saved review, and which findings that cost points nobody has decided about yet. */
export interface SavedReview {
  readonly review: Review;
  readonly undecided: readonly string[];
}

/**
 * Scores what a person says of a call by the rules and the form that it was judged by, and saves it as the next version. A call that nobody holds is claimed: what somebody wrote is
 * not lost because their claim has run out and nobody came.
 *
 * @throws CallsiftError `review/not-scored`, `review/claimed`, `review/stale`, `review/incomplete`, `request/invalid`
 */
export async function saveReview(
  models: Pick<Models, "calls" | "reviews" | "screenings" | "users">,
  policyOf: KeptPolicies,
  call: Call,
  caller: Caller,
  change: Static<typeof ReviewChange>,
): Promise<SavedReview> {
  const { user, role } = caller;
  if (!call.summary) throw new CallsiftError("review/not-scored", `expected a call with a pre-score, got one that is ${call.status}`);
  const held = isHeldByOther(call, user.id);
  if (held && !mayRevise(call, user.id, role)) throw await heldError(models, call);
  const latest = await models.reviews.latest(call.id);
  if (change.version !== (latest?.version ?? 0)) throw staleError(latest, change.version);
  const screening = await reviewedScreening(models, call, latest, change.screening);
  const marks = { findings: change.findings ?? [], items: change.items ?? [], added: change.added ?? [] };
  const { score, undecided } = applyReview(screening, await policyOf(screening), marks);
  if (change.submit === true && undecided.length > 0)
    throw new CallsiftError("review/incomplete", `expected a decision about ${undecided.join(", ")}, got none`, {
      details: { findings: undecided },
    });
  if (call.review?.state !== "done") await claim(models, call, caller);
  const review: Review = {
    callId: call.id,
    version: change.version + 1,
    recipe: screening.recipe,
    policy: screening.policy,
    by: user.id,
    at: new Date(),
    ...marks,
    status: change.submit === true ? "submitted" : "draft",
    score,
  };
  const saved = await models.reviews.save(review, CLAIM_MS);
  if (saved === "stale") throw staleError(await models.reviews.latest(call.id), change.version);
  if (saved === "not-claimed") {
    const now = await models.calls.get(call.id);
    throw now ? await heldError(models, now) : notFound("no such call");
  }
  return { review, undecided };
}

function isHeldByOther({ review }: Call, user: string): boolean {
  if (!review || review.state === "open") return false;
  return review.state === "done" || review.by !== user;
}

function staleError(latest: Review | null, version: number): CallsiftError {
  const current = latest?.version ?? 0;
  return new CallsiftError("review/stale", `expected version ${current}, got ${version}`, {
    details: { version: current, review: latest && shown(latest) },
  });
}

function shown({ version, by, at, status, findings, items, added, score }: Review) {
  return { version, by, at, status, findings, items, added, score };
}
