/**
 * JSON with the keys of every object in code-unit order and without `undefined`: equal data gives equal text, whatever the order in
 * which a file lists its keys. Numbers and strings as ECMAScript writes them, which is RFC 8785.
 *
 * @throws TypeError for what JSON cannot hold (a function, a bigint, a number that is not finite)
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === "boolean" || typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new TypeError(`a finite number expected, ${value} came`);
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map((entry) => canonicalJson(entry)).join(",")}]`;
  if (typeof value === "object") {
    const entries = Object.entries(value).filter(([, entry]) => entry !== undefined);
    entries.sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([key, entry]) => `${JSON.stringify(key)}:${canonicalJson(entry)}`).join(",")}}`;
  }
  throw new TypeError(`JSON data expected, a ${typeof value} came`);
}
