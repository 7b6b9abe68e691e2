import { readTime } from "./time.ts";
import { invalidAt } from "./validate.ts";

/** A ledger of a year and a day: a leap year, both ends included. */
const MAX_DAYS = 367;
const DAY_MS = 86_400_000;

/**
 * The range of a ledger, half-open; without an end until today, without a start from six days before the end. `to` given as a day is covered whole, as people mean it.
 *
 * @throws CallsiftError `request/invalid`
 */
export function coverageRange(
  query: { readonly from?: string; readonly to?: string },
  timeZone: string,
  now = new Date(),
): { readonly from: Date; readonly to: Date } {
  const to = query.to ?? new Intl.DateTimeFormat("sv-SE", { timeZone }).format(now);
  const end = readTime(to.length === 10 ? daysAfter(to, 1) : to, "query/to", timeZone) as Date;
  const start = readTime(query.from ?? daysAfter(to.slice(0, 10), -6), "query/from", timeZone) as Date;
  if (end <= start) throw invalidAt("query/to", "expected a day or time after from");
  if (end.getTime() - start.getTime() > MAX_DAYS * DAY_MS) throw invalidAt("query/to", `expected at most ${MAX_DAYS - 1} days after from`);
  return { from: start, to: end };
}

/** A day that doesn't exist stays as it is, for the reader to refuse. */
function daysAfter(day: string, days: number): string {
  const at = new Date(`${day}T00:00:00Z`);
  if (Number.isNaN(at.getTime()) || at.toISOString().slice(0, 10) !== day) return day;
  return new Date(at.getTime() + days * DAY_MS).toISOString().slice(0, 10);
}
