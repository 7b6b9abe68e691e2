import { Counter, Histogram, type Registry } from "prom-client";
import type { WorkerEvent } from "./worker-deps.ts";

/** Measures the work of this process's workers into a registry that /metrics shows: pass it to workers as `onEvent`. */
export function measureWork(registry: Registry): (event: WorkerEvent) => void {
  const registers = [registry];
  const stages = new Histogram({
    name: "callsift_stage_duration_seconds",
    help: "Time of a stage for one call",
    labelNames: ["stage"] as const,
    buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 120, 300, 900],
    registers,
  });
  const speed = new Histogram({
    name: "callsift_listen_speed_ratio",
    help: "Seconds of sound for each second of listening (x real time)",
    buckets: [0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500],
    registers,
  });
  const sound = new Counter({ name: "callsift_listened_sound_seconds_total", help: "Sound that was listened to", registers });
  const done = new Counter({ name: "callsift_work_done_total", help: "Stages done", labelNames: ["stage"] as const, registers });
  const failures = new Counter({
    name: "callsift_work_failures_total",
    help: "Stages that failed for good (final=yes) or will be tried again, by code",
    labelNames: ["stage", "code", "final"] as const,
    registers,
  });
  const deliveries = new Counter({
    name: "callsift_webhook_deliveries_total",
    help: "Webhook messages",
    labelNames: ["ok"] as const,
    registers,
  });
  const measure: { readonly [Kind in WorkerEvent["kind"]]: (event: Extract<WorkerEvent, { kind: Kind }>) => void } = {
    heard({ durationMs, tookMs, timings }) {
      for (const [name, ms] of Object.entries(timings)) stages.observe({ stage: name.replace(/Ms$/, "") }, ms / 1000);
      stages.observe({ stage: "listen" }, tookMs / 1000);
      if (tookMs > 0) speed.observe(durationMs / tookMs);
      sound.inc(durationMs / 1000);
      done.inc({ stage: "listen" });
    },
    scored({ tookMs }) {
      stages.observe({ stage: "score" }, tookMs / 1000);
      done.inc({ stage: "score" });
    },
    failed: ({ stage, code }) => failures.inc({ stage, code, final: "yes" }),
    later: ({ stage, code }) => failures.inc({ stage, code, final: "no" }),
    delivered: ({ ok }) => deliveries.inc({ ok: ok ? "yes" : "no" }),
  };
  return (event) => measure[event.kind](event as never);
}
