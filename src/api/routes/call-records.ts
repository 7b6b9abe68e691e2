import type { IncomingMessage } from "node:http";
import Type from "typebox";
import { recordAudit } from "../audit.ts";
import { SUPERVISORS } from "../auth/access.ts";
import { callerOf } from "../auth/caller.ts";
import { type RecordsFormat, readRecords } from "../call-records/read-records.ts";
import type { ApiRoutes } from "../server.ts";

/** What spreadsheets and programs call a table. */
const CSV_TYPES = ["text/csv", "application/csv", "application/vnd.ms-excel", "text/plain"];

/** The telephone system's own list: what should have arrived. */
export const callRecordRoutes: ApiRoutes = (app, { models, config }) => {
  // A list of a million calls is read as it comes, never whole.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(["application/json", ...CSV_TYPES], async (_request: unknown, payload: IncomingMessage) => payload);

  app.post(
    "/api/call-records",
    {
      config: { access: { roles: SUPERVISORS } },
      schema: {
        summary: "Hand in the telephone system's list of calls",
        description:
          "A JSON array of { callId, startedAt, agentId?, durationMs? }, or the same columns as CSV with a header (commas, semicolons or tabs; UTF-8, UTF-16 or GBK). A call that is known is brought up to date. Where a row is refused, those before it are stored; handing in the list again is harmless.",
        tags: ["coverage"],
        consumes: ["application/json", ...CSV_TYPES],
        response: { 200: Type.Object({ added: Type.Integer(), known: Type.Integer() }) },
      },
    },
    async (request) => {
      const { tenant } = callerOf(request).user;
      const body = (request.body ?? emptyBody()) as AsyncIterable<Buffer>;
      const records = readRecords(body, formatOf(request.headers["content-type"] ?? ""), config.timeZone);
      const { added, known } = await models.callRecords.add(tenant, records);
      await recordAudit(models, request, "call-records-added", null, { added, known });
      return { added, known };
    },
  );
};

function formatOf(contentType: string): RecordsFormat {
  const charset = /;\s*charset="?([\w-]+)"?/i.exec(contentType)?.[1];
  return { type: /^application\/json\b/i.test(contentType) ? "json" : "csv", ...(charset !== undefined && { charset }) };
}

async function* emptyBody(): AsyncGenerator<Buffer> {}
