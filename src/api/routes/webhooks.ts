import Type from "typebox";
import { isId, newId } from "../../models/ids.ts";
import type { Settings } from "../../models/settings.ts";
import { CallsiftError } from "../../pipeline/errors.ts";
import { recordAudit } from "../audit.ts";
import { ADMINS } from "../auth/access.ts";
import { callerOf } from "../auth/caller.ts";
import { newSecret } from "../auth/secret.ts";
import { notFound } from "../problem.ts";
import { IdParams, NoContent, page } from "../schemas/common.ts";
import { Delivery, DeliveryQuery, NewWebhook, shownDelivery, Webhook, WebhookChange, WebhookMade } from "../schemas/settings.ts";
import type { ApiRoutes } from "../server.ts";
import { checkWebhookAddress } from "../webhook-address.ts";

/** Each call is told to every one of them. */
const MAX_WEBHOOKS = 20;

type SavedWebhook = Settings["webhooks"][number];

/** Who is told when a call is scored, reviewed or failed, and what became of the messages. */
export const webhookRoutes: ApiRoutes = (app, { models, config }) => {
  const tags = ["webhooks"];
  const access = { roles: ADMINS };
  const change = oneAfterTheOther();

  app.get(
    "/api/webhooks",
    { config: { access }, schema: { summary: "Webhooks, without their secrets", tags, response: { 200: page(Webhook) } } },
    async () => ({ items: (await models.settings.get()).webhooks.map(shown), nextCursor: null }),
  );

  app.post(
    "/api/webhooks",
    {
      config: { access },
      schema: { summary: "Add a webhook; its secret is shown this once", tags, body: NewWebhook, response: { 201: WebhookMade } },
    },
    async (request, reply) => {
      const { events, secret = newSecret() } = request.body;
      const made: SavedWebhook = { id: newId(), url: await checkWebhookAddress(request.body.url, config), secret, events };
      await change(async () => {
        const { webhooks } = await models.settings.get();
        if (webhooks.length >= MAX_WEBHOOKS)
          throw new CallsiftError("request/conflict", `expected at most ${MAX_WEBHOOKS} webhooks, got another one`);
        await models.settings.change({ webhooks: [...webhooks, made] });
      });
      await recordAudit(models, request, "webhook-added", made.id, { host: new URL(made.url).host });
      return await reply.status(201).send({ ...shown(made), secret });
    },
  );

  app.patch(
    "/api/webhooks/:id",
    {
      config: { access },
      schema: {
        summary: "Change where a webhook is told, and of what",
        tags,
        params: IdParams,
        body: WebhookChange,
        response: { 200: Webhook },
      },
    },
    async (request) => {
      const { id } = request.params;
      const { url, events } = request.body;
      const href = url === undefined ? undefined : await checkWebhookAddress(url, config);
      const changed = await change(async () => {
        const { webhooks } = await models.settings.get();
        const before = webhooks.find((webhook) => webhook.id === id);
        if (!before) throw notFound("no such webhook");
        const after: SavedWebhook = { ...before, ...(href !== undefined && { url: href }), ...(events && { events }) };
        await models.settings.change({ webhooks: webhooks.map((webhook) => (webhook.id === id ? after : webhook)) });
        return after;
      });
      await recordAudit(models, request, "webhook-changed", id, { host: new URL(changed.url).host });
      return shown(changed);
    },
  );

  app.delete(
    "/api/webhooks/:id",
    { config: { access }, schema: { summary: "Remove a webhook", tags, params: IdParams, response: { 204: NoContent } } },
    async (request, reply) => {
      const { id } = request.params;
      await change(async () => {
        const { webhooks } = await models.settings.get();
        if (!webhooks.some((webhook) => webhook.id === id)) throw notFound("no such webhook");
        await models.settings.change({ webhooks: webhooks.filter((webhook) => webhook.id !== id) });
      });
      await recordAudit(models, request, "webhook-removed", id);
      return await reply.status(204).send(null);
    },
  );

  app.get(
    "/api/webhooks/deliveries",
    {
      config: { access },
      schema: {
        summary: "Messages to webhooks: those that nobody took (dead), by default",
        tags,
        querystring: DeliveryQuery,
        response: { 200: page(Delivery) },
      },
    },
    async (request) => {
      const { state = "dead", limit = 50, cursor } = request.query;
      const owner = callerOf(request).user.id;
      const found = await models.deliveries.list(state, { limit, owner, ...(cursor !== undefined && { cursor }) });
      return { items: found.items.map(shownDelivery), nextCursor: found.nextCursor };
    },
  );

  app.post(
    "/api/webhooks/deliveries/:id/resend",
    {
      config: { access },
      schema: {
        summary: "Send a dead message again",
        tags,
        params: IdParams,
        response: { 202: Type.Object({ id: Type.String(), state: Type.Literal("waiting") }) },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      if (!isId(id) || !(await models.deliveries.resend(id))) throw notFound("no such dead message");
      await recordAudit(models, request, "delivery-resent", id);
      return await reply.status(202).send({ id, state: "waiting" as const });
    },
  );
};

function shown({ id, url, events }: SavedWebhook) {
  return { id, url, events: [...events] };
}

/** Changes of one list are read and written one after the other; two processes at once are two administrators at once. */
function oneAfterTheOther(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const next = last.then(work, work);
    last = next.catch(() => undefined);
    return next;
  };
}
