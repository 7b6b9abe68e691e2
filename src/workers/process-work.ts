import type { Call, Stage, Unfinished } from "../models/calls.ts";
import { CallsiftError, ERRORS, toCallsiftError } from "../pipeline/errors.ts";
import { keepLease, LEASE_MS, type Lease } from "./lease.ts";
import { RUN_STAGE, type StageDeps } from "./stages.ts";
import { untilStored } from "./until-stored.ts";
import { tellFailed } from "./webhook-messages.ts";
import type { Outcome, Process } from "./work.ts";
import type { WorkerDeps } from "./worker-deps.ts";

/** A call that took its worker down this often is set aside. */
const MAX_CRASHES = 2;
/** How often a call is listened to that fails in a way that may heal: over about eleven minutes. */
const MAX_TRIES = 6;
const FIRST_DELAY_MS = 2_000;
const DELAY_GROWTH = 4;
/** The database away: asked again soon, and for as long as it takes. */
const STORE_DELAY_MS = 3_000;

export interface ProcessorDeps extends StageDeps, Pick<WorkerDeps, "log"> {
  /** Names this process among all workers. */
  readonly worker: string;
}

/** The one processor of all schedules: already done? else load, run the stage, save; then say what is next. */
export function createProcessor(deps: ProcessorDeps): Process {
  const { models, worker } = deps;
  return async (work, signal) => {
    try {
      const call = await models.calls.begin(work.id, worker, LEASE_MS);
      if (!call) return await leaveAlone(work, deps);
      if (call.crashes >= MAX_CRASHES) return await setAside(call, work.stage, deps);
      using lease = keepLease(models.calls, call.id, { worker, signal });
      return await runStage(call, work, lease, deps);
    } catch (error) {
      // Not even the first or last word with the database: whatever it holds then, the reconciler finds.
      return { kind: "later", delayMs: STORE_DELAY_MS, error: toCallsiftError(error) };
    }
  };
}

async function runStage(call: Call, work: Unfinished, lease: Lease, deps: ProcessorDeps): Promise<Outcome> {
  const stage: Stage = call.recipe === null ? "listen" : "score";
  if (stage !== work.stage) {
    await deps.models.calls.release(call.id, deps.worker);
    return { kind: "next", work: { ...work, stage } };
  }
  try {
    const next = await RUN_STAGE[stage](call, deps, lease.signal);
    return next ? { kind: "next", work: { ...work, stage: next } } : { kind: "done" };
  } catch (error) {
    return await giveUp(error, { call, stage, lease, deps });
  }
}

interface Failed {
  readonly call: Call;
  readonly stage: Stage;
  readonly lease: Lease;
  readonly deps: ProcessorDeps;
}

async function giveUp(caught: unknown, { call, stage, lease, deps }: Failed): Promise<Outcome> {
  const { models, worker, log, onEvent } = deps;
  if (lease.isLost) return { kind: "done" };
  const release = (counted: boolean) => untilStored(() => models.calls.release(call.id, worker, { counted }), lease.signal);
  if (lease.signal.aborted) {
    await release(false);
    return { kind: "handed-back" };
  }
  const error = toCallsiftError(caught);
  const fields = { call: call.id, stage, code: error.code, attempt: call.attempts };
  // What the database or the disk cannot take now says nothing about the call.
  const isOurTrouble = error.code === "store/unreachable" || error.code === "output/no-space";
  if (isOurTrouble || (ERRORS[error.code].healable && call.attempts < MAX_TRIES)) {
    await release(!isOurTrouble);
    log.warn(fields, "call will be tried again");
    onEvent?.({ kind: "later", call: call.id, stage, code: error.code });
    const delayMs = isOurTrouble ? STORE_DELAY_MS : FIRST_DELAY_MS * DELAY_GROWTH ** (call.attempts - 1);
    return { kind: "later", delayMs, error };
  }
  const bug = error.code === "internal/bug" && error.cause instanceof Error ? { stack: error.cause.stack } : {};
  log.error({ ...fields, ...bug }, "call failed");
  return await untilStored(() => fail(call, stage, error, deps), lease.signal);
}

async function setAside(call: Call, stage: Stage, deps: ProcessorDeps): Promise<Outcome> {
  deps.log.error({ call: call.id, crashes: call.crashes }, "call set aside");
  const message = `the worker that had it ended ${call.crashes} times before it was done; have a look at the recording, then try it again`;
  return await fail(call, stage, new CallsiftError("call/crashed", message), deps);
}

async function fail(call: Call, stage: Stage, error: CallsiftError, { models, onEvent }: ProcessorDeps): Promise<Outcome> {
  const told = { code: error.code, message: error.message };
  await tellFailed(models.deliveries, await models.settings.get(), call, told);
  await models.calls.failed(call.id, told);
  onEvent?.({ kind: "failed", call: call.id, stage, code: error.code });
  return { kind: "failed", error };
}

/** A call that is finished, in other hands, or deleted; what was saved of a deleted one while it was being deleted goes too. */
async function leaveAlone({ id }: Unfinished, { models }: ProcessorDeps): Promise<Outcome> {
  if ((await models.calls.get(id)) === null) await Promise.all([models.transcripts.removeCall(id), models.screenings.removeCall(id)]);
  return { kind: "done" };
}
