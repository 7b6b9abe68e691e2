import { setTimeout as sleep } from "node:timers/promises";
import type { Unfinished } from "../../src/models/calls.ts";

/** Work for schedules that know nothing of calls. */
export function workOf(id: string, more: Partial<Unfinished> = {}): Unfinished {
  return { id, tenant: "default", lane: "upload", stage: "listen", ...more };
}

/** Waits until it is so. */
export async function until(isSo: () => boolean | Promise<boolean>, what: string, withinMs = 20_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`expected within ${withinMs} ms: ${what}`);
    await sleep(20);
  }
}
