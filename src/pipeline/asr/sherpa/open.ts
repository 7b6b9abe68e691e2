import { availableParallelism } from "node:os";
import { CallsiftError, toCallsiftError } from "../../errors.ts";
import { finiteSound } from "../finite-sound.ts";
import type { HeardPiece, HearOptions, Recogniser, RecogniserOptions } from "../recogniser.ts";
import { planCtc } from "./ctc-plan.ts";
import type { CtcHeard } from "./ctc-session.ts";
import { type CtcThread, type CtcThreadData, startCtcThread } from "./ctc-thread.ts";
import { createEncoder, type Encoder } from "./encode.ts";
import { FAMILIES } from "./families.ts";
import { inspectSherpa, type SherpaWeights } from "./inspect.ts";
import { decodeNative, loadNative, type SherpaRecognizer, type SherpaResult } from "./native.ts";
import { createSeats, type Seats } from "./seats.ts";
import { isSpecial } from "./tokens.ts";
import { chooseWay, type Way } from "./way.ts";
import { type HeardWord, joinSymbols, type Recognised } from "./words.ts";

/** All families take half a minute; none was made for more. */
const MAX_PIECE_MS = 30_000;
/** A shorter piece is followed by silence up to this, samples: some models end the process on a handful of frames. */
const LEAST_SAMPLES = 6_400;

/**
 * Opens weights of any family that sherpa-onnx knows, in the fastest way that gives its tokens on this machine (way.ts). The first opening tries the weights in
 * a child process, which takes some seconds.
 *
 * @throws CallsiftError `weights/missing`, `weights/damaged`, `weights/foreign`, `aborted`
 */
export async function openSherpa({ folder, lanes = availableParallelism(), signal }: RecogniserOptions): Promise<Recogniser> {
  const weights = inspectSherpa(folder);
  const way = await chooseWay(weights, { signal });
  return await openWay(weights, way, lanes);
}

/** Opens weights in a way that was chosen; for benches and tests, which choose themselves. */
export async function openWay(weights: SherpaWeights, way: Way, lanes: number): Promise<Recogniser> {
  const plan = planCtc(weights);
  const data = plan ? { modelPath: way.modelPath, plan } : null;
  if (way.by === "ctc" && data) return await openOwn(weights, way, data, lanes);
  return await openNative(weights, way, data, lanes);
}

function commonOf(weights: SherpaWeights, way: Way, lanes: number): Pick<Recogniser, "name" | "model" | "recipe" | "lanes" | "maxPieceMs"> {
  const recipe = `sherpa/1 ${weights.family}@${way.sha256.slice(0, 12)} by/${way.by}`;
  return { name: "sherpa", model: weights.name, recipe, lanes, maxPieceMs: MAX_PIECE_MS };
}

type Piece = Omit<HeardPiece, "weigh" | "release">;

function plainPiece(
  recognised: readonly Recognised[],
  weights: SherpaWeights,
  lengthMs: number,
  rest: Partial<Piece>,
): Piece & { words: ReturnType<typeof joinSymbols> } {
  const words = joinSymbols(recognised, weights.tokens.spelling, lengthMs);
  // Punctuation alone is what models write of noise.
  const saysWords = /[\p{L}\p{N}]/u.test(words.text);
  const probable = recognised.filter(({ symbol }) => !isSpecial(symbol)).map(({ logProb }) => logProb);
  const known = probable.filter((logProb): logProb is number => logProb !== null);
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  return {
    text: saysWords ? words.text : "",
    tokens: saysWords ? words.words.map(({ text, startMs, endMs, confidence }) => ({ text, startMs, endMs, confidence })) : [],
    confidence: saysWords && known.length === probable.length ? Math.exp(mean) : null,
    noSpeech: null,
    capped: false,
    looped: false,
    prompted: false,
    languages: null,
    tags: {},
    ...rest,
    words,
  };
}

/** The names of what the prompt's answers mean, in their order. */
const PROMPT_TAGS = ["language", "emotion", "event"] as const;

/** `<|zh|>` → `zh`; other symbols are no tags. */
function tagsOf(symbols: readonly string[]): Record<string, string> {
  const tags: Record<string, string> = {};
  PROMPT_TAGS.forEach((name, i) => {
    const [, value] = /^<\|(.+)\|>$/u.exec(symbols[i] ?? "") ?? [];
    if (value !== undefined) tags[name] = value;
  });
  return tags;
}

/** A piece whose scores a thread holds. */
interface HeldPiece {
  readonly thread: CtcThread;
  readonly piece: number;
  readonly ids: readonly number[];
  readonly words: readonly HeardWord[];
}

/** `weigh` and `release` of a piece that is held, or that `hold` makes so when it is first asked. */
function createWeigh(
  encoder: Encoder,
  hold: HeldPiece | (() => Promise<HeldPiece>),
): Pick<HeardPiece, "release"> & { weigh: NonNullable<HeardPiece["weigh"]> } {
  let holding: Promise<HeldPiece> | null = typeof hold === "function" ? null : Promise.resolve(hold);
  let isReleased = false;
  return {
    async weigh(texts) {
      if (isReleased) throw new CallsiftError("internal/bug", "a piece was weighed after its release");
      if (typeof hold === "function") holding ??= hold();
      const { thread, piece, ids, words } = await (holding as Promise<HeldPiece>);
      return await thread.weigh(
        piece,
        texts.map((text) => encoder.encode(text, { ids, words })),
      );
    },
    release() {
      if (isReleased) return;
      isReleased = true;
      // A piece that could not be held has nothing to let go of, and `weigh` has told why.
      void holding?.then(({ thread, piece }) => thread.release(piece)).catch(() => {});
    },
  };
}

/** What a thread heard, in symbols. */
function spelt(heard: CtcHeard, symbols: readonly string[], frameMs: number): Recognised[] {
  return heard.tokens.map(({ id, frame, logProb }) => ({ symbol: symbols[id] ?? "", startMs: frame * frameMs, logProb }));
}

/** Our own decoding, one thread and one copy of the weights a lane; the second and further ones are loaded when there is work for them. */
async function openOwn(weights: SherpaWeights, way: Way, data: CtcThreadData, lanes: number): Promise<Recogniser> {
  const encoder = createEncoder(weights.tokens);
  const { symbols } = weights.tokens;
  const places = Array.from({ length: lanes }, () => ({ thread: null as CtcThread | null }));
  const started = new Set<CtcThread>();
  const threadAt = (place: (typeof places)[number]): CtcThread => {
    if (place.thread?.isAlive) return place.thread;
    place.thread = startCtcThread(data);
    started.add(place.thread);
    return place.thread;
  };
  const seats: Seats<(typeof places)[number]> = createSeats(places);
  const first = threadAt(places[0] as (typeof places)[number]);
  await first.opened.catch((cause: unknown) => {
    throw new CallsiftError("weights/foreign", `the weights cannot be loaded: ${toCallsiftError(cause).message}`, { cause });
  });

  return {
    ...commonOf(weights, way, lanes),
    async hear(sound, options) {
      const keep = options.keep === true;
      const { thread, heard, piece } = await seats.use(
        async (place) => {
          const own = threadAt(place);
          return { thread: own, ...(await own.hear(sound, options.language, keep)) };
        },
        (late) => late.thread.release(late.piece),
        options,
      );
      const { words, ...plain } = plainPiece(spelt(heard, symbols, data.plan.frameMs), weights, sound.length / 16, {
        noSpeech: heard.noSpeech,
        languages: options.language === "auto" ? heard.languages : null,
        tags: tagsOf(heard.prompt.map((id) => symbols[id] ?? "")),
      });
      if (!keep) return { ...plain, weigh: null, release: () => {} };
      const ids = heard.tokens.map(({ id }) => id);
      return { ...plain, ...createWeigh(encoder, { thread, piece, ids, words: words.words }) };
    },
    async [Symbol.asyncDispose]() {
      await seats.close();
      await Promise.all([...started].map((thread) => thread[Symbol.asyncDispose]()));
    },
  };
}

/**
 * sherpa-onnx's decoding, one copy of the weights for all lanes. Texts are weighed by a thread with a session of its own, which is opened when it is first asked: as much
 * memory again.
 */
async function openNative(weights: SherpaWeights, way: Way, data: CtcThreadData | null, lanes: number): Promise<Recogniser> {
  const recognizer: SherpaRecognizer = await loadNative(FAMILIES[weights.family].config(way.modelPath), weights.tokensPath);
  const encoder = createEncoder(weights.tokens);
  const { symbols } = weights.tokens;
  const seats = createSeats(Array.from({ length: lanes }, (_, seat) => seat));
  const judges = new Set<CtcThread>();

  function judge(thread: CtcThreadData): CtcThread {
    for (const one of judges) if (one.isAlive) return one;
    const started = startCtcThread(thread);
    judges.add(started);
    return started;
  }

  async function holdBy(thread: CtcThread, { plan }: CtcThreadData, sound: Float32Array, { language }: HearOptions): Promise<HeldPiece> {
    const { heard, piece } = await thread.hear(sound, language, true);
    const { words } = joinSymbols(spelt(heard, symbols, plan.frameMs), weights.tokens.spelling, sound.length / 16);
    return { thread, piece, ids: heard.tokens.map(({ id }) => id), words };
  }

  return {
    ...commonOf(weights, way, lanes),
    async hear(sound, options) {
      const result = await seats.use(
        () => decodeNative(recognizer, finiteSound(sound, LEAST_SAMPLES)).catch((error: unknown) => Promise.reject(failed(error))),
        () => {},
        options,
      );
      const { words: _words, ...plain } = plainPiece(recognisedBy(result), weights, sound.length / 16, {
        tags: tagsOf([result.lang, result.emotion, result.event]),
        noSpeech: result.lang === "<|nospeech|>" ? 1 : null,
      });
      if (options.keep !== true || !data) return { ...plain, weigh: null, release: () => {} };
      return { ...plain, ...createWeigh(encoder, () => holdBy(judge(data), data, sound, options)) };
    },
    async [Symbol.asyncDispose]() {
      await seats.close();
      await Promise.all([...judges].map((thread) => thread[Symbol.asyncDispose]()));
    },
  };
}

function failed(error: unknown): CallsiftError {
  return new CallsiftError("asr/failed", `sherpa-onnx failed on a piece: ${toCallsiftError(error).message}`, { cause: error });
}

function recognisedBy({ tokens, timestamps, ys_log_probs: logProbs }: SherpaResult): Recognised[] {
  const timed = timestamps.length === tokens.length;
  const probable = logProbs.length === tokens.length;
  return tokens.map((symbol, i) => ({
    symbol,
    startMs: timed ? Math.round((timestamps[i] as number) * 1000) : null,
    logProb: probable ? (logProbs[i] as number) : null,
  }));
}
