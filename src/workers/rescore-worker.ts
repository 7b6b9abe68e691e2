import { parentPort } from "node:worker_threads";
import { unpackSync } from "../models/packed.ts";
import { unpackTranscribedSync } from "../models/packed-transcript.ts";
import { storedScreening, type WordlessScreening } from "../models/stored-screening.ts";
import { summaryOf } from "../models/summary-of.ts";
import { toCallsiftError } from "../pipeline/errors.ts";
import { type Policies, type PolicyData, policiesOf } from "../pipeline/policies.ts";
import type { Policy } from "../pipeline/rules/policy.ts";
import { type EarlierScreening, policyHash, score } from "../pipeline/stages.ts";
import type { Language } from "../pipeline/types.ts";
import type { JudgedCall, RescoreAnswer, RescoreCall, RescoreOrder } from "./rescore-thread.ts";

const policies = new Map<string, Policies>();
/** By hash and language; null where the rules are read otherwise than they were, or not at all: what they found may be something else now. */
const earlierPolicies = new Map<string, Policy | null>();
const sources = new Map<string, PolicyData>();

parentPort?.on("message", (order: RescoreOrder) => parentPort?.postMessage(judge(order)));

function judge({ sources: fresh, calls, wantsScreenings }: RescoreOrder): RescoreAnswer {
  for (const [key, source] of fresh) sources.set(key, source as PolicyData);
  try {
    const judged: JudgedCall[] = [];
    for (const { callId, packed, policyKey, earlier } of calls) {
      const transcribed = unpackTranscribedSync(packed);
      const screening = score(transcribed, policiesAt(policyKey), earlier && earlierOf(earlier, transcribed.call.language));
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

function policiesAt(key: string): Policies {
  const known = policies.get(key) ?? policiesOf(sources.get(key) as PolicyData);
  policies.set(key, known);
  return known;
}

function earlierOf({ packed, policy: hash }: NonNullable<RescoreCall["earlier"]>, language: Language): EarlierScreening | null {
  const key = `${hash} ${language}`;
  const policy = earlierPolicies.has(key) ? earlierPolicies.get(key) : readEarlier(hash, language);
  earlierPolicies.set(key, policy ?? null);
  if (!policy) return null;
  const { findings, notAssessed, metrics } = unpackSync(packed) as WordlessScreening;
  return { rules: policy.rules, findings, notAssessed, metrics };
}

function readEarlier(hash: string, language: Language): Policy | null {
  try {
    const policy = policiesAt(hash).policyFor(language);
    return policyHash(policy) === hash ? policy : null;
  } catch {
    return null;
  }
}
