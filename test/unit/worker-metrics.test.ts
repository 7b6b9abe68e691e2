import { Registry } from "prom-client";
import { expect, it } from "vitest";
import { measureWork } from "../../src/workers/worker-metrics.ts";

it("counts what a worker did, by stage and by code, and no call by its name", async () => {
  const registry = new Registry();
  const onEvent = measureWork(registry);
  const timings = { probeMs: 5, transcodeMs: 40, vadMs: 20, transcribeMs: 900 };
  onEvent({ kind: "heard", call: "64b7f00000000000000000aa", durationMs: 60_000, tookMs: 1_000, timings });
  onEvent({ kind: "scored", call: "64b7f00000000000000000aa", tookMs: 4 });
  onEvent({ kind: "failed", call: "64b7f00000000000000000ab", stage: "listen", code: "audio/unreadable" });
  onEvent({ kind: "later", call: "64b7f00000000000000000ab", stage: "listen", code: "asr/busy" });
  onEvent({ kind: "delivered", ok: false });
  const text = await registry.metrics();
  expect(text).toContain("callsift_listen_speed_ratio_sum 60");
  expect(text).toContain("callsift_listened_sound_seconds_total 60");
  expect(text).toContain('callsift_stage_duration_seconds_sum{stage="transcribe"} 0.9');
  expect(text).toContain('callsift_stage_duration_seconds_count{stage="score"} 1');
  expect(text).toContain('callsift_work_failures_total{stage="listen",code="audio/unreadable",final="yes"} 1');
  expect(text).toContain('callsift_work_failures_total{stage="listen",code="asr/busy",final="no"} 1');
  expect(text).toContain('callsift_webhook_deliveries_total{ok="no"} 1');
  expect(text).not.toContain("64b7f");
});
