import type { Call, CallSummary } from "../models/calls.ts";
import type { DeliveryStore } from "../models/deliveries.ts";
import type { Settings } from "../models/settings.ts";

/** What may leave of a call: no words, no number of the customer. */
function about({ id, metadata }: Call): Record<string, unknown> {
  const { callId, agentId, team, queue, startedAt } = metadata;
  return { id, metadata: { callId, agentId, team, queue, startedAt } };
}

type Outbox = Pick<DeliveryStore, "add">;

/** Tells the webhooks that want to know that a call has its pre-score; once for each screening. */
export async function tellScored(
  outbox: Outbox,
  { webhooks }: Settings,
  call: Call,
  scored: { readonly recipe: string; readonly policy: string; readonly summary: CallSummary },
): Promise<void> {
  const { score, max, band, fatal, complete, queue, priority, reasons } = scored.summary;
  await tell(outbox, webhooks, "call.scored", call, `${call.id} ${scored.recipe} ${scored.policy}`, {
    status: "scored",
    score: { total: score, max, band, fatal, complete },
    triage: { queue, priority, reasons },
  });
}

/** Tells the webhooks that want to know that a call has failed; once for each time. */
export async function tellFailed(outbox: Outbox, { webhooks }: Settings, call: Call, error: NonNullable<Call["error"]>): Promise<void> {
  await tell(outbox, webhooks, "call.failed", call, `${call.id} ${call.attempts} ${call.crashes}`, { status: "failed", error });
}

async function tell(
  outbox: Outbox,
  webhooks: Settings["webhooks"],
  event: "call.scored" | "call.failed",
  call: Call,
  key: string,
  more: Record<string, unknown>,
): Promise<void> {
  for (const webhook of webhooks) {
    if (!webhook.events.includes(event)) continue;
    const body = JSON.stringify({ event, call: { ...about(call), ...more } });
    await outbox.add({ webhook: webhook.id, event, callId: call.id, body, key });
  }
}
