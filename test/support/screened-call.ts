import { createHash } from "node:crypto";
import type { NewCall } from "../../src/models/calls.ts";
import { createCurrentPolicies } from "../../src/models/current-policies.ts";
import type { Models } from "../../src/models/models.ts";
import { summaryOf } from "../../src/models/summary-of.ts";
import type { Screening } from "../../src/pipeline/screening.ts";
import { score, type Transcribed } from "../../src/pipeline/stages.ts";
import { heardCall, type ShortCall } from "./heard-call.ts";
import { newCall } from "./models.ts";

/** A call of half a minute with faults of every severity: no greeting, a long silence, a forbidden phrase. */
export const FAULTY_CALL: ShortCall = {
  utterances: [
    { role: "customer", startMs: 500, endMs: 4_000, text: "你好我想问一下宽带的费用" },
    { role: "agent", startMs: 4_500, endMs: 8_000, text: "您说的这个我不清楚" },
    { role: "customer", startMs: 20_000, endMs: 23_000, text: "那我要投诉你们" },
    { role: "agent", startMs: 23_500, endMs: 26_000, text: "随便你" },
  ],
};

/** What was heard of a short call, as a worker stores it. */
export function transcribedOf(short: ShortCall, { sha256, name, bytes }: Pick<NewCall, "sha256" | "name" | "bytes">): Transcribed {
  const call = heardCall(short);
  return {
    recording: { name, sha256, bytes, codec: "pcm_mulaw", sampleRate: 8000, channels: 2, durationMs: call.durationMs },
    recipe: createHash("sha256").update("recipe of tests").digest("hex"),
    call,
    roleConfidence: 1,
    voices: null,
    timings: { probeMs: 1, transcodeMs: 1, vadMs: 1, transcribeMs: 1 },
  };
}

/** Accepts a call and screens what was heard of it by the rules in force, as a worker does. */
export async function screenedCall(
  models: Models,
  short: ShortCall = FAULTY_CALL,
  change: Partial<NewCall> = {},
  sampled = false,
): Promise<{ readonly id: string; readonly screening: Screening }> {
  const made = newCall({ ...change, metadata: { ...short.metadata, ...change.metadata } });
  const { id } = (await models.calls.accept(made)).call;
  const transcribed = transcribedOf({ ...short, metadata: made.metadata }, made);
  await models.transcripts.save(id, made.tenant, transcribed);
  await models.calls.heard(id, transcribed.recipe);
  const policies = createCurrentPolicies(models.policies);
  const current = await policies.current();
  const screening = score(transcribed, current);
  await policies.keep(screening.policy, current.source);
  await models.screenings.save(id, screening);
  await models.calls.scored(id, { recipe: screening.recipe, policy: screening.policy, summary: summaryOf(screening), sampled });
  return { id, screening };
}
