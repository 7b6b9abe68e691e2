import type { Role, Utterance } from "../../src/pipeline/types.ts";

/** An utterance whose words are its characters, 200 ms each, from `startMs` on. */
export function spoken(text: string, { role = "agent", startMs = 0 }: { role?: Role | null; startMs?: number } = {}): Utterance {
  const words = Array.from(text, (character, i) => ({ text: character, startMs: startMs + i * 200, endMs: startMs + i * 200 + 200 }));
  return { role, channel: null, startMs, endMs: startMs + words.length * 200, text, confidence: null, words, timing: "exact" };
}
