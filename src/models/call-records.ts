import { type Connection, type Model, Schema } from "mongoose";
import { callKeyOf } from "./calls-document.ts";
import { coverageSources, readCoverage } from "./coverage.ts";
import { modelOf, STRICT } from "./model-of.ts";
import { BATCH } from "./page.ts";

/** A call that the telephone system says took place. */
export interface CallRecord {
  readonly callId: string;
  readonly startedAt: Date;
  readonly agentId?: string;
  readonly durationMs?: number;
}

/** One day of the ledger; received = screened + failed + pending + unusable + deleted, always. */
export interface CoverageDay {
  /** YYYY-MM-DD in the time zone of the installation. */
  readonly date: string;
  readonly expected: number;
  readonly received: number;
  readonly screened: number;
  readonly failed: number;
  readonly pending: number;
  readonly unusable: number;
  readonly deleted: number;
  /** Call ids of the telephone system without a recording, at most 100. */
  readonly missing: readonly string[];
  readonly missingCount: number;
  /** Received calls whose id the telephone system does not know; calls without an id among them. */
  readonly unexpected: number;
}

export interface CallRecordStore {
  /** Upsert by (tenant, callId); streams, so that a million fit. */
  add(
    tenant: string,
    records: AsyncIterable<CallRecord> | Iterable<CallRecord>,
  ): Promise<{ readonly added: number; readonly known: number }>;
  /** Every day from the one in which `from` lies to the one before `to`; a record and a call belong together by their id, whatever their days. */
  coverage(tenant: string, from: Date, to: Date, timeZone: string): Promise<readonly CoverageDay[]>;
}

export interface CallRecordDocument {
  readonly _id: string;
  readonly v: 1;
  readonly tenant: string;
  readonly callId: string;
  /** What calls are matched by. */
  readonly callKey: string;
  readonly startedAt: Date;
  readonly agentId?: string;
  readonly durationMs?: number;
}

const schema = new Schema<CallRecordDocument>(
  {
    _id: { type: String, required: true },
    v: Number,
    tenant: { type: String, required: true },
    callId: { type: String, required: true },
    callKey: { type: String, required: true },
    startedAt: { type: Date, required: true },
    agentId: String,
    durationMs: Number,
  },
  STRICT,
);
schema.index({ tenant: 1, startedAt: 1, callKey: 1 }, { name: "ledger" });
schema.index({ tenant: 1, callKey: 1 }, { name: "key", unique: true });

/** The model of the collection `call-records`. */
export function callRecordModel(connection: Connection): Model<CallRecordDocument> {
  return modelOf(connection, "call-records", schema);
}

/** The telephone system's own list, and what became of it. */
export function createCallRecordStore(connection: Connection): CallRecordStore {
  const model = callRecordModel(connection);
  return {
    async add(tenant, records) {
      let added = 0;
      let known = 0;
      const write = async (batch: ReadonlyMap<string, CallRecordDocument>) => {
        const operations = [...batch.values()].map(({ _id, ...record }) => ({
          updateOne: { filter: { _id }, update: { $set: record }, upsert: true },
        }));
        const { upsertedCount } = await model.bulkWrite(operations, { ordered: false });
        added += upsertedCount;
        known += batch.size - upsertedCount;
      };
      let batch = new Map<string, CallRecordDocument>();
      for await (const record of records) {
        const document = recordDocument(tenant, record);
        // The same call twice in one list: the later line stands.
        if (batch.has(document._id)) known++;
        batch.set(document._id, document);
        if (batch.size < BATCH) continue;
        await write(batch);
        batch = new Map();
      }
      if (batch.size > 0) await write(batch);
      return { added, known };
    },
    coverage: async (tenant, from, to, timeZone) => await readCoverage(coverageSources(connection, tenant), from, to, timeZone),
  };
}

/** Of a key of its own making, so that a list sent twice is there once. */
function recordDocument(tenant: string, { callId, startedAt, agentId, durationMs }: CallRecord): CallRecordDocument {
  const callKey = callKeyOf(callId);
  return {
    _id: `${tenant}:${callKey}`,
    v: 1,
    tenant,
    callId,
    callKey,
    startedAt,
    ...(agentId !== undefined && { agentId }),
    ...(durationMs !== undefined && { durationMs }),
  };
}
