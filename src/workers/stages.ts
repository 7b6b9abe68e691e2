import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Call, NewCall, Stage, StoredRecording } from "../models/calls.ts";
import { isSampled } from "../models/calls-document.ts";
import type { CurrentPolicies } from "../models/current-policies.ts";
import type { RecordingFiles } from "../models/recording-files.ts";
import { summaryOf } from "../models/summary-of.ts";
import type { RecordingSource } from "../pipeline/audio/open.ts";
import { CallsiftError } from "../pipeline/errors.ts";
import { score, type Transcribed } from "../pipeline/stages.ts";
import { untilStored } from "./until-stored.ts";
import { tellScored } from "./webhook-messages.ts";
import type { WorkerDeps } from "./worker-deps.ts";

export interface StageDeps extends Pick<WorkerDeps, "models" | "files" | "hearing" | "config" | "onEvent"> {
  readonly policies: CurrentPolicies;
}

/** Does one stage of a call and saves what came of it: saving it twice leaves the same as saving it once. The stage that is next, null after the last. */
type RunStage = (call: Call, deps: StageDeps, signal: AbortSignal) => Promise<Stage | null>;

/** What there is to do for a call, by stage. */
export const RUN_STAGE = { listen, score: scoreCall } as const satisfies Record<Stage, RunStage>;

async function listen(call: Call, deps: StageDeps, signal: AbortSignal): Promise<Stage> {
  const { models, hearing, onEvent } = deps;
  const startedAt = performance.now();
  const source = await models.calls.source(call.id);
  if (!source) throw new CallsiftError("recording/gone", "expected the recording's place in the database, got none");
  const recipe = await hearing.recipeFor(source.givenTranscript !== null);
  // A worker before may have been killed between saving the words and saying so.
  const known = call.attempts > 1 ? await models.transcripts.get(call.id, recipe) : null;
  const transcribed = known ?? (await hear(call, source, deps, signal));
  await untilStored(async () => {
    if (!known) await models.transcripts.save(call.id, call.tenant, transcribed);
    await models.calls.heard(call.id, transcribed.recipe);
  }, signal);
  const { durationMs } = transcribed.recording;
  onEvent?.({ kind: "heard", call: call.id, durationMs, tookMs: performance.now() - startedAt, timings: transcribed.timings });
  return "score";
}

async function hear(
  call: Call,
  source: Pick<NewCall, "recording" | "givenTranscript">,
  { files, hearing, policies, config }: StageDeps,
  signal: AbortSignal,
): Promise<Transcribed> {
  const { recording, givenTranscript } = source;
  const { policyFor } = await policies.current();
  await using local = await localSource(recording, files, signal);
  await using words = givenTranscript && (await transcriptFile(givenTranscript.text, config.tempDir));
  const transcribed = await hearing.hear(
    {
      source: { name: call.name, ...local.source },
      metadata: call.metadata,
      transcriptPath: words?.path ?? null,
      agentChannel: "auto",
      language: config.language,
    },
    { policyFor, signal },
  );
  if (transcribed.recording.sha256 !== call.sha256)
    throw new CallsiftError("store/damaged", `expected a recording with the hash ${call.sha256}, got ${transcribed.recording.sha256}`);
  return transcribed;
}

interface LocalSource extends AsyncDisposable {
  readonly source: Omit<RecordingSource, "name">;
}

/** The recording, or both legs of it, as files that this process can read. */
async function localSource(recording: StoredRecording, files: RecordingFiles, signal: AbortSignal): Promise<LocalSource> {
  if ("key" in recording) {
    const local = await files.local(recording.key, signal);
    return { source: { path: local.path }, [Symbol.asyncDispose]: () => local[Symbol.asyncDispose]() };
  }
  const agent = await files.local(recording.agentKey, signal);
  try {
    const customer = await files.local(recording.customerKey, signal);
    return {
      source: { path: agent.path, legs: { agent: agent.path, customer: customer.path } },
      [Symbol.asyncDispose]: async () => {
        await agent[Symbol.asyncDispose]();
        await customer[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await agent[Symbol.asyncDispose]();
    throw error;
  }
}

/** A transcript that came with the call, as a file that the import engine reads. */
async function transcriptFile(text: string, tempDir: string | null): Promise<AsyncDisposable & { readonly path: string }> {
  const folder = await mkdtemp(join(tempDir ?? tmpdir(), "callsift-words-"));
  const path = join(folder, "call.transcript.json");
  await writeFile(path, text);
  return { path, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

async function scoreCall(call: Call, deps: StageDeps, signal: AbortSignal): Promise<null> {
  const startedAt = performance.now();
  await untilStored(() => scoreStored(call, deps), signal);
  deps.onEvent?.({ kind: "scored", call: call.id, tookMs: performance.now() - startedAt });
  return null;
}

async function scoreStored(call: Call, { models, policies }: StageDeps): Promise<void> {
  const [current, settings, transcribed] = await Promise.all([
    policies.current(),
    models.settings.get(),
    call.recipe === null ? null : models.transcripts.get(call.id, call.recipe),
  ]);
  if (!transcribed) throw new CallsiftError("store/damaged", `expected the words of recipe ${call.recipe} in the database, got none`);
  const screening = score(transcribed, current);
  const { recipe, policy } = screening;
  const summary = summaryOf(screening);
  const scored = { recipe, policy, summary, sampled: summary.queue === "pass" && isSampled(call.id, settings.sampleShare) };
  await policies.keep(policy, current.source);
  await models.screenings.save(call.id, screening);
  // Before the call is finished: whoever is killed in between does it again, and the outbox holds each message once.
  await tellScored(models.deliveries, settings, call, scored);
  await models.calls.scored(call.id, scored);
}
