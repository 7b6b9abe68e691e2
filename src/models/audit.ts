import type { Page, PageOptions } from "./page.ts";

/** Who saw, heard, exported or changed what. Append-only: there is no function that changes or removes one. */
export interface AuditEntry {
  readonly id: string;
  readonly tenant: string;
  readonly at: Date;
  /** User id, or `system`. */
  readonly by: string;
  readonly username: string;
  /** Kebab-case verb, e.g. `call-seen`, `recording-heard`, `list-exported`, `review-submitted`, `rule-changed`, `signed-in`. */
  readonly what: string;
  /** Id of the object, e.g. a call. */
  readonly object: string | null;
  /** Address of the client. */
  readonly from: string | null;
  readonly details: Readonly<Record<string, string | number | boolean | null>>;
}

export interface AuditStore {
  add(entry: Omit<AuditEntry, "id" | "at">): Promise<void>;
  list(
    tenant: string,
    filter: { readonly by?: string; readonly what?: string; readonly object?: string; readonly from?: Date; readonly to?: Date },
    options: PageOptions,
  ): Promise<Page<AuditEntry>>;
}
