import type { Static } from "typebox";
import type { Call } from "../../models/calls.ts";
import type { Models } from "../../models/models.ts";
import type { Review } from "../../models/reviews.ts";
import { type CallDetail, reviewOf } from "../schemas/calls.ts";

/** A call whole, with the screening that its review is of. */
export async function callDetail(call: Call, models: Pick<Models, "reviews" | "screenings">): Promise<Static<typeof CallDetail>> {
  const { id, status, error, name, metadata, receivedAt, startedAt, attempts, sampled } = call;
  const review = call.review && call.review.version > 0 ? await models.reviews.latest(id) : null;
  // What people have said names findings of the screening that they saw.
  const { recipe, policy } = review ?? call;
  const screening = recipe !== null && policy !== null ? await models.screenings.get(id, recipe, policy) : null;
  return {
    ...{ id, status, error, name, metadata, receivedAt, startedAt, attempts, sampled, screening },
    review: reviewOf(call, review),
    finalScore: (await finalScoreOf(call, review, models)) as Static<typeof CallDetail>["finalScore"],
  };
}

/** Of the latest submitted review; a draft that follows it changes nothing yet. */
async function finalScoreOf({ id, review }: Call, latest: Review | null, { reviews }: Pick<Models, "reviews">) {
  if (latest?.status === "submitted") return latest.score;
  if (review === null || review.score === null) return null;
  const submitted = (await reviews.history(id)).filter(({ status }) => status === "submitted");
  const last = submitted.reduce<Review | null>((newest, one) => (newest === null || one.version > newest.version ? one : newest), null);
  return last?.score ?? null;
}
