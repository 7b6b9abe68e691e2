/** The wish of whoever runs this process that it ends. */
export interface Stop extends Disposable {
  /** Aborted at the first SIGTERM or SIGINT. */
  readonly signal: AbortSignal;
  readonly stopped: Promise<void>;
}

/** Waits for SIGTERM or Ctrl-C, in place of what they do by themselves; a second one ends the process at once. */
export function untilStopped(): Stop {
  const controller = new AbortController();
  const stopped = new Promise<void>((resolve) => controller.signal.addEventListener("abort", () => resolve(), { once: true }));
  const onSignal = () => {
    release();
    controller.abort();
  };
  const release = () => process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  return { signal: controller.signal, stopped, [Symbol.dispose]: release };
}
