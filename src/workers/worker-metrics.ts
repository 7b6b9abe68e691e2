import { Counter, Histogram, type Registry } from "prom-client";
import type { WorkerEvent } from "./worker-deps.ts";

/** Counts what a worker does, for Prometheus; answers what to hand to startWorker as `onEvent`. */
export function measureWork(registry: Registry): (event: WorkerEvent) => void {
  const registers = [registry];
  const stages = new Histogram({
    name: "callsift_stage_duration_seconds",
    help: "Time that a call took, by stage: probe, transcode, vad, transcribe, listen (all of these), score",
    labelNames: ["stage"] as const,
    buckets: [0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
    registers,
  });
  const audio = new Counter({
    name: "callsift_audio_seconds_total",
    help: "Length of the recordings that were listened to; its rate over that of listen's duration is the speed, times real time, of one at a time",
    registers,
  });
  const failures = new Counter({
    name: "callsift_failures_total",
    help: "Stages that failed, by code and whether they will be tried again",
    labelNames: ["stage", "code", "again"] as const,
    registers,
  });
  const deliveries = new Counter({
    name: "callsift_webhook_deliveries_total",
    help: "Webhook messages, by whether they were taken",
    labelNames: ["ok"] as const,
    registers,
  });
  return (event) => {
    if (event.kind === "heard") {
      audio.inc(event.durationMs / 1000);
      stages.observe({ stage: "listen" }, event.tookMs / 1000);
      for (const [name, ms] of Object.entries(event.timings)) stages.observe({ stage: name.replace(/Ms$/, "") }, ms / 1000);
    } else if (event.kind === "scored") stages.observe({ stage: "score" }, event.tookMs / 1000);
    else if (event.kind === "delivered") deliveries.inc({ ok: `${event.ok}` });
    else failures.inc({ stage: event.stage, code: event.code, again: `${event.kind === "later"}` });
  };
}
