import Type from "typebox";
import { CallsiftError } from "../../pipeline/errors.ts";
import type { ApiRoutes } from "../server.ts";

/** Longer, and a load balancer has given up. */
const READY_TIMEOUT_MS = 3_000;

/** Alive, and ready: for supervisors of processes and load balancers. */
export const healthRoutes: ApiRoutes = (app, { models, schedule, version }) => {
  app.get(
    "/healthz",
    {
      config: { access: "public" },
      schema: {
        summary: "Alive",
        tags: ["service"],
        response: { 200: Type.Object({ status: Type.Literal("ok"), version: Type.String() }) },
      },
    },
    async () => ({ status: "ok" as const, version }),
  );
  app.get(
    "/readyz",
    {
      config: { access: "public" },
      schema: { summary: "Stores can be reached", tags: ["service"], response: { 200: Type.Object({ status: Type.Literal("ready") }) } },
    },
    async () => {
      await within(
        models.ping(),
        () => new CallsiftError("store/unreachable", `the database does not answer within ${READY_TIMEOUT_MS} ms`),
      );
      await within(schedule.ping(), () => new CallsiftError("queue/unreachable", `Redis does not answer within ${READY_TIMEOUT_MS} ms`));
      return { status: "ready" as const };
    },
  );
};

async function within(work: Promise<void>, late: () => CallsiftError): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  try {
    await Promise.race([
      work,
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(late()), READY_TIMEOUT_MS);
      }),
    ]);
  } finally {
    clearTimeout(timer);
  }
}
