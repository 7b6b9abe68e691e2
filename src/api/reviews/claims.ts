import type { Call } from "../../models/calls.ts";
import type { Models } from "../../models/models.ts";
import type { UserRole } from "../../models/people.ts";
import { CallsiftError } from "../../pipeline/errors.ts";
import { SUPERVISORS } from "../auth/access.ts";
import type { Caller } from "../auth/caller.ts";
import { notFound } from "../problem.ts";

/** How long a claim holds; every change renews it. */
export const CLAIM_MS = 15 * 60_000;

/**
 * Claims the call for the caller, or renews their claim.
 *
 * @throws CallsiftError `review/not-scored`, `review/claimed` with who and until when
 */
export async function claim(models: Pick<Models, "calls" | "users">, call: Call, { user }: Caller): Promise<Call> {
  if (!call.summary) throw new CallsiftError("review/not-scored", `expected a call with a pre-score, got one that is ${call.status}`);
  const result = await models.calls.claim(call.id, user.id, CLAIM_MS);
  if (!result) throw notFound("no such call");
  if (!result.claimed) throw await heldError(models, result.call);
  return result.call;
}

/** Whether a review that is done may be changed once more: by who has done it, and by supervisors. */
export function mayRevise({ review }: Pick<Call, "review">, user: string, role: UserRole): boolean {
  return review?.state === "done" && (review.by === user || SUPERVISORS.includes(role));
}

/** `review/claimed`: somebody else has the call, or has done it. */
export async function heldError({ users }: Pick<Models, "users">, { review }: Pick<Call, "review">): Promise<CallsiftError> {
  const by = review?.by ?? null;
  const name = (by === null ? null : await users.get(by))?.name ?? null;
  const until = review?.until ?? null;
  const message =
    review?.state === "done"
      ? `expected an open call, got one that ${name ?? "somebody"} has done`
      : `expected a free call, got one that ${name ?? "somebody else"} has claimed${until ? ` until ${until.toISOString()}` : ""}`;
  return new CallsiftError("review/claimed", message, {
    details: { by, name, until: until?.toISOString() ?? null, state: review?.state ?? "open" },
  });
}
