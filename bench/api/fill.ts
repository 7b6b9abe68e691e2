import { createHash } from "node:crypto";
import type { CallSummary, ScoredCall } from "../../src/models/calls.ts";
import { newCallId } from "../../src/models/ids.ts";
import type { Models } from "../../src/models/models.ts";
import { many } from "./many.ts";

const MEGABYTE = 1024 * 1024;

/** Calls of three months, of 40 agents in 8 teams; a third to be reviewed. */
export async function fill(models: Models, count: number): Promise<void> {
  const scored: ScoredCall[] = [];
  const start = Date.parse("2025-01-01T00:00:00Z");
  await many(count, 32, async (i) => {
    const agentNumber = i % 40;
    const { call } = await models.calls.accept({
      id: newCallId(),
      tenant: "default",
      sha256: createHash("sha256").update(`call ${i}`).digest("hex"),
      name: `call-${i}.wav`,
      bytes: MEGABYTE,
      recording: { key: `default/${i}` },
      givenTranscript: null,
      lane: "bulk",
      metadata: {
        callId: `c-${i}`,
        agentId: `agent-${agentNumber}`,
        agentName: `Agent ${agentNumber}`,
        team: `team-${agentNumber % 8}`,
        startedAt: new Date(start + (i * 90 * 86_400_000) / count).toISOString(),
        customerNumber: `138${String(i).padStart(8, "0")}`,
        direction: "inbound",
      },
    });
    scored.push({ id: call.id, recipe: "r".repeat(64), policy: "p".repeat(64), summary: summaryOf(i) });
  });
  for (let at = 0; at < scored.length; at += 500) await models.calls.scoredMany(scored.slice(at, at + 500));
}

function summaryOf(i: number): CallSummary {
  const isFatal = i % 50 === 0;
  const isFlagged = i % 3 === 0;
  const rules = isFatal ? ["insult", "dead-air"] : isFlagged ? ["dead-air", "missing-closing", "fillers"] : [];
  return {
    score: isFatal ? 0 : 20 - (i % 7),
    max: 20,
    band: isFatal ? "fail" : "good",
    fatal: isFatal,
    complete: true,
    queue: isFlagged || isFatal ? "review" : "pass",
    priority: isFatal ? 90 : (i * 7) % 80,
    reasons: rules,
    rules,
    severities: isFatal ? ["fatal", "general"] : isFlagged ? ["general"] : [],
    findings: rules.length,
    durationMs: 180_000,
    layout: "split",
  };
}
