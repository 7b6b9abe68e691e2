import { invalidAt } from "./validate.ts";

const TIME = /^(\d{4})-(\d{2})-(\d{2})(?:T(\d{2}):(\d{2})(?::(\d{2}(?:\.\d{1,9})?))?(Z|[+-]\d{2}:\d{2})?)?$/;

/**
 * A day or time of a request; a day is its first instant, and what has no zone is in the installation's.
 *
 * @throws CallsiftError `request/invalid` for a day or time that does not exist
 */
export function readTime(text: string | undefined, path: string, timeZone: string): Date | undefined {
  if (text === undefined) return undefined;
  const match = TIME.exec(text);
  const day = match && new Date(`${match[1]}-${match[2]}-${match[3]}T00:00:00Z`);
  // The 31st of February becomes the 3rd of March: not the day that was written.
  if (!match || !day || Number.isNaN(day.getTime()) || day.toISOString().slice(0, 10) !== text.slice(0, 10)) throw noSuch(path);
  const [hour = "00", minute = "00", second = "00", zone] = match.slice(4);
  const instant = new Date(`${text.slice(0, 10)}T${hour}:${minute}:${second.padEnd(2, "0")}${zone ?? "Z"}`);
  if (Number.isNaN(instant.getTime())) throw noSuch(path);
  return zone ? instant : inZone(instant.getTime(), timeZone);
}

function noSuch(path: string): Error {
  return invalidAt(path, "expected a day like 2025-03-01 or a time like 2025-03-01T09:30:00+08:00");
}

/** The instant at which clocks of the zone show what `utcMs` shows in UTC; in the hour that is left out in spring, the one after it. */
function inZone(utcMs: number, timeZone: string): Date {
  const guess = utcMs - offsetMs(utcMs, timeZone);
  return new Date(utcMs - offsetMs(guess, timeZone));
}

/** How far clocks of the zone are ahead of UTC. */
function offsetMs(atMs: number, timeZone: string): number {
  const parts = clockOf(timeZone).formatToParts(atMs);
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = ["year", "month", "day", "hour", "minute", "second"].map(
    (type) => Number(parts.find((part) => part.type === type)?.value),
  );
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(atMs / 1000) * 1000;
}

/** Making one takes a millisecond, and an installation has one zone. */
const clocks = new Map<string, Intl.DateTimeFormat>();

function clockOf(timeZone: string): Intl.DateTimeFormat {
  const known = clocks.get(timeZone);
  if (known) return known;
  const clock = new Intl.DateTimeFormat("en-US", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  clocks.set(timeZone, clock);
  return clock;
}
