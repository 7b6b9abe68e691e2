import { doubtOf } from "../../src/pipeline/asr/guard.ts";
import type { HeardPiece, Recogniser } from "../../src/pipeline/asr/recogniser.ts";
import type { Doubt } from "../../src/pipeline/types.ts";
import type { Clip } from "./clips.ts";
import { characterErrors, type ErrorCount, rateOf, syllableErrors } from "./error-rate.ts";

/** What a recogniser made of a clip. */
export interface HeardClip {
  readonly clip: Clip;
  readonly pieces: readonly HeardPiece[];
  readonly text: string;
  readonly characters: ErrorCount;
  readonly syllables: ErrorCount;
  /** Of its pieces: the guard's, or null. */
  readonly doubts: readonly (Doubt | null)[];
}

/** Hears every clip, as many pieces at once as the recogniser has lanes. */
export async function hearClips(recogniser: Recogniser, clips: readonly Clip[]): Promise<HeardClip[]> {
  return Promise.all(
    clips.map(async (clip): Promise<HeardClip> => {
      const pieces = await Promise.all(clip.pieces.map(({ sound }) => recogniser.hear(sound, { language: clip.language })));
      const text = pieces.map((piece) => piece.text).join(clip.language === "en" ? " " : "");
      return {
        clip,
        pieces,
        text,
        characters: characterErrors(clip.text, text),
        syllables: syllableErrors(clip.text, text),
        doubts: pieces.map((piece, i) => doubtOf(piece, { speech: clip.pieces[i]?.speech ?? [], language: clip.language })),
      };
    }),
  );
}

/** Rates over all of them. */
export function rates(heard: readonly HeardClip[]): { characters: number; syllables: number; units: number } {
  return {
    characters: rateOf(heard.map(({ characters }) => characters)),
    syllables: rateOf(heard.map(({ syllables }) => syllables)),
    units: heard.reduce((sum, { characters }) => sum + characters.units, 0),
  };
}
