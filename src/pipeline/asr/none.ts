import type { AsrEngine } from "./port.ts";

/** No recognition: what needs only sound is still assessed. */
export const noneEngine: AsrEngine = {
  name: "none",
  license: "Apache-2.0",
  capabilities: { wordTimes: false, confidence: false, languages: [] },
  open: async () => ({
    name: "none",
    recipe: "none/1",
    transcribe: async (_call, { signal }) => {
      signal?.throwIfAborted();
      return { status: "not-available", reason: "no transcript beside the recording and no recognition engine in use" };
    },
    [Symbol.asyncDispose]: async () => {},
  }),
};
