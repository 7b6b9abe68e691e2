import type { Screening } from "../pipeline/screening.ts";
import type { CallSummary } from "./calls.ts";

/** What lists show of a screening. */
export function summaryOf({ score, triage, findings, recording, audio }: Screening): CallSummary {
  return {
    score: score.total,
    max: score.max,
    band: score.band,
    fatal: score.fatal,
    complete: score.complete,
    queue: triage.queue,
    priority: triage.priority,
    reasons: triage.reasons,
    rules: [...new Set(findings.map(({ rule }) => rule))],
    severities: [...new Set(findings.map(({ severity }) => severity))],
    findings: findings.length,
    durationMs: recording.durationMs,
    layout: audio.layout,
  };
}
