import { randomBytes } from "node:crypto";
import { availableParallelism, hostname } from "node:os";
import type { Stage } from "../models/calls.ts";
import { createCurrentPolicies } from "../models/current-policies.ts";
import type { Schedule } from "../models/schedule.ts";
import { toCallsiftError } from "../pipeline/errors.ts";
import { createProcessor } from "./process-work.ts";
import { createReconciler, type Reconciler } from "./reconciler.ts";
import { hasRoom } from "./room.ts";
import { openQueueSchedule, openQueueWorkers } from "./schedule-bullmq.ts";
import { createInProcessSchedule } from "./schedule-in-process.ts";
import { parseNamePattern } from "./sources/name-pattern.ts";
import { type FolderWatch, watchFolder } from "./sources/watch-folder.ts";
import { startUpkeep } from "./upkeep.ts";
import { startSender } from "./webhooks.ts";
import type { Hands, Process } from "./work.ts";
import type { Log, WorkerDeps } from "./worker-deps.ts";

const LOOK_MS = 2_000;
/** Of an installation without tenants of its own. */
const DEFAULT_TENANT = "default";
/** For the end that must come: a supervisor kills after 30 s. */
const DEFAULT_GRACE_MS = 25_000;

/** A worker of this process. */
export interface WorkerHandle extends AsyncDisposable {
  /** Where work is put in; with Redis all processes share it. */
  readonly schedule: Schedule;
  /** Takes nothing new, finishes what it has, and hands back what is not finished within `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

/** Starts to work on calls: takes them off the schedule, listens, scores, saves, and finds what others left undone. */
export async function startWorker(deps: WorkerDeps): Promise<WorkerHandle> {
  const { models, config, log, redisUrl } = deps;
  const worker = `${hostname()}-${process.pid}-${randomBytes(4).toString("hex")}`;
  const policies = createCurrentPolicies(models.policies);
  const work = createProcessor({ ...deps, policies, worker });
  // Scoring takes milliseconds of this thread: more at once would only wait for one another and for the database.
  const concurrency = { listen: Math.min(config.concurrency, 4 * availableParallelism()), score: 4 };
  const order = redisUrl === null ? openOwnOrder(work, concurrency) : openSharedOrder(redisUrl, work, concurrency, log);
  const reconciler = createReconciler({
    calls: models.calls,
    enqueue: order.schedule.enqueue,
    enqueueAgain: order.enqueueAgain,
    known: async () => {
      const { listen, score } = await order.schedule.depth();
      return listen.waiting + listen.active + score.waiting + score.active;
    },
    isTurn: order.isTurn,
    hasPeers: redisUrl !== null,
    onTrouble: (error) => log.warn({ code: toCallsiftError(error).code, why: messageOf(error) }, "unfinished calls were not looked for"),
  });
  const watch = startLooking(deps, order);
  const sender = startSender(deps);
  const upkeep = startUpkeep({
    maintain: () => models.maintain(),
    onTrouble: (error) => log.warn({ code: toCallsiftError(error).code, why: messageOf(error) }, "the database was not brought in order"),
  });
  const folder = await watchConfigured(deps, order.schedule);
  reconciler.start();
  log.info({ worker, concurrency, queue: redisUrl === null ? "in process" : "redis" }, "worker started");
  return handleOf({ order, reconciler, watch, sender, upkeep, folder, log });
}

interface Parts {
  readonly order: Order;
  readonly reconciler: Reconciler;
  readonly watch: { stop(): void };
  readonly sender: { stop(): Promise<void> };
  readonly upkeep: { stop(): Promise<void> };
  /** null where no folder is watched. */
  readonly folder: AsyncDisposable | null;
  readonly log: Log;
}

function handleOf({ order, reconciler, watch, sender, upkeep, folder, log }: Parts): WorkerHandle {
  let stopping: Promise<void> | null = null;
  async function stop(graceMs: number): Promise<void> {
    watch.stop();
    await Promise.all([reconciler.stop(), order.hands.stop(graceMs), sender.stop(), upkeep.stop(), folder?.[Symbol.asyncDispose]()]);
    await order.schedule[Symbol.asyncDispose]();
    log.info({}, "worker stopped");
  }
  const stopOnce = (graceMs: number): Promise<void> => {
    stopping ??= stop(graceMs);
    return stopping;
  };
  return { schedule: order.schedule, stop: stopOnce, [Symbol.asyncDispose]: () => stopOnce(DEFAULT_GRACE_MS) };
}

/** The folder of CALLSIFT_WATCH. */
async function watchConfigured({ models, files, config, log }: WorkerDeps, schedule: Schedule): Promise<FolderWatch | null> {
  const { watch, namePattern, timeZone, dataDir, minFreeBytes, maxUploadBytes: maxBytes } = config;
  if (watch === null) return null;
  return await watchFolder({
    ...watch,
    models,
    files,
    tenant: DEFAULT_TENANT,
    pattern: namePattern === null ? null : parseNamePattern(namePattern, timeZone),
    maxBytes,
    dataDir,
    log,
    enqueue: schedule.enqueue,
    hasRoom: () => hasRoom(dataDir, minFreeBytes),
  });
}

/** A schedule with the hands that take from it. */
interface Order {
  readonly schedule: Schedule;
  readonly hands: Hands;
  readonly enqueueAgain: Schedule["enqueue"];
  readonly isTurn: (ms: number) => Promise<boolean>;
}

function openOwnOrder(work: Process, concurrency: Readonly<Record<Stage, number>>): Order {
  const schedule = createInProcessSchedule({ process: work, concurrency });
  return { schedule, hands: schedule.hands, enqueueAgain: schedule.enqueue, isTurn: async () => true };
}

function openSharedOrder(redisUrl: string, work: Process, concurrency: Readonly<Record<Stage, number>>, log: Log): Order {
  const onTrouble = (error: Error): void => log.warn({ code: "queue/unreachable", why: error.message }, "trouble with Redis");
  const schedule = openQueueSchedule(redisUrl, { onTrouble });
  const hands = openQueueWorkers(redisUrl, { process: work, concurrency, schedule, onTrouble });
  return { schedule, hands, enqueueAgain: schedule.enqueueAgain, isTurn: (ms) => schedule.isFirst("sweep", ms) };
}

/** Holds the hands while the disk is nearly full or somebody has paused the service; settings are the truth, also where Redis has forgotten. */
function startLooking({ models, config, log }: WorkerDeps, { schedule, hands }: Order): { stop(): void } {
  // Until somebody has looked, nothing is begun.
  let held: string | null = "starting";
  let isStopped = false;
  let timer: NodeJS.Timeout;
  hands.pause();
  async function look(): Promise<void> {
    const [settings, roomy] = await Promise.all([models.settings.get(), hasRoom(config.dataDir, config.minFreeBytes)]);
    const why = settings.paused ? "paused" : roomy ? null : "the disk is nearly full";
    if (isStopped || why === held) return;
    const isStart = held === "starting";
    held = why;
    if (why === null) {
      hands.resume();
      // Whoever paused the queues themselves has said in the settings that it is over.
      await schedule.resume();
    } else {
      hands.pause();
    }
    if (!isStart || why !== null) log.warn({ why }, why === null ? "calls are worked on again" : "no call is begun");
  }
  const next = (): void => {
    if (isStopped) return;
    timer = setTimeout(
      () =>
        void look()
          .catch(() => {})
          .then(next),
      LOOK_MS,
    );
    timer.unref();
  };
  void look()
    .catch(() => {})
    .then(next);
  return {
    stop() {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
