import type { Call } from "../../models/calls.ts";
import type { Models } from "../../models/models.ts";
import type { Review } from "../../models/reviews.ts";

/** Tells the webhooks that want to know that a review is done; once for each version. No words and no number of the customer leave. */
export async function tellReviewed(
  { settings, deliveries }: Pick<Models, "settings" | "deliveries">,
  call: Call,
  review: Review,
): Promise<void> {
  const { webhooks } = await settings.get();
  const { callId, agentId, team, queue, startedAt } = call.metadata;
  const { total, max, band, fatal, complete } = review.score;
  const body = JSON.stringify({
    event: "review.submitted",
    call: {
      id: call.id,
      metadata: { callId, agentId, team, queue, startedAt },
      status: call.status,
      score: { total, max, band, fatal, complete },
      review: { version: review.version, by: review.by, at: review.at },
    },
  });
  for (const webhook of webhooks) {
    if (!webhook.events.includes("review.submitted")) continue;
    await deliveries.add({ webhook: webhook.id, event: "review.submitted", callId: call.id, body, key: `${call.id} ${review.version}` });
  }
}
