import { parentPort } from "node:worker_threads";
import { unpack } from "../models/packed.ts";
import { summaryOf } from "../models/summary-of.ts";
import { toCallsiftError } from "../pipeline/errors.ts";
import { type Policies, type PolicyData, policiesOf } from "../pipeline/policies.ts";
import type { Screening } from "../pipeline/screening.ts";
import { score, type Transcribed } from "../pipeline/stages.ts";
import type { JudgedCall, RescoreAnswer, RescoreOrder } from "./rescore-thread.ts";

const policies = new Map<string, Policies>();

parentPort?.on("message", (order: RescoreOrder) => void judge(order).then((answer) => parentPort?.postMessage(answer)));

async function judge({ sources, calls, wantsScreenings }: RescoreOrder): Promise<RescoreAnswer> {
  for (const [key, source] of sources) policies.set(key, policiesOf(source as PolicyData));
  try {
    const judged: JudgedCall[] = [];
    for (const { callId, packed, policyKey } of calls) {
      const transcribed = (await unpack(packed)) as Transcribed;
      const screening = score(transcribed, policies.get(policyKey) as Policies);
      judged.push({
        callId,
        policy: screening.policy,
        summary: summaryOf(screening),
        screening: wantsScreenings ? withoutWords(screening) : null,
      });
    }
    return { kind: "judged", judged };
  } catch (error) {
    const { code, message } = toCallsiftError(error);
    return { kind: "failed", code, message };
  }
}

/** What the transcript holds is not stored with a screening, so it need not be copied between threads. */
function withoutWords(screening: Screening): Screening {
  const { audio } = screening;
  return {
    ...screening,
    audio: { ...audio, channels: [], tones: [], problems: [] },
    speech: null,
    transcript: { status: "not-available", reason: "stored apart" },
  };
}
