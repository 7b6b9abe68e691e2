import { availableParallelism } from "node:os";
import type { Call, CallSummary } from "../models/calls.ts";
import { isSampled } from "../models/calls-document.ts";
import type { Models } from "../models/models.ts";
import type { PolicySource } from "../models/policies.ts";
import type { Rescore, RescoreReport, RescoreRequest } from "../models/rescore.ts";
import { CallsiftError } from "../pipeline/errors.ts";
import { openRescorePolicies, type RescorePolicies, type Target } from "./rescore-policies.ts";
import { createReport, type ReportBuilder } from "./rescore-report.ts";
import { type JudgedCall, type RescoreCall, type RescoreThread, startRescoreThread } from "./rescore-thread.ts";

const BATCH = 64;

export interface RescoreDeps {
  readonly models: Models;
  /** Default: the cores. */
  readonly threads?: number;
  /** Calls looked at so far. */
  readonly onProgress?: (calls: number) => void;
}

type Scored = Call & { readonly summary: CallSummary; readonly recipe: string; readonly policy: string };

/** Judges stored calls in threads of their own, so that whoever serves requests meanwhile goes on serving. */
export function createRescore(deps: RescoreDeps): Rescore {
  return async (request, signal) => {
    const policies = await openRescorePolicies(deps.models, request);
    const threads = Array.from({ length: deps.threads ?? Math.max(1, availableParallelism()) }, startRescoreThread);
    try {
      return await run({ ...deps, request, signal, policies, threads, kept: new Set() });
    } finally {
      await Promise.all(threads.map((thread) => thread[Symbol.asyncDispose]()));
    }
  };
}

interface Run extends Omit<RescoreDeps, "threads"> {
  readonly request: RescoreRequest;
  readonly signal: AbortSignal;
  readonly policies: RescorePolicies;
  readonly threads: readonly RescoreThread[];
  /** Policy hashes whose sources are kept already. */
  readonly kept: Set<string>;
}

async function run(all: Run): Promise<RescoreReport> {
  const { models, request, signal, threads, onProgress } = all;
  const report = createReport(request.dryRun);
  const { sampleShare } = await models.settings.get();
  const batches = batchesOf(models.calls.all({ tenant: request.tenant }, { status: "scored" }, "-startedAt"));
  let seen = 0;
  const work = async (thread: RescoreThread, told: Set<string>): Promise<void> => {
    for (;;) {
      if (signal.aborted) throw new CallsiftError("aborted", "stopped on request");
      const { value: batch, done } = await batches.next();
      if (done) return;
      await judgeBatch(batch, { ...all, report, thread, told, sampleShare });
      seen += batch.length;
      onProgress?.(seen);
    }
  };
  // Two batches a thread: while it judges one, the other is read or written.
  const lanes = threads.flatMap((thread) => {
    const told = new Set<string>();
    return [work(thread, told), work(thread, told)];
  });
  const results = await Promise.allSettled(lanes);
  const failed = results.find((result) => result.status === "rejected");
  if (failed) throw failed.reason;
  return report.report();
}

interface BatchRun extends Run {
  readonly report: ReportBuilder;
  readonly thread: RescoreThread;
  /** Keys of the policies that the thread knows. */
  readonly told: Set<string>;
  readonly sampleShare: number;
}

async function judgeBatch(batch: readonly Call[], all: BatchRun): Promise<void> {
  const { request, report, thread, told, policies } = all;
  const due: Due[] = [];
  for (const call of batch) {
    const target = isScored(call) ? await policies.targetOf(call.policy) : null;
    if (!isScored(call) || !target) report.skip();
    else if (target.hashes.has(call.policy)) report.add(call, call.summary);
    else due.push({ call, target });
  }
  if (due.length === 0) return;
  const { found, sources } = await ordersOf(due, all);
  const judged = await thread.judge({
    sources: [...sources].filter(([key]) => !told.has(key)),
    calls: found.map(({ order }) => order),
    wantsScreenings: !request.dryRun,
  });
  for (const key of sources.keys()) told.add(key);
  if (!request.dryRun) await save(judged, found, all);
  for (const [i, { summary }] of judged.entries()) report.add((found[i] as (typeof found)[number]).call, summary);
}

interface Due {
  readonly call: Scored;
  readonly target: Target;
}

interface Found extends Due {
  readonly order: RescoreCall;
}

/** What a thread is told of each call, and by key the policies that it must know for that. */
async function ordersOf(due: readonly Due[], all: BatchRun): Promise<{ found: Found[]; sources: Map<string, PolicySource> }> {
  const { models, report, policies } = all;
  const keys = due.map(({ call: { id, recipe, policy } }) => ({ callId: id, recipe, policy }));
  const [transcripts, screenings] = await Promise.all([models.transcripts.getPacked(keys), models.screenings.getPacked(keys)]);
  const sources = new Map<string, PolicySource>();
  const found: Found[] = [];
  for (const { call, target } of due) {
    const packed = transcripts.get(call.id);
    if (!packed) {
      report.skip();
      continue;
    }
    sources.set(target.key, target.source);
    const screening = screenings.get(call.id);
    const source = screening && (await policies.sourceOf(call.policy));
    if (source) sources.set(call.policy, source);
    const earlier = screening && source ? { packed: screening, policy: call.policy } : null;
    found.push({ call, target, order: { callId: call.id, packed, policyKey: target.key, earlier } });
  }
  return { found, sources };
}

async function save(judged: readonly JudgedCall[], found: readonly Found[], all: BatchRun): Promise<void> {
  const { models, sampleShare, kept } = all;
  const sources = new Map(judged.map(({ policy }, i) => [policy, found[i]?.target.source]));
  for (const [policy, source] of sources) {
    if (!source || kept.has(policy)) continue;
    await models.policies.keep(policy, source);
    kept.add(policy);
  }
  await models.screenings.saveMany(judged.flatMap(({ screening }) => screening ?? []));
  await models.calls.scoredMany(
    judged.map(({ callId, policy, summary }, i) => {
      const { call } = found[i] as (typeof found)[number];
      const sampled = summary.queue === "pass" && (call.sampled || isSampled(callId, sampleShare));
      return { id: callId, recipe: call.recipe, policy, summary, sampled };
    }),
  );
}

function isScored(call: Call): call is Scored {
  return call.summary !== null && call.recipe !== null && call.policy !== null;
}

/** Safe to be asked by several at once: an async generator answers one after the other. */
async function* batchesOf(calls: AsyncIterable<Call>): AsyncGenerator<readonly Call[], undefined> {
  let batch: Call[] = [];
  for await (const call of calls) {
    batch.push(call);
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
