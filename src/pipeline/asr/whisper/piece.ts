import type { Language } from "../../types.ts";
import type { HeardPiece } from "../recogniser.ts";
import { alignTokens, POSITION_MS } from "./align.ts";
import { type Decoded, decodeGreedily } from "./greedy.ts";
import type { WhisperFolder } from "./inspect.ts";
import { HOP, RATE } from "./mel-filters.ts";
import { findPauses, withoutPauses } from "./pauses.ts";
import type { EncodedSound, Networks } from "./sessions.ts";
import { type TimedToken, writeOut } from "./written.ts";

/** Zeros after a piece: at least so long, and until piece and zeros have `leastMs`. Shorter ones make short pieces repeat themselves. */
const ZEROS = { leastMs: 1_000, wholeMs: 8_000 };
/** Tokens of text at most: for each second of sound, and beside. */
const CAP = { aSecond: 7, more: 8 };

/** What was heard in a piece, without what only the caller of the worker can give. */
export type HeardWords = Omit<HeardPiece, "weigh" | "release">;

/** A piece that can still be asked how likely other texts are. */
export interface KeptPiece {
  readonly sound: EncodedSound;
  readonly opening: readonly number[];
  readonly language: Language;
  /** The text began with a space, as words of spaced scripts do. */
  readonly spaced: boolean;
}

export interface PieceOptions {
  readonly language: Language | "auto";
  readonly isStopped: () => boolean;
}

/** Hears pieces with one Whisper, in one thread. */
export interface Ear {
  /** null where it was stopped. */
  hear(sound: Float32Array, options: PieceOptions): Promise<{ readonly heard: HeardWords; readonly kept: KeptPiece } | null>;
  weigh(kept: KeptPiece, texts: readonly string[], isStopped: () => boolean): Promise<number[] | null>;
}

/** @param prompt what Chinese text is made to follow on from; null: nothing */
export function createEar(folder: WhisperFolder, networks: Networks, prompt: string | null): Ear {
  const { tokenizer, sizes } = folder;
  const { special } = tokenizer;
  const steering = function* () {
    for (let token = special.endOfText + 1; token < sizes.vocabulary; token++) yield token;
    yield* folder.suppressed;
  };
  const ban = networks.ban(steering());
  const firstBan = networks.ban([...steering(), ...folder.suppressedFirst]);
  const promptTokens = prompt === null ? [] : [special.startOfPrevious, ...tokenizer.encode(prompt)];

  function openingOf(language: Language): number[] {
    const task = [special.start, language === "zh" ? special.chinese : special.english, special.transcribe, special.noTimestamps];
    return language === "zh" ? [...promptTokens, ...task] : task;
  }

  /** Log-probabilities of the two languages, among all. */
  async function tellLanguages(sound: EncodedSound): Promise<Record<Language, number>> {
    const { targetLogProbabilities } = await networks
      .startReading(sound, 1)
      .read([special.start], { rows: [0, 0], targets: [special.chinese, special.english], ban: networks.ban(allButLanguages()) });
    const [zh = 0, en = 0] = targetLogProbabilities;
    return { zh, en };
  }
  function* allButLanguages() {
    for (let token = 0; token < sizes.vocabulary; token++) if (token <= special.start || token >= special.transcribe - 1) yield token;
  }

  function timed({ tokens, logProbabilities, attention }: Decoded, encoded: EncodedSound, sound: Float32Array): TimedToken[] {
    const lengthMs = Math.round((sound.length / RATE) * 1000);
    const positions = Math.min(encoded.positions, Math.ceil(lengthMs / POSITION_MS));
    const starts = alignTokens(attention, { stride: encoded.positions, positions });
    const pauses = findPauses(sound);
    return tokens.map((token, i) => {
      const end = i + 1 < starts.length ? (starts[i + 1] as number) * POSITION_MS : lengthMs;
      const [startMs, endMs] = withoutPauses([(starts[i] as number) * POSITION_MS, end], pauses);
      return {
        bytes: tokenizer.bytes[token] ?? new Uint8Array(),
        startMs: Math.min(startMs, lengthMs),
        endMs: Math.min(endMs, lengthMs),
        logProbability: logProbabilities[i] as number,
      };
    });
  }

  return {
    async hear(sound, { language: asked, isStopped }) {
      const lengthMs = (sound.length / RATE) * 1000;
      const zerosMs = Math.max(ZEROS.leastMs, ZEROS.wholeMs - lengthMs);
      const frames = Math.min(2 * sizes.soundPositions, 2 * Math.ceil((lengthMs + zerosMs) / 20));
      const encoded = await networks.encode(sound, frames);
      if (isStopped()) return null;
      const languages = asked === "auto" ? await tellLanguages(encoded) : null;
      const language = asked === "auto" ? (languages && languages.en > languages.zh ? "en" : "zh") : asked;
      const opening = openingOf(language);
      const most = Math.min(sizes.textPositions - opening.length, Math.ceil((CAP.aSecond * lengthMs) / 1000) + CAP.more);
      const decoded = await decodeGreedily(networks, encoded, {
        opening,
        most,
        start: special.start,
        noSpeech: special.noSpeech,
        end: special.endOfText,
        firstBan,
        ban,
        isStopped,
      });
      if (!decoded) return null;
      const { tokens, logProbabilities, endLogProbability, noSpeech } = decoded;
      const written = writeOut(timed(decoded, encoded, sound), { simplified: language === "zh" });
      const all = endLogProbability === null ? logProbabilities : [...logProbabilities, endLogProbability];
      const heard: HeardWords = {
        ...written,
        confidence: tokens.length === 0 ? null : Math.exp(all.reduce((sum, one) => sum + one, 0) / all.length),
        noSpeech,
        capped: endLogProbability === null,
        looped: false,
        prompted: false,
        languages,
        tags: { language },
      };
      const spaced = tokenizer.bytes[tokens[0] ?? -1]?.[0] === 32;
      return { heard, kept: { sound: encoded, opening, language, spaced } };
    },
    async weigh({ sound, opening, spaced }, texts, isStopped) {
      const weights: number[] = [];
      for (const text of texts) {
        if (isStopped()) return null;
        const room = sizes.textPositions - opening.length - 1;
        const tokens = tokenizer.encode(spaced ? ` ${text}` : text).slice(0, room);
        const rows = Array.from({ length: tokens.length + 1 }, (_, i) => opening.length - 1 + i);
        const { targetLogProbabilities } = await networks
          .startReading(sound, opening.length + tokens.length)
          .read([...opening, ...tokens], { rows, targets: [...tokens, special.endOfText], ban });
        weights.push(targetLogProbabilities.reduce((sum, one) => sum + one, 0));
      }
      return weights;
    },
  };
}

/** Samples of a frame, for those who make sound to measure. */
export const FRAME_SAMPLES = HOP;
