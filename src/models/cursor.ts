import { createHash } from "node:crypto";
import { CallsiftError } from "../pipeline/errors.ts";
import { canonicalJson } from "../pipeline/rules/canonical-json.ts";

/** What a cursor holds: the sort values of the last item of a page. */
export type CursorValues = readonly (string | number | null)[];

const MAX_CURSOR = 2000;

/**
 * Opaque text for the page after an item. `bound` is all that the list depends on (its name, the person's scope, filter, order, query): a cursor is
 * refused for anything else. It opens nothing: the list is filtered by scope whatever the cursor says.
 */
export function makeCursor(bound: unknown, values: CursorValues): string {
  return Buffer.from(JSON.stringify([fingerprint(bound), ...values]), "utf8").toString("base64url");
}

/**
 * The values that `makeCursor` was given.
 *
 * @throws CallsiftError `request/invalid` for text that is no cursor, or one of another list, person or filter
 */
export function readCursor(
  bound: unknown,
  cursor: string,
  kinds: readonly ("string" | "number" | "string-or-null" | "number-or-null")[],
): CursorValues {
  const values = typeof cursor === "string" && cursor.length <= MAX_CURSOR ? parsed(cursor) : null;
  if (values === null || values[0] !== fingerprint(bound)) throw foreign();
  const rest = values.slice(1);
  const fits = rest.length === kinds.length && rest.every((value, i) => isOfKind(value, kinds[i] as string));
  if (!fits) throw foreign();
  return rest as CursorValues;
}

const foreign = (): CallsiftError =>
  new CallsiftError(
    "request/invalid",
    "cursor: expected the nextCursor of the page before, asked for by the same person with the same filters",
    {
      details: { path: "cursor" },
    },
  );

function parsed(cursor: string): unknown[] | null {
  try {
    const values: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
    return Array.isArray(values) ? values : null;
  } catch {
    return null;
  }
}

function isOfKind(value: unknown, kind: string): boolean {
  if (value === null) return kind.endsWith("-or-null");
  if (kind.startsWith("number")) return typeof value === "number" && Number.isFinite(value);
  return typeof value === "string";
}

/** 72 bits: two lists are not mistaken for each other. */
function fingerprint(bound: unknown): string {
  return createHash("sha256")
    .update(canonicalJson(plain(bound)))
    .digest("base64url")
    .slice(0, 12);
}

/** Dates as text, so that any filter can be bound. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value ?? null));
