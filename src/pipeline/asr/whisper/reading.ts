import type { Tensor as OrtTensor, InferenceSession as Session, TensorConstructor, TypedTensor } from "onnxruntime-node";
import type { Embedding } from "./embedding.ts";
import type { WhisperSizes } from "./graphs.ts";

/** A token that may come next. */
export interface Candidate {
  readonly token: number;
  /** Natural logarithm, among the tokens that are allowed. */
  readonly logProbability: number;
}

/** What follows some of the tokens that were read. */
export interface Following {
  /** The likeliest next tokens at each row, likeliest first. */
  readonly candidates: readonly (readonly Candidate[])[];
  /** Of the `targets`, natural logarithms among the tokens that are allowed; a banned one counts as if it alone were allowed too. */
  readonly targetLogProbabilities: readonly number[];
  /** All logits, rows one after another; only if asked for. */
  readonly logits: Float32Array | null;
  /** [alignment heads, tokens read, positions of the sound]: what each head looked at. */
  readonly attention: Float32Array;
}

export interface ReadOptions {
  /** Which of the tokens are asked for what follows; by default the last. */
  readonly rows?: readonly number[];
  /** A token for each row. */
  readonly targets?: readonly number[];
  /** Added to the logits. */
  readonly ban: OrtTensor;
  readonly logits?: boolean;
  /** Candidates a row; by default one. */
  readonly likeliest?: number;
}

/** A text that grows token by token, on the sound it is heard in. */
export interface Reading {
  /** Reads further tokens. Not to be called again before it is done. */
  read(tokens: readonly number[], options: ReadOptions): Promise<Following>;
  /** Another reading that has read only the first `length` tokens of this one, and will read `most` in all. */
  fork(length: number, most: number): Reading;
  /** So many readings of the same, which go on side by side. */
  spread(count: number): Beams;
}

/** Several texts of the same length that grow side by side: read at once, since reading the weights takes most of the time. */
export interface Beams {
  /** Reads one token more in each; `parents` says which of the texts before each goes on. Rows of what follows are texts. */
  read(tokens: readonly number[], parents: readonly number[], options: Pick<ReadOptions, "ban" | "likeliest">): Promise<Following>;
  /** A reading of one of them, as it is now. */
  reading(text: number): Reading;
}

/** What readings are made with. */
export interface Decoder {
  readonly session: Session;
  readonly sizes: WhisperSizes;
  readonly embedding: Embedding;
  readonly Tensor: TensorConstructor;
}

/** Keys and values of what was read, of one layer each: [tokens, texts, width]. */
interface Cache {
  /** Names of the graph's output and input. */
  readonly from: string;
  readonly to: string;
  readonly values: Float32Array;
}

/** Starts reading. @param most tokens that will ever be read */
export function startReading(decoder: Decoder, cross: Readonly<Record<string, OrtTensor>>, most: number): Reading {
  return toReading(decoder, cross, createState(decoder, cross, { most, texts: 1 }));
}

function toReading(decoder: Decoder, cross: Readonly<Record<string, OrtTensor>>, state: State): Reading {
  return {
    read: (tokens, options) => state.read(tokens, options),
    fork(length, most) {
      const fork = createState(decoder, cross, { most, texts: 1, length });
      fork.take((name, target) => target.set(state.cache(name).subarray(0, length * decoder.sizes.width)));
      return toReading(decoder, cross, fork);
    },
    spread: (count) => toBeams(decoder, cross, state, count),
  };
}

function toBeams(decoder: Decoder, cross: Readonly<Record<string, OrtTensor>>, start: State, texts: number): Beams {
  const { width } = decoder.sizes;
  const { most } = start;
  const state = createState(decoder, cross, { most, texts, length: start.past });
  state.take((name, target) => {
    const source = start.cache(name);
    for (let at = 0; at < start.past; at++)
      for (let text = 0; text < texts; text++) target.set(source.subarray(at * width, (at + 1) * width), (at * texts + text) * width);
  });
  const before = new Float32Array(texts * width);

  /** Each text becomes that of its parent. */
  function follow(parents: readonly number[]): void {
    const moved = parents.flatMap((parent, text) => (parent === text ? [] : [[parent, text] as const]));
    if (moved.length === 0) return;
    state.take((_, target) => {
      for (let at = 0; at < state.past * texts * width; at += texts * width) {
        before.set(target.subarray(at, at + texts * width));
        for (const [parent, text] of moved) target.set(before.subarray(parent * width, (parent + 1) * width), at + text * width);
      }
    });
  }

  return {
    read(tokens, parents, options) {
      follow(parents);
      return state.read(tokens, { ...options, rows: tokens.map((_, text) => text) });
    },
    reading(text) {
      const one = createState(decoder, cross, { most, texts: 1, length: state.past });
      one.take((name, target) => {
        const source = state.cache(name);
        for (let at = 0; at < state.past; at++) {
          const from = (at * texts + text) * width;
          target.set(source.subarray(from, from + width), at * width);
        }
      });
      return toReading(decoder, cross, one);
    },
  };
}

interface State {
  /** Tokens read. */
  readonly past: number;
  readonly most: number;
  cache(name: string): Float32Array;
  /** Lets all caches be written to. */
  take(write: (name: string, values: Float32Array) => void): void;
  read(tokens: readonly number[], options: ReadOptions): Promise<Following>;
}

function createState(
  { session, sizes, embedding, Tensor }: Decoder,
  cross: Readonly<Record<string, OrtTensor>>,
  { most, texts, length = 0 }: { readonly most: number; readonly texts: number; readonly length?: number },
): State {
  const { width, decoderLayers } = sizes;
  const row = texts * width;
  const caches = ["k", "v"].flatMap((kind) =>
    Array.from(
      { length: decoderLayers },
      (_, layer): Cache => ({ from: `new_${kind}_${layer}`, to: `self_${kind}_${layer}`, values: new Float32Array(most * row) }),
    ),
  );
  const byName = new Map(caches.map(({ to, values }) => [to, values]));
  const floats = (data: Float32Array, shape: readonly number[]) => new Tensor("float32", data, shape);
  const integers = (values: readonly number[], shape: readonly number[]) => new Tensor("int64", BigInt64Array.from(values, BigInt), shape);
  const outputs = session.outputNames.filter((name) => name !== "logits");
  let past = length;

  return {
    get past() {
      return past;
    },
    most,
    cache: (name) => byName.get(name) as Float32Array,
    take(write) {
      for (const { to, values } of caches) write(to, values);
    },
    async read(tokens, { rows = [tokens.length - 1], targets = rows.map(() => 0), ban, logits = false, likeliest = 1 }) {
      const feeds: Record<string, OrtTensor> = {
        ...cross,
        ban,
        embedded: floats(embedding.embed(tokens, past, texts), [1, tokens.length, width]),
        past: integers([past], [1]),
        rows: integers(rows, [rows.length]),
        targets: integers(targets, [targets.length]),
        likeliest: integers([likeliest], [1]),
      };
      for (const { to, values } of caches) feeds[to] = floats(values.subarray(0, past * row), [past, texts, width]);
      const out = await session.run(feeds, logits ? session.outputNames : outputs);
      for (const { from, values } of caches) values.set(floatsOf(out, from), past * row);
      past += tokens.length / texts;
      const totals = floatsOf(out, "total");
      const best = (out.best as TypedTensor<"int64">).data;
      const bestLogits = floatsOf(out, "best_logit");
      return {
        candidates: rows.map((_, i) =>
          Array.from({ length: likeliest }, (__, rank) => ({
            token: Number(best[i * likeliest + rank]),
            logProbability: (bestLogits[i * likeliest + rank] as number) - (totals[i] as number),
          })),
        ),
        targetLogProbabilities: Array.from(floatsOf(out, "target_logit"), (logit, i) => {
          const total = totals[i] as number;
          return (ban.data as Float32Array)[targets[i] as number] === 0 ? logit - total : logit - addLogarithms(logit, total);
        }),
        logits: logits ? floatsOf(out, "logits") : null,
        attention: floatsOf(out, "attention"),
      };
    },
  };
}

function floatsOf(outputs: Session.ReturnType, name: string): Float32Array {
  return (outputs[name] as TypedTensor<"float32">).data;
}

/** ln(eᵃ + eᵇ) */
function addLogarithms(a: number, b: number): number {
  return Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b)));
}
