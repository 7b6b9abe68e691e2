import Type from "typebox";
import { CallFilterQuery } from "./calls.ts";
import { oneOf, orNull, PageQuery, strict } from "./common.ts";
import { CallRole } from "./screening.ts";

/** The longest query that is read; what people write has a line. */
const MAX_QUERY = 1_000;

export const SearchTerms = {
  q: Type.String({ minLength: 1, maxLength: MAX_QUERY, description: 'Phrases in quotes, AND OR NOT ( ), NEAR/n, "agent:", "customer:"' }),
  sound: Type.Optional(Type.Boolean({ description: "Also what sounds the same" })),
  ...CallFilterQuery,
};

export const SearchQuery = strict({ ...SearchTerms, ...PageQuery });

/** A place in a call where the words are. */
export const SearchHit = Type.Object({
  callId: Type.String(),
  role: orNull(CallRole),
  startMs: Type.Integer(),
  endMs: Type.Integer(),
  text: Type.String(),
  marks: Type.Array(Type.Array(Type.Integer(), { minItems: 2, maxItems: 2 }), {
    description: "Half-open ranges of the text, in UTF-16 units",
  }),
  match: oneOf(["exact", "sound"]),
});

export const SearchAnswer = Type.Object({
  items: Type.Array(SearchHit),
  total: Type.Integer(),
  nextCursor: orNull(Type.String()),
});
