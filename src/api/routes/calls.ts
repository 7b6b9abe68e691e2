import { CallsiftError } from "../../pipeline/errors.ts";
import { recordAudit } from "../audit.ts";
import { ADMINS, CALL_VIEWERS, REVIEWERS } from "../auth/access.ts";
import { callerOf, callOf } from "../auth/caller.ts";
import { acceptCall, enqueue } from "../calls/accept.ts";
import { receiveByAddress } from "../calls/by-address.ts";
import { callDetail } from "../calls/detail.ts";
import { eraseCall } from "../calls/erase.ts";
import { receiveForm } from "../calls/form.ts";
import { notFound } from "../problem.ts";
import { Accepted, CallDetail, CallItem, CallListQuery, callItem, readFilter } from "../schemas/calls.ts";
import { IdParams, NoContent, page, strict } from "../schemas/common.ts";
import type { ApiRoutes } from "../server.ts";
import { writtenOnce } from "../written-once.ts";

/** Calls: handed in, listed, looked at, tried again, deleted. */
export const callRoutes: ApiRoutes = (app, deps) => {
  const { models, config } = deps;

  app.post(
    "/api/calls",
    {
      config: { access: { roles: REVIEWERS } },
      schema: {
        summary: "Hand in a call: its recording, or the address of one",
        description:
          "multipart/form-data with `recording` (file), `metadata` (JSON) and `transcript` (any format that callsift reads), in any order; or JSON `{ url, metadata }`. 202: the call survives a crash. 200: the same bytes were handed in before.",
        tags: ["calls"],
        consumes: ["multipart/form-data", "application/json"],
        response: { 200: Accepted, 202: Accepted },
      },
    },
    async (request, reply) => {
      const { tenant } = callerOf(request).scope;
      const received = await (request.isMultipart() ? receiveForm : receiveByAddress)(request, tenant, deps);
      const { call, duplicate } = await acceptCall(received, tenant, deps);
      request.call = call;
      if (!duplicate) await recordAudit(models, request, "call-added", call.id);
      return await reply.status(duplicate ? 200 : 202).send({ id: call.id, status: call.status, duplicate });
    },
  );

  app.get(
    "/api/calls",
    {
      config: { access: { roles: CALL_VIEWERS } },
      serializerCompiler: writtenOnce(app),
      schema: {
        summary: "Calls, filtered and sorted",
        tags: ["calls"],
        querystring: strict(CallListQuery),
        response: { 200: page(CallItem) },
      },
    },
    async (request) => {
      const { limit = 50, cursor, sort = "-startedAt", ...query } = request.query;
      const { scope, user } = callerOf(request);
      const filter = readFilter(query, config.timeZone);
      const found = await models.calls.list(scope, filter, { limit, sort, owner: user.id, ...(cursor !== undefined && { cursor }) });
      return { items: found.items.map(callItem), nextCursor: found.nextCursor };
    },
  );

  app.get(
    "/api/calls/:id",
    {
      config: { access: { roles: CALL_VIEWERS, object: "call" } },
      schema: { summary: "One call whole, with its words", tags: ["calls"], params: IdParams, response: { 200: CallDetail } },
    },
    async (request) => {
      const call = callOf(request);
      await recordAudit(models, request, "call-seen", call.id);
      return await callDetail(call, models);
    },
  );

  app.post(
    "/api/calls/:id/retry",
    {
      config: { access: { roles: REVIEWERS, object: "call" } },
      schema: { summary: "Try a failed call again", tags: ["calls"], params: IdParams, response: { 202: Accepted } },
    },
    async (request, reply) => {
      const { id } = callOf(request);
      if (!(await models.calls.retry(id))) throw new CallsiftError("call/not-failed", "expected a failed call, got one that is not");
      await recordAudit(models, request, "call-retried", id);
      const call = await models.calls.get(id, callerOf(request).scope);
      if (!call) throw notFound("no such call");
      enqueue(call, deps);
      return await reply.status(202).send({ id, status: call.status, duplicate: false });
    },
  );

  app.delete(
    "/api/calls/:id",
    {
      config: { access: { roles: ADMINS, object: "call" } },
      schema: {
        summary: "Delete a call's recording, words, screening and review for good",
        tags: ["calls"],
        params: IdParams,
        response: { 204: NoContent },
      },
    },
    async (request, reply) => {
      const { id } = callOf(request);
      await eraseCall(id, deps);
      await recordAudit(models, request, "call-deleted", id);
      return await reply.status(204).send(null);
    },
  );
};
