import type { Page, PageOptions } from "./page.ts";
import type { WebhookEvent } from "./settings.ts";

/** One message to one webhook: in the database before it is sent, so that a crash loses none. */
export interface Delivery {
  readonly id: string;
  readonly webhook: string;
  readonly event: WebhookEvent;
  readonly callId: string;
  readonly body: string;
  readonly state: "waiting" | "sent" | "dead";
  readonly attempts: number;
  readonly nextAt: Date;
  /** Status or failure of the last try. */
  readonly last: string | null;
  readonly createdAt: Date;
}

export interface DeliveryStore {
  /** Upsert by (webhook, event, key), so that a job that runs twice tells once. */
  add(delivery: Pick<Delivery, "webhook" | "event" | "callId" | "body"> & { readonly key: string }): Promise<void>;
  /** Takes the next that is due, for `leaseMs`. */
  take(leaseMs: number): Promise<Delivery | null>;
  sent(id: string, last: string): Promise<void>;
  /** Another try at `nextAt`; null: dead. */
  again(id: string, last: string, nextAt: Date | null): Promise<void>;
  list(state: Delivery["state"], options: PageOptions): Promise<Page<Delivery>>;
}
