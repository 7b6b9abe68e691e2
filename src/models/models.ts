import type { AuditStore } from "./audit.ts";
import type { CallRecordStore } from "./call-records.ts";
import type { CallStore } from "./calls.ts";
import type { DeliveryStore } from "./deliveries.ts";
import type { SessionStore, TokenStore, UserStore } from "./people.ts";
import type { PolicyStore } from "./policies.ts";
import type { ReviewStore } from "./reviews.ts";
import type { ScreeningStore } from "./screenings.ts";
import type { SearchStore } from "./search.ts";
import type { SettingsStore } from "./settings.ts";
import type { TranscriptStore } from "./transcripts.ts";

/** All that the database keeps, over one connection. */
export interface Models extends AsyncDisposable {
  readonly calls: CallStore;
  readonly transcripts: TranscriptStore;
  readonly screenings: ScreeningStore;
  readonly reviews: ReviewStore;
  readonly policies: PolicyStore;
  readonly users: UserStore;
  readonly sessions: SessionStore;
  readonly tokens: TokenStore;
  readonly audit: AuditStore;
  readonly callRecords: CallRecordStore;
  readonly search: SearchStore;
  readonly settings: SettingsStore;
  readonly deliveries: DeliveryStore;
  /** Makes indexes and brings documents of earlier versions forward; safe from several processes at once. */
  migrate(): Promise<void>;
  /** Keeps the search index in order and finishes what processes that died began; for a worker, about once a minute. Safe from several processes at once. */
  maintain(): Promise<void>;
  /** @throws CallsiftError `store/unreachable` */
  ping(): Promise<void>;
}
