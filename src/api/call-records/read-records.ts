import Type from "typebox";
import { Compile } from "typebox/compile";
import type { CallRecord } from "../../models/call-records.ts";
import { CallsiftError } from "../../pipeline/errors.ts";
import { orNull, strict } from "../schemas/common.ts";
import { readTime } from "../time.ts";
import { checkValue, invalidAt } from "../validate.ts";
import { csvRows } from "./csv-rows.ts";
import { decodeText } from "./decode-text.ts";
import { elementsOf } from "./json-elements.ts";

/** A year of a large centre at once is a mistake. */
const MAX_ROWS = 2_000_000;
const MAX_BYTES = 512 * 1024 * 1024;

const Text = Type.String({ minLength: 1, maxLength: 200 });
const DAY_MS = 86_400_000;

/** A call that the telephone system says took place. */
export const CallRecordRow = strict({
  callId: Text,
  startedAt: Type.String({
    minLength: 10,
    maxLength: 40,
    description: "2025-03-01T09:30:00+08:00; without a zone in that of the installation",
  }),
  agentId: Type.Optional(orNull(Text)),
  durationMs: Type.Optional(orNull(Type.Integer({ minimum: 0, maximum: 7 * DAY_MS }))),
});
type Row = Type.Static<typeof CallRecordRow>;

const row = Compile(CallRecordRow);
const COLUMNS = { known: ["callId", "startedAt", "agentId", "durationMs"], needed: ["callId", "startedAt"] } as const;

/** How the list is written. */
export interface RecordsFormat {
  readonly type: "json" | "csv";
  readonly charset?: string;
}

/**
 * Reads the telephone system's list as it comes; what has been read is let go of.
 *
 * @param timeZone of times without one
 * @throws CallsiftError `request/invalid` naming the row, `request/too-large`
 */
export async function* readRecords(bytes: AsyncIterable<Buffer>, format: RecordsFormat, timeZone: string): AsyncGenerator<CallRecord> {
  const text = decodeText(counted(bytes), format.charset);
  const clock = createClock(timeZone);
  let rows = 0;
  const record = (value: unknown, at: string): CallRecord => {
    rows += 1;
    if (rows > MAX_ROWS) throw new CallsiftError("request/too-large", `expected at most ${MAX_ROWS} calls, got more`);
    if (!row.Check(value)) checkValue(CallRecordRow, value, at);
    const { callId, startedAt, agentId, durationMs } = value as Row;
    return {
      callId,
      startedAt: clock(startedAt, `${at}/startedAt`),
      ...(agentId != null && { agentId }),
      ...(durationMs != null && { durationMs }),
    };
  };
  if (format.type === "json") for await (const element of elementsOf(text)) yield record(element, `body/${rows}`);
  else
    for await (const { line, cells } of csvRows(text, COLUMNS)) {
      const { durationMs } = cells;
      yield record({ ...cells, ...(durationMs !== undefined && { durationMs: numberOf(durationMs) }) }, `body/line ${line}`);
    }
}

async function* counted(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let total = 0;
  for await (const chunk of bytes) {
    total += chunk.length;
    if (total > MAX_BYTES) throw new CallsiftError("request/too-large", `expected at most ${MAX_BYTES} bytes, got more`);
    yield chunk;
  }
}

/** What is no number stays text, for the schema to refuse. */
function numberOf(cell: string): number | string {
  return /^\d{1,12}$/.test(cell) ? Number(cell) : cell;
}

const TIME = /^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ]+(\d{1,2}):(\d{2})(:\d{2}(?:\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?$/;

/** Reads times as telephone systems and spreadsheets write them; the zone's clock is looked at once an hour of the list, not once a row. */
function createClock(timeZone: string): (text: string, at: string) => Date {
  let hour = "";
  let hourMs = 0;
  return (text, at) => {
    const match = TIME.exec(text);
    if (!match) throw invalidAt(at, "expected a time like 2025-03-01T09:30:00+08:00");
    const [, year = "", month = "", day = "", hours = "0", minutes = "00", seconds = ":00", zone] = match;
    const date = `${year}-${month.padStart(2, "0")}-${day.padStart(2, "0")}T${hours.padStart(2, "0")}`;
    if (zone !== undefined)
      return readTime(
        `${date}:${minutes}${seconds}${zone.length === 5 ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone}`,
        at,
        timeZone,
      ) as Date;
    if (date !== hour) {
      hourMs = (readTime(`${date}:00`, at, timeZone) as Date).getTime();
      hour = date;
    }
    const ms = Number(minutes) * 60_000 + Number(seconds.slice(1)) * 1000;
    if (Number(minutes) > 59 || Number(seconds.slice(1)) >= 60) throw invalidAt(at, "expected a time of day");
    return new Date(hourMs + Math.floor(ms));
  };
}
