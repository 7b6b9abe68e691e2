import { availableParallelism } from "node:os";
import { loadConfig } from "../config.ts";
import { createListener } from "../pipeline/audio/listen.ts";
import type { ScreenOptions } from "./screen-options.ts";
import type { Terminal } from "./terminal.ts";

/** `callsift screen`: screens recordings in process. */
export async function screenCommand(paths: readonly string[], options: ScreenOptions, terminal: Terminal): Promise<number> {
  const config = loadConfig();
  const concurrency = options.concurrency ?? config.concurrency;
  // More threads than cores would only wait for one another; calls beyond that overlap in reading and decoding.
  await using listener = createListener({ workers: Math.min(concurrency, availableParallelism()), vad: config.vad });
  // A thread and its detector take as long to start as the rules to load: side by side, the first result is there in half the time.
  listener.warm();
  const { runScreening } = await import("./run-screening.ts");
  return await runScreening(paths, { options, config, concurrency, listener, terminal });
}
