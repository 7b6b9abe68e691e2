const EVERY_MS = 60_000;

export interface UpkeepDeps {
  /** Brings in order what the database keeps: the search index, deletions that were broken off. */
  readonly maintain: () => Promise<void>;
  /** Told when it did not work out; the next time comes all the same. */
  readonly onTrouble: (error: unknown) => void;
  readonly everyMs?: number;
}

/** Keeps the database in order, about once a minute, until stopped; never twice at once. */
export function startUpkeep({ maintain, onTrouble, everyMs = EVERY_MS }: UpkeepDeps): { stop(): Promise<void> } {
  let isStopped = false;
  let timer: NodeJS.Timeout;
  let running: Promise<void> = Promise.resolve();
  const next = (): void => {
    if (isStopped) return;
    timer = setTimeout(() => {
      running = maintain().catch(onTrouble).then(next);
    }, everyMs);
    timer.unref();
  };
  next();
  return {
    async stop() {
      isStopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
