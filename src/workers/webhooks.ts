import { setTimeout as sleep } from "node:timers/promises";
import { safeFetch } from "../fetch/safe-fetch.ts";
import type { Delivery } from "../models/deliveries.ts";
import type { Settings } from "../models/settings.ts";
import { toCallsiftError } from "../pipeline/errors.ts";
import { signatureOf } from "./webhook-signature.ts";
import type { WorkerDeps } from "./worker-deps.ts";

/** Tried again after 10 s, 30 s, 90 s, … 6 hours at most: the last of them a day and a half after the first. */
const FIRST_DELAY_MS = 10_000;
const DELAY_GROWTH = 3;
const LONGEST_DELAY_MS = 6 * 3_600_000;
const MAX_TRIES = 12;
const TIMEOUT_MS = 10_000;
/** Longer than one try can take, so that nobody else sends the same meanwhile. */
const LEASE_MS = 30_000;
const LOOK_MS = 1_000;
const IDLE_LOOK_MS = 10_000;
const AT_ONCE = 4;
/** Of an answer nothing is read but its status. */
const MAX_ANSWER_BYTES = 64 * 1024;

export type SenderDeps = Pick<WorkerDeps, "models" | "config" | "log" | "onEvent">;

/** What became of one try. */
type Sent = { readonly ok: true; readonly last: string } | { readonly ok: false; readonly last: string; readonly isFinal: boolean };

/** Sends what is in the outbox, a few at once, until it is stopped. */
export function startSender(deps: SenderDeps): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const { signal } = stopping;
  async function work(lookMs: number): Promise<void> {
    while (!signal.aborted) {
      const sent = await sendNext(deps, signal).catch((error) => {
        deps.log.warn({ code: toCallsiftError(error).code }, "webhook messages wait");
        return false;
      });
      if (!sent) await sleep(lookMs, undefined, { signal, ref: false }).catch(() => {});
    }
  }
  // One is enough to see that something is there; the others look less often.
  const running = Promise.all(Array.from({ length: AT_ONCE }, (_, i) => work(i === 0 ? LOOK_MS : IDLE_LOOK_MS)));
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

/** Takes the next message that is due and sends it; false where there is none. A message is sent at least once: a receiver knows a second one by its id. */
export async function sendNext({ models, config, log, onEvent }: SenderDeps, signal: AbortSignal): Promise<boolean> {
  const delivery = await models.deliveries.take(LEASE_MS);
  if (!delivery) return false;
  const { webhooks } = await models.settings.get();
  const webhook = webhooks.find(({ id }) => id === delivery.webhook);
  const sent: Sent = webhook
    ? await send(delivery, webhook, config.privateAddresses, signal)
    : { ok: false, last: "the webhook is not set up any more", isFinal: true };
  if (signal.aborted && !sent.ok) {
    await models.deliveries.again(delivery.id, sent.last, new Date());
    return true;
  }
  onEvent?.({ kind: "delivered", ok: sent.ok });
  if (sent.ok) {
    await models.deliveries.sent(delivery.id, sent.last);
    return true;
  }
  const isDead = sent.isFinal || delivery.attempts >= MAX_TRIES;
  log.warn(
    { webhook: delivery.webhook, call: delivery.callId, event: delivery.event, why: sent.last, isDead },
    "webhook message not delivered",
  );
  await models.deliveries.again(delivery.id, sent.last, isDead ? null : new Date(Date.now() + delayMs(delivery.attempts)));
  return true;
}

/** Before the try after this many, with a little chance so that many messages do not come back at one moment. */
export function delayMs(attempts: number, random: () => number = Math.random): number {
  const delay = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * DELAY_GROWTH ** Math.max(0, attempts - 1));
  return Math.round(delay * (0.9 + 0.2 * random()));
}

async function send(
  delivery: Delivery,
  { url, secret }: Settings["webhooks"][number],
  privateAddresses: boolean,
  signal: AbortSignal,
): Promise<Sent> {
  try {
    const { status, body } = await safeFetch(url, {
      allowedHosts: null,
      privateAddresses,
      maxBytes: MAX_ANSWER_BYTES,
      timeoutMs: TIMEOUT_MS,
      signal,
      post: {
        body: delivery.body,
        headers: {
          "content-type": "application/json; charset=utf-8",
          "x-callsift-event": delivery.event,
          "x-callsift-delivery": delivery.id,
          "x-callsift-signature": signatureOf(secret, delivery, new Date()),
        },
      },
    });
    body.on("error", () => {}).destroy();
    if (status >= 200 && status < 300) return { ok: true, last: `${status}` };
    // 410: whoever was there says that nobody will be again.
    return { ok: false, last: `${status}`, isFinal: status === 410 };
  } catch (error) {
    const { code, message } = toCallsiftError(error);
    return { ok: false, last: `${code}: ${message}`.slice(0, 500), isFinal: code === "source/refused" };
  }
}
