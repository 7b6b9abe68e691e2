import type { FastifyRequest } from "fastify";
import type { Call } from "../../models/calls.ts";
import type { Language } from "../../pipeline/types.ts";
import { recordAudit } from "../audit.ts";
import { ADMINS, CALL_VIEWERS, FIGURE_READERS, REVIEWERS } from "../auth/access.ts";
import { callerOf } from "../auth/caller.ts";
import { coverageRange } from "../coverage-range.ts";
import { CALL_COLUMNS, callRows, FINDING_COLUMNS, findingRows, ITEM_COLUMNS, itemRows, type NameOf } from "../exports/call-tables.ts";
import { allOf, tableOf } from "../exports/columns.ts";
import { AUDIT_COLUMNS, COVERAGE_COLUMNS, HIT_COLUMNS, hitRows, USER_COLUMNS } from "../exports/list-tables.ts";
import { EXPORT_TYPES, sendTable } from "../exports/send-table.ts";
import { createKeptPolicies } from "../reviews/kept-policies.ts";
import { readFilter } from "../schemas/calls.ts";
import { binary } from "../schemas/common.ts";
import { AuditExportQuery, CallExportQuery, CoverageExportQuery, ExportQuery, SearchExportQuery } from "../schemas/exports.ts";
import type { ApiRoutes } from "../server.ts";
import { readTime } from "../time.ts";

/** Items of a page, where a list is read page by page. */
const PAGE = 200;

/** Every list as a file for spreadsheets (CSV, XLSX), of all its pages. */
export const exportRoutes: ApiRoutes = (app, { models, config }) => {
  const { timeZone, locale } = config;
  const policyOf = createKeptPolicies(models.policies);
  const tags = ["exports"];
  const response = { 200: binary(...EXPORT_TYPES) };
  // What a HEAD would say isn't known before the whole has been read.
  const file = { exposeHeadRoute: false } as const;

  app.get(
    "/api/calls/export",
    {
      ...file,
      config: { access: { roles: CALL_VIEWERS } },
      schema: { summary: "Calls, their findings or their scores as a file", tags, querystring: CallExportQuery, response },
    },
    async (request, reply) => {
      const { format = "csv", language = locale, rows = "calls", sort = "-startedAt", ...query } = request.query;
      const calls = models.calls.all(callerOf(request).scope, readFilter(query, timeZone), sort);
      await tell(request, rows, format, query);
      return await sendTable(reply, format, callTable(rows, calls, language));
    },
  );

  app.get(
    "/api/queue/export",
    {
      ...file,
      config: { access: { roles: REVIEWERS } },
      schema: { summary: "The queue as a file", tags, querystring: ExportQuery, response },
    },
    async (request, reply) => {
      const { format = "csv", language = locale } = request.query;
      const { scope } = callerOf(request);
      const calls = allOf((cursor) => models.calls.queue(scope, { limit: PAGE, ...(cursor !== undefined && { cursor }) }));
      await tell(request, "queue", format);
      return await sendTable(reply, format, tableOf("queue", CALL_COLUMNS, callRows(calls, names()), { language, timeZone }));
    },
  );

  app.get(
    "/api/search/export",
    {
      ...file,
      config: { access: { roles: CALL_VIEWERS } },
      schema: { summary: "What a search found as a file", tags, querystring: SearchExportQuery, response },
    },
    async (request, reply) => {
      const { format = "csv", language = locale, q, sound = false, ...query } = request.query;
      const { scope } = callerOf(request);
      const filter = readFilter(query, timeZone);
      const hits = allOf((cursor) =>
        models.search.search(q, scope, filter, { sound, limit: PAGE, ...(cursor !== undefined && { cursor }) }),
      );
      const rows = hitRows(hits, (id) => models.calls.get(id, scope));
      await tell(request, "search", format, { q, ...query });
      return await sendTable(reply, format, tableOf("search", HIT_COLUMNS, rows, { language, timeZone }));
    },
  );

  app.get(
    "/api/coverage/export",
    {
      ...file,
      config: { access: { roles: FIGURE_READERS } },
      schema: { summary: "The coverage ledger as a file", tags, querystring: CoverageExportQuery, response },
    },
    async (request, reply) => {
      const { format = "csv", language = locale, ...query } = request.query;
      const { from, to } = coverageRange(query, timeZone);
      const days = await models.callRecords.coverage(callerOf(request).user.tenant, from, to, timeZone);
      await tell(request, "coverage", format, query);
      return await sendTable(reply, format, tableOf("coverage", COVERAGE_COLUMNS, days, { language, timeZone }));
    },
  );

  app.get(
    "/api/audit/export",
    {
      ...file,
      config: { access: { roles: ADMINS } },
      schema: { summary: "The audit log as a file", tags, querystring: AuditExportQuery, response },
    },
    async (request, reply) => {
      const { format = "csv", language = locale, ...query } = request.query;
      const { by, what, object } = query;
      const from = readTime(query.from, "query/from", timeZone);
      // Not what is written down from now on: this export and what happens while it runs.
      const to = readTime(query.to, "query/to", timeZone) ?? new Date();
      const filter = {
        ...(by !== undefined && { by }),
        ...(what !== undefined && { what }),
        ...(object !== undefined && { object }),
        ...(from && { from }),
        to,
      };
      const { tenant } = callerOf(request).user;
      const entries = allOf((cursor) => models.audit.list(tenant, filter, { limit: PAGE, ...(cursor !== undefined && { cursor }) }));
      await tell(request, "audit", format, query);
      return await sendTable(reply, format, tableOf("audit", AUDIT_COLUMNS, entries, { language, timeZone }));
    },
  );

  app.get(
    "/api/users/export",
    {
      ...file,
      config: { access: { roles: ADMINS } },
      schema: { summary: "Users as a file", tags, querystring: ExportQuery, response },
    },
    async (request, reply) => {
      const { format = "csv", language = locale } = request.query;
      const { tenant } = callerOf(request).user;
      const users = allOf((cursor) => models.users.list(tenant, { limit: PAGE, ...(cursor !== undefined && { cursor }) }));
      await tell(request, "users", format);
      return await sendTable(reply, format, tableOf("users", USER_COLUMNS, users, { language, timeZone }));
    },
  );

  function callTable(rows: "calls" | "findings" | "items", calls: AsyncIterable<Call>, language: Language) {
    const options = { language, timeZone };
    if (rows === "findings") return tableOf("findings", FINDING_COLUMNS, findingRows(calls, models, policyOf, language), options);
    if (rows === "items") return tableOf("items", ITEM_COLUMNS, itemRows(calls, models, policyOf, language), options);
    return tableOf("calls", CALL_COLUMNS, callRows(calls, names()), options);
  }

  function names(): NameOf {
    const known = new Map<string, Promise<string | null>>();
    return async (id) => {
      if (id === null) return null;
      const found = known.get(id) ?? models.users.get(id).then((user) => user?.name ?? null);
      known.set(id, found);
      return await found;
    };
  }

  async function tell(request: FastifyRequest, list: string, format: string, filter: object = {}): Promise<void> {
    await recordAudit(models, request, "list-exported", null, { list, format, filter: JSON.stringify(filter) });
  }
};
