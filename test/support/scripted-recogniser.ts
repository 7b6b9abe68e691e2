import type { HeardPiece, HeardToken, HearOptions, Recogniser } from "../../src/pipeline/asr/recogniser.ts";
import { CallsiftError } from "../../src/pipeline/errors.ts";

/** What a scripted recogniser says of a piece; what is left out is unremarkable. */
export type Script = Partial<Omit<HeardPiece, "tokens">> & { readonly tokens?: readonly HeardToken[] };

/** A recogniser whose answers come from a script: by the piece's samples and the options. For tests of what is done with the answers. */
export function scriptedRecogniser(
  answer: (sound: Float32Array, options: HearOptions) => Script | Promise<Script>,
  { lanes = 2, maxPieceMs = 20_000 }: { lanes?: number; maxPieceMs?: number } = {},
): Recogniser & { readonly heard: Float32Array[]; held: number } {
  const heard: Float32Array[] = [];
  const self = {
    name: "scripted",
    model: null,
    recipe: "scripted/1",
    lanes,
    maxPieceMs,
    heard,
    held: 0,
    async hear(sound: Float32Array, options: HearOptions): Promise<HeardPiece> {
      if (options.signal?.aborted) throw new CallsiftError("aborted", "stopped on request");
      heard.push(sound);
      const script = await answer(sound, options);
      if (options.keep) self.held++;
      let isHeld = options.keep === true;
      const text = script.text ?? "";
      return {
        text,
        tokens: script.tokens ?? spread(text, sound.length / 16),
        confidence: 0.9,
        noSpeech: 0.01,
        capped: false,
        looped: false,
        prompted: false,
        languages: null,
        tags: {},
        weigh: null,
        ...script,
        release() {
          if (isHeld) self.held--;
          isHeld = false;
        },
      };
    },
    async [Symbol.asyncDispose]() {},
  };
  return self;
}

/** The characters, or English words, of a text evenly over a piece, punctuation with the one before. */
export function spread(text: string, lengthMs: number, confidence: number | null = 0.9): HeardToken[] {
  const parts = text.match(/\p{Script=Han}\P{L}*|[a-z\d']+[^\p{L}\d]*/giu) ?? [];
  const each = lengthMs / Math.max(1, parts.length);
  return parts.map((part, i) => ({ text: part.trim(), startMs: i * each, endMs: (i + 1) * each, confidence }));
}
