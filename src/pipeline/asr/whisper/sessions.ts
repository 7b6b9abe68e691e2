import { open as openFile } from "node:fs/promises";
import type { Tensor as OrtTensor, InferenceSession as Session, TypedTensor } from "onnxruntime-node";
import { CallsiftError } from "../../errors.ts";
import { createEmbedding } from "./embedding.ts";
import { decoderGraph, encoderGraph, PACKED } from "./graphs.ts";
import type { WhisperFolder } from "./inspect.ts";
import { foldWindows } from "./log-mel.ts";
import { type Arithmetic, createPacking } from "./packing.ts";

/** The encoder's output for one piece, as the decoder reads it. */
export interface EncodedSound {
  readonly cross: Readonly<Record<string, OrtTensor>>;
  /** Positions of 20 ms, those of zeros among them. */
  readonly positions: number;
}

/** What follows some of the tokens that were read. */
export interface Following {
  /** Likeliest next token at each row. */
  readonly best: readonly number[];
  /** Its natural log-probability, among those allowed. */
  readonly bestLogProbabilities: readonly number[];
  /** Of the `targets`, likewise; a token that is banned counts as if it alone were allowed too. */
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
}

/** A text that grows token by token, on the sound it is heard in. */
export interface Reading {
  /** Reads further tokens. Not to be called again before it is done. */
  read(tokens: readonly number[], options: ReadOptions): Promise<Following>;
  /** Another reading that has read only the first `length` tokens of this one, and will read `most` in all. */
  fork(length: number, most: number): Reading;
}

/** The two networks of one Whisper, loaded: for one thread, one run at a time. */
export interface Networks extends AsyncDisposable {
  /** @param frames of 10 ms, even; the sound is cut or lengthened by zeros to so many */
  encode(sound: Float32Array, frames: number): Promise<EncodedSound>;
  /** @param most tokens that will ever be read */
  startReading(sound: EncodedSound, most: number): Reading;
  /** A row that bans these tokens. */
  ban(tokens: Iterable<number>): OrtTensor;
}

/**
 * What is fast and right on a CPU. With VNNI or AMX: 8 bits throughout, the decoder, whose errors add up from token to token, more finely. Without: the encoder in float32.
 */
export function arithmeticFor(hasDotProducts: boolean): { readonly encoder: Arithmetic; readonly decoder: Arithmetic } {
  return hasDotProducts ? { encoder: "signed", decoder: "blocks" } : { encoder: "float32", decoder: "unsigned" };
}

/** Far below every logit. */
const BANNED = -1e9;

/**
 * Loads both networks. Their graphs are written here, and the weights handed over in memory (packing.ts): nothing is put on disk.
 *
 * @throws CallsiftError `weights/damaged` where onnxruntime refuses them
 */
export async function loadNetworks(
  folder: WhisperFolder,
  arithmetic: { readonly encoder: Arithmetic; readonly decoder: Arithmetic },
): Promise<Networks> {
  const { InferenceSession, Tensor } = await import("onnxruntime-node");
  const { sizes } = folder;
  const file = await openFile(folder.weightsPath).catch((cause: unknown) => {
    throw new CallsiftError("weights/missing", "expected a readable model.bin in the folder of the weights, found none", { cause });
  });
  const sessions: Session[] = [];
  const dispose = async (): Promise<void> => {
    for (const session of sessions.splice(0)) await session.release();
    await file.close();
  };

  async function load(graphOf: typeof encoderGraph, kind: Arithmetic): Promise<Session> {
    const packing = createPacking(folder.variables);
    const graph = graphOf(folder, { arithmetic: kind, packing });
    const data = await packing.fill(file);
    const session = await InferenceSession.create(graph, {
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      executionMode: "sequential",
      graphOptimizationLevel: "all",
      // The arena would hold on to the most that was ever needed.
      enableCpuMemArena: false,
      externalData: [{ path: PACKED, data }],
    }).catch((cause: unknown) => {
      throw new CallsiftError("weights/damaged", `model.bin: expected weights that onnxruntime can load, it says: ${firstLine(cause)}`, {
        cause,
      });
    });
    sessions.push(session);
    return session;
  }

  let encoder: Session;
  let decoder: Session;
  try {
    encoder = await load(encoderGraph, arithmetic.encoder);
    decoder = await load(decoderGraph, arithmetic.decoder);
  } catch (error) {
    await dispose();
    throw error;
  }
  const embedding = createEmbedding(file, folder.variables);

  const floats = (data: Float32Array, shape: readonly number[]) => new Tensor("float32", data, shape);
  const integers = (values: readonly number[], shape: readonly number[]) => new Tensor("int64", BigInt64Array.from(values, BigInt), shape);
  const fetched = (logits: boolean) => decoder.outputNames.filter((name) => logits || name !== "logits");
  const fetchedWithout = fetched(false);
  const fetchedWith = fetched(true);

  /** Goes on after `length` tokens, whose caches are inherited. */
  function readFrom(cross: EncodedSound["cross"], most: number, length: number, inherited: (name: string) => Float32Array | null): Reading {
    const { width, decoderLayers } = sizes;
    const caches = ["k", "v"].flatMap((kind) =>
      Array.from({ length: decoderLayers }, (_, layer) => ({
        from: `new_${kind}_${layer}`,
        to: `self_${kind}_${layer}`,
        values: filled(most * width, inherited(`self_${kind}_${layer}`)),
      })),
    );
    let past = length;
    return {
      async read(tokens, { rows = [tokens.length - 1], targets = rows.map(() => 0), ban, logits = false }) {
        const feeds: Record<string, OrtTensor> = {
          ...cross,
          ban,
          embedded: floats(embedding.embed(tokens, past), [1, tokens.length, width]),
          past: integers([past], [1]),
          rows: integers(rows, [rows.length]),
          targets: integers(targets, [targets.length]),
        };
        for (const { to, values } of caches) feeds[to] = floats(values.subarray(0, past * width), [1, past, width]);
        const out = await decoder.run(feeds, logits ? fetchedWith : fetchedWithout);
        for (const { from, values } of caches) values.set(floatsOf(out, from), past * width);
        past += tokens.length;
        const totals = floatsOf(out, "total");
        return {
          best: Array.from((out.best as TypedTensor<"int64">).data, Number),
          bestLogProbabilities: Array.from(floatsOf(out, "best_logit"), (logit, row) => logit - (totals[row] as number)),
          targetLogProbabilities: Array.from(floatsOf(out, "target_logit"), (logit, row) => {
            const total = totals[row] as number;
            return (ban.data as Float32Array)[targets[row] as number] === 0 ? logit - total : logit - addLogarithms(logit, total);
          }),
          logits: logits ? floatsOf(out, "logits") : null,
          attention: floatsOf(out, "attention"),
        };
      },
      fork(first, mostOfFork) {
        return readFrom(
          cross,
          mostOfFork,
          first,
          (name) => caches.find(({ to }) => to === name)?.values.subarray(0, first * width) ?? null,
        );
      },
    };
  }

  return {
    async encode(sound, frames) {
      const { sums, differences } = foldWindows(sound, frames);
      const cross = await encoder.run({ sums: floats(sums, [frames, 200]), differences: floats(differences, [frames, 200]) });
      return { cross, positions: frames / 2 };
    },
    startReading({ cross }, most) {
      return readFrom(cross, most, 0, () => null);
    },
    ban(tokens) {
      const row = new Float32Array(sizes.vocabulary);
      for (const token of tokens) row[token] = BANNED;
      return floats(row, [sizes.vocabulary]);
    },
    [Symbol.asyncDispose]: dispose,
  };
}

function filled(length: number, start: Float32Array | null): Float32Array {
  const values = new Float32Array(length);
  if (start) values.set(start);
  return values;
}

function floatsOf(outputs: Session.ReturnType, name: string): Float32Array {
  return (outputs[name] as TypedTensor<"float32">).data;
}

/** ln(eᵃ + eᵇ) */
function addLogarithms(a: number, b: number): number {
  return Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b)));
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";
}
