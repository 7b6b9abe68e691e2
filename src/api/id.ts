/** The shape that ids of ours have; anything else names nothing. */
const ID = /^[A-Za-z0-9_-]{1,64}$/;

/** Whether a text may be the id of something; what is not one is answered as not found, without a look at the database. */
export function isId(value: unknown): value is string {
  return typeof value === "string" && ID.test(value);
}
