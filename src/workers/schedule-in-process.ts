import { LANES, type Lane, type Stage, type Unfinished } from "../models/calls.ts";
import type { Schedule, StageDepth } from "../models/schedule.ts";
import type { Hands, Process } from "./work.ts";

export interface InProcessOptions {
  readonly process: Process;
  /** How many of each stage at once. */
  readonly concurrency: Readonly<Record<Stage, number>>;
}

/** A schedule that also does the work. */
export interface InProcessSchedule extends Schedule {
  readonly hands: Hands;
}

interface Waiting {
  readonly work: Unfinished;
  readonly sinceMs: number;
}

/** Lanes in order; in each the tenants take turns, so that one's back-load never stands before another's call. */
interface Line {
  readonly lanes: ReadonlyMap<Lane, Map<string, Waiting[]>>;
  readonly waiting: Set<string>;
  readonly active: Map<string, Promise<void>>;
  /** Enqueued again while it was being done. */
  readonly again: Map<string, Unfinished>;
  readonly delayed: Map<string, NodeJS.Timeout>;
  failed: number;
}

const LANE_ORDER = (Object.keys(LANES) as Lane[]).sort((a, b) => LANES[a] - LANES[b]);

/** Order of the work in the memory of this process; what is lost with it, the reconciler finds at the next start. */
export function createInProcessSchedule({ process, concurrency }: InProcessOptions): InProcessSchedule {
  const lines: Record<Stage, Line> = { listen: createLine(), score: createLine() };
  const stages = Object.keys(lines) as Stage[];
  const stopping = new AbortController();
  let isPaused = false;
  let isHeld = false;
  let isStopped = false;

  function enqueue(work: Unfinished): void {
    const line = lines[work.stage];
    if (isStopped || line.waiting.has(work.id) || line.delayed.has(work.id)) return;
    if (line.active.has(work.id)) {
      line.again.set(work.id, work);
      return;
    }
    line.waiting.add(work.id);
    const tenants = line.lanes.get(work.lane) as Map<string, Waiting[]>;
    const turn = tenants.get(work.tenant);
    const waiting = { work, sinceMs: Date.now() };
    if (turn) turn.push(waiting);
    else tenants.set(work.tenant, [waiting]);
    take(work.stage);
  }

  function take(stage: Stage): void {
    const line = lines[stage];
    while (!isPaused && !isHeld && !isStopped && line.active.size < concurrency[stage]) {
      const work = nextOf(line);
      if (!work) return;
      line.active.set(work.id, run(work, line));
    }
  }

  async function run(work: Unfinished, line: Line): Promise<void> {
    const outcome = await process(work, stopping.signal);
    line.active.delete(work.id);
    const again = line.again.get(work.id);
    line.again.delete(work.id);
    if (outcome.kind === "failed") line.failed++;
    if (outcome.kind === "next") enqueue(outcome.work);
    else if (again) enqueue(again);
    else if (outcome.kind === "later") delay(work, line, outcome.delayMs);
    take(work.stage);
  }

  function delay(work: Unfinished, line: Line, delayMs: number): void {
    if (isStopped) return;
    const timer = setTimeout(() => {
      line.delayed.delete(work.id);
      enqueue(work);
    }, delayMs);
    line.delayed.set(work.id, timer);
  }

  function takeAll(): void {
    for (const stage of stages) take(stage);
  }

  async function stop(graceMs: number): Promise<void> {
    isStopped = true;
    for (const { delayed } of Object.values(lines)) {
      for (const timer of delayed.values()) clearTimeout(timer);
      delayed.clear();
    }
    const timer = setTimeout(() => stopping.abort(), graceMs);
    try {
      await Promise.all(stages.flatMap((stage) => [...lines[stage].active.values()]));
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    async enqueue(work) {
      enqueue(work);
    },
    async depth() {
      return { listen: depthOf(lines.listen), score: depthOf(lines.score) };
    },
    async pause() {
      isPaused = true;
    },
    async resume() {
      isPaused = false;
      takeAll();
    },
    async ping() {},
    hands: {
      pause() {
        isHeld = true;
      },
      resume() {
        isHeld = false;
        takeAll();
      },
      stop,
    },
    [Symbol.asyncDispose]: () => stop(0),
  };
}

function createLine(): Line {
  return {
    lanes: new Map(LANE_ORDER.map((lane) => [lane, new Map()])),
    waiting: new Set(),
    active: new Map(),
    again: new Map(),
    delayed: new Map(),
    failed: 0,
  };
}

/** The first of the tenant whose turn it is, in the first lane where somebody waits. */
function nextOf(line: Line): Unfinished | null {
  for (const tenants of line.lanes.values()) {
    const [entry] = tenants;
    if (!entry) continue;
    const [tenant, turn] = entry;
    // A map keeps the order in which keys came: taken out and put back in, the tenant is last.
    tenants.delete(tenant);
    const first = turn.shift() as Waiting;
    if (turn.length > 0) tenants.set(tenant, turn);
    line.waiting.delete(first.work.id);
    return first.work;
  }
  return null;
}

function depthOf({ lanes, waiting, active, delayed, failed }: Line): StageDepth {
  const firsts = [...lanes.values()].flatMap((tenants) =>
    [...tenants.values()].map((turn) => turn[0]?.sinceMs ?? Number.POSITIVE_INFINITY),
  );
  const oldest = Math.min(...firsts);
  return {
    waiting: waiting.size,
    active: active.size,
    delayed: delayed.size,
    failed,
    oldestMs: Number.isFinite(oldest) ? Date.now() - oldest : 0,
  };
}
