import type { FastifyInstance } from "fastify";
import { Histogram, Registry } from "prom-client";
import type { ApiDeps } from "./deps.ts";

declare module "fastify" {
  interface FastifyInstance {
    /** What /metrics shows of this server, beside what workers of the process measure. */
    registry: Registry;
  }
}

/** Times each answer, by the route's pattern: an address with an id of its own would be a series of its own. */
export function measureAnswers(app: FastifyInstance, { registry = new Registry() }: Pick<ApiDeps, "registry">): void {
  app.decorate("registry", registry);
  const durations = new Histogram({
    name: "callsift_http_request_duration_seconds",
    help: "Time of an answer, by method, route and status",
    labelNames: ["method", "route", "status"] as const,
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    registers: [registry],
  });
  app.addHook("onResponse", async (request, reply) => {
    const { url = "none" } = request.routeOptions;
    durations.observe({ method: request.method, route: url, status: `${reply.statusCode}` }, reply.elapsedTime / 1000);
  });
}
