import type { Connection } from "mongoose";
import type { CallRecordDocument, CoverageDay } from "./call-records.ts";
import { type CallDocument, callModel } from "./calls-document.ts";
import { type TombstoneDocument, tombstoneModel } from "./calls-tombstones.ts";
import { dayNamer } from "./days.ts";

/** Keys that are looked up at once. */
const LOOKED_UP = 1000;
const MISSING_SHOWN = 100;

type Row = { -readonly [Field in keyof CoverageDay]: CoverageDay[Field] } & { missing: string[] };

/** What the ledger is made of; the two collections by the shape that it needs. */
export interface CoverageSources {
  /** Deleted ones among them. */
  readonly calls: (from: Date, to: Date) => AsyncIterable<Pick<CallDocument, "startedAt" | "ledger" | "callKey">>;
  readonly records: (from: Date, to: Date) => AsyncIterable<Pick<CallRecordDocument, "startedAt" | "callId" | "callKey">>;
  /** Which of these keys calls have, deleted ones among them. */
  readonly callsKnown: (keys: readonly string[]) => Promise<ReadonlySet<string>>;
  readonly recordsKnown: (keys: readonly string[]) => Promise<ReadonlySet<string>>;
}

/** The ledger of all days that `[from, to)` touches, each call and record counted once. Both collections are read along their indexes, never as documents of calls. */
export async function readCoverage(sources: CoverageSources, from: Date, to: Date, timeZone: string): Promise<readonly CoverageDay[]> {
  const nameDay = dayNamer(timeZone);
  const rows = new Map(nameDay.between(from, to).map((date) => [date, emptyRow(date)]));
  const rowOf = (at: Date): Row => {
    const date = nameDay(at);
    const row = rows.get(date) ?? emptyRow(date);
    rows.set(date, row);
    return row;
  };
  for await (const calls of inBatches(sources.calls(from, to))) {
    const known = await sources.recordsKnown(calls.flatMap(({ callKey }) => (callKey === null ? [] : [callKey])));
    for (const { startedAt, ledger, callKey } of calls) {
      const row = rowOf(startedAt);
      row.received++;
      row[ledger]++;
      if (callKey === null || !known.has(callKey)) row.unexpected++;
    }
  }
  for await (const records of inBatches(sources.records(from, to))) {
    const known = await sources.callsKnown(records.map(({ callKey }) => callKey));
    for (const { startedAt, callId, callKey } of records) {
      const row = rowOf(startedAt);
      row.expected++;
      if (known.has(callKey)) continue;
      row.missingCount++;
      if (row.missing.length < MISSING_SHOWN) row.missing.push(callId);
    }
  }
  return [...rows.values()].sort((a, b) => (a.date < b.date ? -1 : 1));
}

/** The ledger's sources in the database. */
export function coverageSources(connection: Connection, tenant: string): CoverageSources {
  const calls = callModel(connection);
  const tombstones = tombstoneModel(connection);
  // The collection by name: its model's file reads this one.
  const records = connection.collection<CallRecordDocument>("call-records");
  const started = (from: Date, to: Date) => ({ tenant, startedAt: { $gte: from, $lt: to } });
  const keyed = (keys: readonly string[]) => ({ tenant, callKey: { $in: [...keys] } });
  const batchSize = LOOKED_UP;
  return {
    async *calls(from, to) {
      const fields = { _id: 0, startedAt: 1, ledger: 1, callKey: 1 } as const;
      const live = calls.find({ $and: [started(from, to), { $and: [{ ledger: { $ne: "deleted" } }] }] }, fields);
      yield* live.lean<CallDocument>().cursor({ batchSize }) as unknown as AsyncIterable<CallDocument>;
      // Calls that are just being deleted may have their tombstone already.
      const going = await calls
        .find({ $and: [{ state: "deleted" }, { $and: [started(from, to)] }] }, { startedAt: 1, ledger: 1, callKey: 1 })
        .lean<CallDocument[]>();
      yield* going;
      const counted = new Set(going.map(({ _id }) => _id));
      const buried = tombstones.find(started(from, to), { startedAt: 1, callKey: 1 }).lean<TombstoneDocument>();
      for await (const { _id, startedAt, callKey } of buried.cursor({ batchSize }) as unknown as AsyncIterable<TombstoneDocument>)
        if (!counted.has(_id)) yield { startedAt, callKey, ledger: "deleted" };
    },
    records: (from, to) => records.find(started(from, to), { projection: { startedAt: 1, callId: 1, callKey: 1 }, batchSize }),
    callsKnown: async (keys) => {
      const fields = { _id: 0, callKey: 1 } as const;
      const [live, buried] = await Promise.all([
        calls.find(keyed(keys), fields).lean<{ callKey: string }[]>(),
        tombstones.find(keyed(keys), fields).lean<{ callKey: string }[]>(),
      ]);
      return new Set([...live, ...buried].map(({ callKey }) => callKey));
    },
    recordsKnown: async (keys) => {
      const found = await records.find(keyed(keys), { projection: { _id: 0, callKey: 1 } }).toArray();
      return new Set(found.map(({ callKey }) => callKey));
    },
  };
}

async function* inBatches<Item>(items: AsyncIterable<Item>): AsyncGenerator<readonly Item[]> {
  let batch: Item[] = [];
  for await (const item of items) {
    batch.push(item);
    if (batch.length < LOOKED_UP) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

function emptyRow(date: string): Row {
  const none = { expected: 0, received: 0, screened: 0, failed: 0, pending: 0, unusable: 0, deleted: 0 };
  return { date, ...none, missing: [], missingCount: 0, unexpected: 0 };
}
