import type { AsrEngine, Transcriber } from "./port.ts";

/** A transcriber that has no words for any call, and says why: what needs only sound is still assessed. */
export function silentTranscriber(reason: string): Transcriber {
  return {
    name: "none",
    recipe: "none/1",
    transcribe: async (_call, { signal }) => {
      signal?.throwIfAborted();
      return { status: "not-available", reason };
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

/** No recognition. */
export const noneEngine: AsrEngine = {
  name: "none",
  license: "Apache-2.0",
  capabilities: { wordTimes: false, confidence: false, languages: [] },
  open: async () => silentTranscriber("no transcript beside the recording and no recognition engine in use"),
};
