import Type, { type Static } from "typebox";
import type { Delivery as SavedDelivery } from "../../models/deliveries.ts";
import { type Settings as SavedSettings, WEBHOOK_EVENTS } from "../../models/settings.ts";
import { Instant, oneOf, orNull, PageQuery, strict } from "./common.ts";
import { PolicyId } from "./policies.ts";

const Days = orNull(Type.Integer({ minimum: 1, maximum: 36_500 }));

/** What is set while the service runs; webhooks apart. */
export const Settings = Type.Object({
  activeForm: Type.String(),
  sampleShare: Type.Number({ description: "0 to 1: share of unflagged calls that go to the queue all the same" }),
  retention: Type.Object({ recordingsDays: Days, transcriptsDays: Days, resultsDays: Days }),
  paused: Type.Boolean({ description: "Workers begin no call" }),
});

export const SettingsChange = strict({
  activeForm: Type.Optional(PolicyId),
  sampleShare: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
  retention: Type.Optional(
    strict(
      { recordingsDays: Type.Optional(Days), transcriptsDays: Type.Optional(Days), resultsDays: Type.Optional(Days) },
      { description: "Days after which content is deleted, null: never; administrators only" },
    ),
  ),
  paused: Type.Optional(Type.Boolean()),
});

const Event = oneOf(WEBHOOK_EVENTS);

/** A webhook; its secret is shown once, when it is made. */
export const Webhook = Type.Object({ id: Type.String(), url: Type.String(), events: Type.Array(Event) });
export const WebhookMade = Type.Object({ ...Webhook.properties, secret: Type.String() });

const Url = Type.String({ minLength: 8, maxLength: 2_000 });
const Events = Type.Array(Event, { minItems: 1, maxItems: WEBHOOK_EVENTS.length, uniqueItems: true });

export const NewWebhook = strict({
  url: Url,
  events: Events,
  secret: Type.Optional(Type.String({ minLength: 16, maxLength: 200, description: "Messages are signed with it; default: a random one" })),
});
export const WebhookChange = strict({ url: Type.Optional(Url), events: Type.Optional(Events) });

const DeliveryState = oneOf(["waiting", "sent", "dead"]);

/** A message to a webhook; its body says no words of a call. */
export const Delivery = Type.Object({
  id: Type.String(),
  webhook: Type.String(),
  event: Event,
  callId: Type.String(),
  state: DeliveryState,
  attempts: Type.Integer(),
  nextAt: Instant,
  last: orNull(Type.String()),
  createdAt: Instant,
});
export const DeliveryQuery = strict({ state: Type.Optional(DeliveryState), ...PageQuery });

/** Settings as they leave: webhooks have secrets, and an address of their own. */
export function shownSettings({ activeForm, sampleShare, retention, paused }: SavedSettings): Static<typeof Settings> {
  const { recordingsDays, transcriptsDays, resultsDays } = retention;
  return { activeForm, sampleShare, retention: { recordingsDays, transcriptsDays, resultsDays }, paused };
}

/** A delivery as it leaves. */
export function shownDelivery({ body: _body, ...delivery }: SavedDelivery): Static<typeof Delivery> {
  return delivery;
}
