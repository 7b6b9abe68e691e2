/** Names days of one time zone. */
export interface DayNamer {
  /** YYYY-MM-DD of this moment. */
  (at: Date): string;
  /** Every day that `[from, to)` touches, ascending. */
  readonly between: (from: Date, to: Date) => readonly string[];
}

/** Zones change their offset at full quarters of an hour only: within one, the day is the same. */
const QUARTER_MS = 15 * 60_000;
const HALF_DAY_MS = 12 * 3_600_000;

/** Days of an IANA time zone, e.g. `Asia/Shanghai`. */
export function dayNamer(timeZone: string): DayNamer {
  const format = new Intl.DateTimeFormat("en-CA", { timeZone, year: "numeric", month: "2-digit", day: "2-digit" });
  const known = new Map<number, string>();
  const nameOf = (at: Date): string => {
    const quarter = Math.floor(at.getTime() / QUARTER_MS);
    const name = known.get(quarter) ?? isoDay(format.formatToParts(new Date(quarter * QUARTER_MS)));
    known.set(quarter, name);
    return name;
  };
  const between = (from: Date, to: Date): string[] => {
    if (from >= to) return [];
    const days = new Set<string>();
    // No day is shorter than this, whatever the clocks do.
    for (let at = from.getTime(); at < to.getTime(); at += HALF_DAY_MS) days.add(nameOf(new Date(at)));
    days.add(nameOf(new Date(to.getTime() - 1)));
    return [...days].sort();
  };
  return Object.assign(nameOf, { between });
}

function isoDay(parts: readonly Intl.DateTimeFormatPart[]): string {
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.find((one) => one.type === type)?.value ?? "";
  return `${part("year").padStart(4, "0")}-${part("month")}-${part("day")}`;
}
