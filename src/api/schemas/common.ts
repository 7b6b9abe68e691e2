import Type, { type Static, type TSchema } from "typebox";
import { ERRORS } from "../../pipeline/errors.ts";

/** A text of a few. */
export function oneOf<const Values extends readonly string[]>(values: Values, options: Type.TSchemaOptions = {}) {
  return Type.Unsafe<Values[number]>({ type: "string", enum: [...values], ...options });
}

/** The same, or null; as one schema with two types, so that it is written and read without trying branches. */
export function orNull<Schema extends TSchema>(schema: Schema) {
  const { type, enum: values } = schema as { type?: string; enum?: unknown[] };
  return Type.Unsafe<Static<Schema> | null>({ ...schema, type: [type, "null"], ...(values && { enum: [...values, null] }) });
}

/** An object that has these fields and no other. */
export function strict<Properties extends Type.TProperties>(properties: Properties, options: Type.TObjectOptions = {}) {
  return Type.Object(properties, { additionalProperties: false, ...options });
}

/** An instant, as ISO 8601 text in answers; handlers may give a Date. */
export const Instant = Type.Unsafe<Date | string>({ type: "string", format: "date-time" });

/** A day and time of a request. */
export const RequestTime = Type.String({
  pattern: "^\\d{4}-\\d{2}-\\d{2}(T\\d{2}:\\d{2}(:\\d{2}(\\.\\d{1,9})?)?(Z|[+-]\\d{2}:\\d{2})?)?$",
  description: "A day (2025-03-01) or a time (2025-03-01T09:30:00+08:00); without a zone in the time zone of the installation.",
});

export const Id = Type.String({ pattern: "^[A-Za-z0-9_-]{1,64}$" });

/** Of the path; a text of another shape names nothing, so its check is the look-up itself. */
export const IdParams = Type.Object({ id: Type.String() });

/** What every refusal is (docs/reference/errors.md). */
export const Problem = Type.Object(
  {
    code: oneOf(Object.keys(ERRORS) as (keyof typeof ERRORS)[]),
    message: Type.String(),
    details: Type.Optional(Type.Unsafe<Readonly<Record<string, unknown>>>({ type: "object", additionalProperties: true })),
  },
  { $id: "Problem", description: "What went wrong: a code of the table, and a sentence for people." },
);

export const PageQuery = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: 50 })),
  cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 2_000, description: "nextCursor of the page before" })),
};

/** One page of a list. */
export function page<Item extends TSchema>(item: Item) {
  return Type.Object({ items: Type.Array(item), nextCursor: orNull(Type.String()) });
}

/** Without a body. */
export const NoContent = Type.Null({ description: "Done" });

/** An answer that is not JSON. */
export function binary(...types: readonly string[]) {
  return {
    description: "The bytes",
    content: Object.fromEntries(types.map((type) => [type, { schema: { type: "string", format: "binary" } }])),
  };
}
