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
  /** Received calls whose id the telephone system does not know. */
  readonly unexpected: number;
}

export interface CallRecordStore {
  /** Upsert by (tenant, callId); streams, so that a million fit. */
  add(
    tenant: string,
    records: AsyncIterable<CallRecord> | Iterable<CallRecord>,
  ): Promise<{ readonly added: number; readonly known: number }>;
  coverage(tenant: string, from: Date, to: Date, timeZone: string): Promise<readonly CoverageDay[]>;
}
