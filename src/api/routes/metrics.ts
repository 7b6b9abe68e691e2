import { Gauge } from "prom-client";
import { binary } from "../schemas/common.ts";
import type { ApiRoutes } from "../server.ts";

/** Figures for Prometheus; what the stores know is asked for when they are. */
export const metricsRoutes: ApiRoutes = (app, { models, schedule, log }) => {
  const { registry } = app;
  const registers = [registry];
  const depth = new Gauge({
    name: "callsift_queue_jobs",
    help: "Jobs of a stage, by state",
    labelNames: ["stage", "state"] as const,
    registers,
  });
  const age = new Gauge({
    name: "callsift_queue_oldest_seconds",
    help: "How long the oldest job of a stage has waited",
    labelNames: ["stage"] as const,
    registers,
  });
  const calls = new Gauge({ name: "callsift_calls", help: "Calls, by status", labelNames: ["status"] as const, registers });
  const waiting = new Gauge({ name: "callsift_call_oldest_queued_seconds", help: "How long the oldest queued call has waited", registers });
  const backlog = new Gauge({ name: "callsift_review_backlog", help: "Calls that wait for a person", registers });
  const reachable = new Gauge({
    name: "callsift_store_up",
    help: "1 where the store answered just now",
    labelNames: ["store"] as const,
    registers,
  });

  const askQueue = async (): Promise<void> => {
    for (const [stage, { waiting, active, delayed, failed, oldestMs }] of Object.entries(await schedule.depth())) {
      for (const [state, jobs] of Object.entries({ waiting, active, delayed, failed })) depth.set({ stage, state }, jobs);
      age.set({ stage }, oldestMs / 1000);
    }
  };
  const askDatabase = async (): Promise<void> => {
    const { reviewBacklog, oldestQueuedAt, ...byStatus } = await models.calls.counts();
    for (const [status, count] of Object.entries(byStatus)) calls.set({ status }, count);
    waiting.set(oldestQueuedAt ? Math.max(0, Date.now() - oldestQueuedAt.getTime()) / 1000 : 0);
    backlog.set(reviewBacklog);
  };
  const ask = async (store: string, question: () => Promise<void>): Promise<void> => {
    try {
      await question();
      reachable.set({ store }, 1);
    } catch (error) {
      // The rest of the figures are wanted most when a store is down.
      log.warn({ store, err: error }, "a store did not answer for metrics");
      reachable.set({ store }, 0);
    }
  };

  app.get(
    "/metrics",
    {
      config: { access: "operations" },
      schema: { summary: "Figures for Prometheus", tags: ["service"], response: { 200: binary("text/plain") } },
    },
    async (_request, reply) => {
      await Promise.all([ask("queue", askQueue), ask("database", askDatabase)]);
      return await reply.type(registry.contentType).send(await registry.metrics());
    },
  );
};
