import { open as openFile } from "node:fs/promises";
import type { Tensor as OrtTensor, InferenceSession as Session } from "onnxruntime-node";
import { CallsiftError } from "../../errors.ts";
import { createEmbedding } from "./embedding.ts";
import { decoderGraph, encoderGraph, PACKED } from "./graphs.ts";
import type { WhisperFolder } from "./inspect.ts";
import { foldWindows } from "./log-mel.ts";
import { type Arithmetic, createPacking } from "./packing.ts";
import { type Reading, startReading } from "./reading.ts";

/** The encoder's output for one piece, as the decoder reads it. */
export interface EncodedSound {
  readonly cross: Readonly<Record<string, OrtTensor>>;
  /** Positions of 20 ms, those of zeros among them. */
  readonly positions: number;
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

  return {
    async encode(sound, frames) {
      const { sums, differences } = foldWindows(sound, frames);
      const cross = await encoder.run({ sums: floats(sums, [frames, 200]), differences: floats(differences, [frames, 200]) });
      return { cross, positions: frames / 2 };
    },
    startReading({ cross }, most) {
      return startReading({ session: decoder, sizes, embedding, Tensor }, cross, most);
    },
    ban(tokens) {
      const row = new Float32Array(sizes.vocabulary);
      for (const token of tokens) row[token] = BANNED;
      return floats(row, [sizes.vocabulary]);
    },
    [Symbol.asyncDispose]: dispose,
  };
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";
}
