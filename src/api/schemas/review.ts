import Type, { type Static } from "typebox";
import type { Review as SavedReview } from "../../models/reviews.ts";
import { Review, ReviewState } from "./calls.ts";
import { Instant, oneOf, orNull, strict } from "./common.ts";
import { Score } from "./screening.ts";

const Note = Type.Optional(Type.String({ maxLength: 4_000 }));
const Decision = oneOf(["confirmed", "rejected", "unsure"]);
const Status = oneOf(["draft", "submitted"]);
const Key = Type.String({ minLength: 1, maxLength: 64 });
const Ms = Type.Integer({ minimum: 0, maximum: 86_400_000 });
const Hash = Type.String({ pattern: "^[0-9a-f]{64}$" });

/** All that a person says of a call; it takes the place of the version before. */
export const ReviewChange = strict({
  version: Type.Integer({ minimum: 0, maximum: 1_000_000, description: "Of the review that was seen; 0 where there was none" }),
  findings: Type.Optional(Type.Array(strict({ id: Key, decision: Decision, note: Note }), { maxItems: 5_000 })),
  items: Type.Optional(
    Type.Array(strict({ item: Key, points: Type.Number(), reason: Type.String({ maxLength: 4_000 }) }), {
      maxItems: 2_000,
      description: "Points instead of the machine's, each with a reason",
    }),
  ),
  added: Type.Optional(
    Type.Array(strict({ rule: Key, startMs: Ms, endMs: Ms, note: Note }), {
      maxItems: 2_000,
      description: "What the machine did not find",
    }),
  ),
  submit: Type.Optional(Type.Boolean()),
  screening: Type.Optional(
    strict(
      { recipe: Hash, policy: Hash },
      { description: "The screening that was looked at, to be sure after a re-score; default: that of the review before, else the call's" },
    ),
  ),
});

export const ReviewSaved = Type.Object({
  version: Type.Integer(),
  score: Score,
  status: Status,
  undecided: Type.Array(Type.String(), { description: "Findings that cost points and that nobody has confirmed or rejected" }),
});

/** Where a call is in the hands of people. */
export const Claim = Type.Object({
  id: Type.String(),
  state: ReviewState,
  by: orNull(Type.String()),
  until: orNull(Instant),
  version: Type.Integer(),
});

const ScreeningKey = Type.Object({ recipe: Type.String(), policy: Type.String() });

/** The latest version, with the screening that it is of. */
export const CurrentReview = Type.Object({ ...Review.properties, screening: orNull(ScreeningKey), scored: orNull(Score) });

/** One saved version. */
export const ReviewVersion = Type.Object({
  version: Type.Integer(),
  by: Type.String(),
  at: Instant,
  status: Status,
  screening: ScreeningKey,
  findings: Review.properties.findings,
  items: Review.properties.items,
  added: Review.properties.added,
  score: Score,
});

/** A version as it leaves. */
export function reviewVersion({
  version,
  by,
  at,
  status,
  recipe,
  policy,
  findings,
  items,
  added,
  score,
}: SavedReview): Static<typeof ReviewVersion> {
  return {
    ...{ version, by, at, status },
    screening: { recipe, policy },
    findings: [...findings],
    items: [...items],
    added: [...added],
    score: score as Static<typeof Score>,
  };
}
