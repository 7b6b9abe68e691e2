import { parentPort } from "node:worker_threads";
import { unpackSync } from "../models/packed.ts";
import { storedScreening } from "../models/stored-screening.ts";
import { summaryOf } from "../models/summary-of.ts";
import { toCallsiftError } from "../pipeline/errors.ts";
import { type Policies, type PolicyData, policiesOf } from "../pipeline/policies.ts";
import { score, type Transcribed } from "../pipeline/stages.ts";
import type { JudgedCall, RescoreAnswer, RescoreOrder } from "./rescore-thread.ts";

const policies = new Map<string, Policies>();

parentPort?.on("message", (order: RescoreOrder) => parentPort?.postMessage(judge(order)));

function judge({ sources, calls, wantsScreenings }: RescoreOrder): RescoreAnswer {
  for (const [key, source] of sources) policies.set(key, policiesOf(source as PolicyData));
  try {
    const judged: JudgedCall[] = [];
    for (const { callId, packed, policyKey } of calls) {
      const transcribed = unpackSync(packed) as Transcribed;
      const screening = score(transcribed, policies.get(policyKey) as Policies);
      judged.push({
        callId,
        policy: screening.policy,
        summary: summaryOf(screening),
        screening: wantsScreenings ? storedScreening(callId, screening) : null,
      });
    }
    return { kind: "judged", judged };
  } catch (error) {
    const { code, message } = toCallsiftError(error);
    return { kind: "failed", code, message };
  }
}
