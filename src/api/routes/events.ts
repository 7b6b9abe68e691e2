import { Readable } from "node:stream";
import type { Call } from "../../models/calls.ts";
import { CallsiftError } from "../../pipeline/errors.ts";
import { CALL_VIEWERS } from "../auth/access.ts";
import { callerOf } from "../auth/caller.ts";
import { createCallChanges } from "../call-changes.ts";
import { binary } from "../schemas/common.ts";
import type { ApiRoutes } from "../server.ts";

/** Below what proxies take for a dead connection. */
const HEARTBEAT_MS = 15_000;
/** Streams of one person: some pages on some machines. */
const MAX_STREAMS = 20;

/** Changes as they happen, as server-sent events. */
export const eventRoutes: ApiRoutes = (app, deps) => {
  const changes = createCallChanges(deps);
  const streams = new Map<string, number>();
  app.addHook("onClose", async () => changes.close());
  app.get(
    "/api/events",
    {
      config: { access: { roles: CALL_VIEWERS } },
      schema: {
        summary: "Calls whose status or place in the queue changes, as server-sent events",
        description: "Event `call` with `{ id, status, queue, priority, score, review }`; the stream ends when the sign-in does.",
        tags: ["calls"],
        response: { 200: binary("text/event-stream") },
      },
    },
    async (request, reply) => {
      const { user, scope } = callerOf(request);
      const open = streams.get(user.id) ?? 0;
      if (open >= MAX_STREAMS)
        throw new CallsiftError("request/rate-limited", `expected at most ${MAX_STREAMS} streams of one person`, {
          details: { retryAfterS: 30 },
        });
      streams.set(user.id, open + 1);
      const ended = new AbortController();
      const heartbeat = setInterval(() => {
        output.push(": still here\n\n");
        // Signed out, disabled, or of another role now.
        app.identify(request).then(
          (caller) => (caller?.role === request.caller?.role && caller?.user.id === user.id ? undefined : ended.abort()),
          () => ended.abort(),
        );
      }, HEARTBEAT_MS);
      const output = new Readable({ read() {} });
      output.once("close", () => {
        clearInterval(heartbeat);
        ended.abort();
        const left = (streams.get(user.id) ?? 1) - 1;
        if (left > 0) streams.set(user.id, left);
        else streams.delete(user.id);
      });
      const pump = async (): Promise<void> => {
        for await (const call of changes.listen(scope, ended.signal)) {
          output.push(eventOf(call));
          // A reader that has stopped reading is let go of: it will come back and ask for lists.
          if (output.readableLength > 1024 * 1024) ended.abort();
        }
        output.push(null);
      };
      output.push("retry: 2000\n\n");
      pump().catch((error: unknown) => output.destroy(error as Error));
      return await reply
        .type("text/event-stream; charset=utf-8")
        .headers({ "cache-control": "no-store", "x-accel-buffering": "no" })
        .send(output);
    },
  );
};

function eventOf({ id, status, summary, review }: Call): string {
  const data = {
    id,
    status,
    queue: summary?.queue ?? null,
    priority: summary?.priority ?? null,
    score: review?.score ?? summary?.score ?? null,
    review,
  };
  return `event: call\ndata: ${JSON.stringify(data)}\n\n`;
}
