import type { Recogniser, RecogniserOptions } from "../recogniser.ts";

/** Stub until the helper lands it. */
export async function openSherpa(_options: RecogniserOptions): Promise<Recogniser> {
  throw new Error("not there yet");
}
