import type { Language, Span } from "../../types.ts";
import type { HeardPiece } from "../recogniser.ts";
import { createSoundAlikes } from "../sound-alikes.ts";
import { createWordModel, readWordList } from "../word-model.ts";
import { alignTokens, POSITION_MS } from "./align.ts";
import { startOfUnwritten } from "./cut-short.ts";
import { type Decoded, decode as decodeText } from "./decode.ts";
import type { WhisperFolder } from "./inspect.ts";
import { RATE } from "./mel-filters.ts";
import { findPauses, withoutPauses } from "./pauses.ts";
import { endOfFirstCopy } from "./repeats.ts";
import { asHeard, reword } from "./reword.ts";
import type { EncodedSound, Networks } from "./sessions.ts";
import { type Baseline, sumOf, weighAgainst } from "./weigh.ts";
import { createWordScores, WORDLESS } from "./word-scores.ts";
import { type TimedToken, writeOut } from "./written.ts";

/** Zeros after a piece: at least so long, and until piece and zeros have `wholeMs`. Shorter ones make short pieces repeat themselves. */
const ZEROS = { leastMs: 1_000, wholeMs: 8_000 };
/** Zeros more when a text ran into its limit, ms. */
const MORE_ZEROS_MS = 6_000;
/** Tokens of text at most: for each second of sound, and beside. */
const CAP = { aSecond: 7, more: 8 };
/** The rest of a piece that was cut short is decoded at most so often, and not where nobody speaks. */
const MOST_RESTS = 3;
const NO_SPEECH = 0.4;
/** Characters of the prompt that a text does not begin with by chance. */
const PROMPT_LETTERS = 4;

/** What was heard in a piece, without what only the caller of the worker can give. */
export type HeardWords = Omit<HeardPiece, "weigh" | "release">;

/** A piece that can still be asked how likely other texts are. */
export interface KeptPiece extends Baseline {
  /** The text with words exchanged, and without. */
  readonly shown: string;
  readonly heard: () => string;
  /** The text began with a space, as words of spaced scripts do. */
  readonly spaced: boolean;
}

export interface PieceOptions {
  readonly language: Language | "auto";
  /** Asked before every step: whether to give up. */
  readonly isStopped: () => boolean;
}

export interface WeighTextsOptions {
  /** By how much each text may be less likely than the first and still matter; what is less likely may be answered with -Infinity. */
  readonly least: readonly number[];
  readonly isStopped: () => boolean;
}

/** Hears pieces with one Whisper, in one thread. */
export interface Ear {
  /** null where it was stopped. */
  hear(sound: Float32Array, options: PieceOptions): Promise<{ readonly heard: HeardWords; readonly kept: KeptPiece } | null>;
  /** Natural log-probability of each text, its end included; null where it was stopped. */
  weigh(kept: KeptPiece, texts: readonly string[], options: WeighTextsOptions): Promise<number[] | null>;
}

/** One decoding of one stretch of sound. */
interface Take {
  readonly encoded: EncodedSound;
  readonly decoded: Decoded;
  /** What each token writes, words exchanged. */
  readonly bytes: readonly Uint8Array[];
}

/** All of a stretch, its guards applied. */
interface Heard extends Take {
  readonly tokens: readonly TimedToken[];
  /** What each of them wrote before words were exchanged. */
  readonly plain: readonly Uint8Array[];
  /** Of the tokens, and of the end where it came. */
  readonly logProbabilities: readonly number[];
  readonly capped: boolean;
  readonly looped: boolean;
}

/** What changes the text that is heard. */
export interface EarOptions {
  /** What Chinese text is made to follow on from; null: nothing. */
  readonly prompt: string | null;
  /** Texts that are followed side by side; 1: greedily. */
  readonly beams: number;
}

export function createEar(folder: WhisperFolder, networks: Networks, { prompt, beams }: EarOptions): Ear {
  const { tokenizer, sizes } = folder;
  const { special } = tokenizer;
  const ids = Array.from({ length: sizes.vocabulary }, (_, id) => id);
  const steering = [...ids.filter((id) => id > special.endOfText), ...folder.suppressed];
  const bans = {
    first: networks.ban([...steering, ...folder.suppressedFirst]),
    further: networks.ban(steering),
    // The languages stand between start and tasks.
    allButLanguages: networks.ban(ids.filter((id) => id <= special.start || id >= Math.min(special.translate, special.transcribe))),
  };
  const chinese = once(() => {
    const list = readWordList();
    const model = createWordModel(list);
    return { model, alikes: createSoundAlikes(list), words: createWordScores(model, { bytes: tokenizer.bytes, end: special.endOfText }) };
  });
  const promptTokens = prompt === null ? [] : [special.startOfPrevious, ...tokenizer.encode(prompt)];
  const promptStart = prompt === null ? null : lettersOf(prompt).slice(0, PROMPT_LETTERS);

  function openingOf(language: Language): number[] {
    const task = [special.start, language === "zh" ? special.chinese : special.english, special.transcribe, special.noTimestamps];
    return language === "zh" ? [...promptTokens, ...task] : task;
  }

  /** Log-probabilities of the two languages, among all. */
  async function tellLanguages(encoded: EncodedSound): Promise<Record<Language, number>> {
    const { targetLogProbabilities } = await networks
      .startReading(encoded, 1)
      .read([special.start], { rows: [0, 0], targets: [special.chinese, special.english], ban: bans.allButLanguages });
    const [zh = 0, en = 0] = targetLogProbabilities;
    return { zh, en };
  }

  function encode(sound: Float32Array, zerosMs: number): Promise<EncodedSound> {
    return networks.encode(sound, Math.min(2 * sizes.soundPositions, 2 * Math.ceil((lengthOf(sound) + zerosMs) / 20)));
  }

  async function decode(encoded: EncodedSound, sound: Float32Array, language: Language, isStopped: () => boolean): Promise<Take | null> {
    const opening = openingOf(language);
    const decoded = await decodeText(networks, encoded, {
      beams,
      opening,
      most: Math.min(sizes.textPositions - opening.length, Math.ceil((CAP.aSecond * lengthOf(sound)) / 1000) + CAP.more),
      words: language === "zh" ? chinese().words : WORDLESS,
      special,
      bans,
      isStopped,
    });
    if (!decoded) return null;
    const bytes =
      language === "zh"
        ? await reword(decoded, { ...chinese(), opening, tokenizer, ban: bans.further, isStopped })
        : decoded.tokens.map(tokenizer.bytes);
    return bytes && { encoded, decoded, bytes };
  }

  /** Decodes a stretch; where the text ran into its limit, again with longer zeros. */
  async function take(sound: Float32Array, encoded: EncodedSound, language: Language, isStopped: () => boolean): Promise<Take | null> {
    const first = await decode(encoded, sound, language, isStopped);
    if (!first || first.decoded.endLogProbability !== null || isStopped()) return first;
    const longer = await encode(sound, zerosOf(sound) + MORE_ZEROS_MS);
    return isStopped() ? null : decode(longer, sound, language, isStopped);
  }

  function timed({ decoded, encoded, bytes }: Take, sound: Float32Array, pauses: readonly Span[]): TimedToken[] {
    const lengthMs = Math.round(lengthOf(sound));
    const starts = alignTokens(decoded.attention, { stride: encoded.positions, positions: positionsOf(sound, encoded) });
    return bytes.map((written, i) => {
      const end = i + 1 < starts.length ? (starts[i + 1] as number) * POSITION_MS : lengthMs;
      const [startMs, endMs] = withoutPauses([(starts[i] as number) * POSITION_MS, end], pauses);
      return {
        bytes: written,
        startMs: Math.min(startMs, lengthMs),
        endMs: Math.min(endMs, lengthMs),
        logProbability: decoded.logProbabilities[i] as number,
      };
    });
  }

  /** One stretch with what was left out of its end; `rests` says how often that may still be looked for. */
  async function hearStretch(
    sound: Float32Array,
    encoded: EncodedSound,
    { language, isStopped, rests }: { readonly language: Language; readonly isStopped: () => boolean; readonly rests: number },
  ): Promise<Heard | null> {
    const taken = await take(sound, encoded, language, isStopped);
    if (!taken) return null;
    const { decoded } = taken;
    const pauses = findPauses(sound);
    const all = timed(taken, sound, pauses);
    const capped = decoded.endLogProbability === null;
    const copyEnd = capped ? endOfFirstCopy(decoded.tokens) : null;
    const heard: Heard = {
      ...taken,
      tokens: all.slice(0, copyEnd ?? all.length),
      plain: decoded.tokens.slice(0, copyEnd ?? all.length).map(tokenizer.bytes),
      logProbabilities: [
        ...decoded.logProbabilities.slice(0, copyEnd ?? all.length),
        ...(capped ? [] : [decoded.endLogProbability as number]),
      ],
      capped,
      looped: copyEnd !== null,
    };
    if (capped || rests === 0 || decoded.tokens.length === 0) return heard;
    const fromMs = startOfUnwritten(decoded.attention.slice(0, -1), {
      stride: taken.encoded.positions,
      positions: positionsOf(sound, taken.encoded),
      pauses,
    });
    if (fromMs === null) return heard;
    const left = sound.subarray(Math.round((fromMs * RATE) / 1000));
    const leftEncoded = await encode(left, zerosOf(left));
    if (isStopped()) return null;
    const rest = await hearStretch(left, leftEncoded, { language, isStopped, rests: rests - 1 });
    return rest && (rest.decoded.noSpeech > NO_SPEECH ? heard : joined(heard, rest, fromMs));
  }

  return {
    async hear(sound, { language: asked, isStopped }) {
      const encoded = await encode(sound, zerosOf(sound));
      if (isStopped()) return null;
      const languages = asked === "auto" ? await tellLanguages(encoded) : null;
      const language = asked === "auto" ? (languages && languages.en > languages.zh ? "en" : "zh") : asked;
      const result = await hearStretch(sound, encoded, { language, isStopped, rests: MOST_RESTS });
      if (!result) return null;
      const { tokens, plain, logProbabilities, decoded, capped, looped } = result;
      const simplified = language === "zh";
      const written = writeOut(tokens, { simplified });
      const unchanged = once(() =>
        writeOut(
          tokens.map((token, i) => ({ ...token, bytes: plain[i] as Uint8Array })),
          { simplified },
        ),
      );
      const heard: HeardWords = {
        ...written,
        confidence: tokens.length === 0 ? null : Math.exp(sumOf(logProbabilities) / logProbabilities.length),
        noSpeech: decoded.noSpeech,
        capped,
        looped,
        prompted: language === "zh" && promptStart !== null && lettersOf(written.text).startsWith(promptStart),
        languages,
        tags: { language },
      };
      const spaced = tokens[0]?.bytes[0] === 0x20;
      return { heard, kept: { ...decoded, shown: written.text, heard: () => unchanged().text, opening: openingOf(language), spaced } };
    },

    async weigh(kept, texts, { least, isStopped }) {
      const weights: number[] = [];
      for (const [i, text] of texts.entries()) {
        if (isStopped()) return null;
        const tokens = tokenizer
          .encode(`${kept.spaced ? " " : ""}${asHeard(text, { shown: kept.shown, heard: kept.heard() })}`)
          .slice(0, sizes.textPositions - kept.opening.length);
        const under = i === 0 ? Number.NEGATIVE_INFINITY : (weights[0] as number) + (least[i] ?? Number.NEGATIVE_INFINITY);
        weights.push(await weighAgainst(kept, tokens, { ban: bans.further, end: special.endOfText, least: under }));
      }
      return weights;
    },
  };
}

/** Made when it is first asked for. */
function once<Made extends object>(make: () => Made): () => Made {
  let made: Made | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

function lengthOf(sound: Float32Array): number {
  return (sound.length / RATE) * 1000;
}

function zerosOf(sound: Float32Array): number {
  return Math.max(ZEROS.leastMs, ZEROS.wholeMs - lengthOf(sound));
}

/** Positions of the sound itself, without the zeros. */
function positionsOf(sound: Float32Array, { positions }: EncodedSound): number {
  return Math.min(positions, Math.ceil(lengthOf(sound) / POSITION_MS));
}

function joined(first: Heard, rest: Heard, restFromMs: number): Heard {
  const later = rest.tokens.map((token) => ({ ...token, startMs: token.startMs + restFromMs, endMs: token.endMs + restFromMs }));
  return {
    ...first,
    tokens: [...first.tokens, ...later],
    plain: [...first.plain, ...rest.plain],
    logProbabilities: [...first.logProbabilities, ...rest.logProbabilities],
    capped: rest.capped,
    looped: rest.looped,
  };
}

function lettersOf(text: string): string {
  return text.replace(/[^\p{L}\p{N}]/gu, "");
}
