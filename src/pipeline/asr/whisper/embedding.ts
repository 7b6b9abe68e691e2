import { readSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { CallsiftError } from "../../errors.ts";
import type { Variable } from "./ctranslate2.ts";
import { bytesOf, toFloats } from "./packing.ts";

/** The vectors of tokens and positions, read from the weights' file as they are needed: the whole table would be a quarter of the model's memory. */
export interface Embedding {
  /** Of tokens at the positions from `past` on, so many at each: [tokens, width], one after another. */
  embed(tokens: readonly number[], past: number, texts?: number): Float32Array;
}

/** @param file stays open as long as this is used */
export function createEmbedding(file: FileHandle, variables: ReadonlyMap<string, Variable>): Embedding {
  const tokenTable = variables.get("decoder/embeddings/weight") as Variable;
  const scaleTable = variables.get("decoder/embeddings/weight_scale");
  const positionTable = variables.get("decoder/position_encodings/encodings") as Variable;
  const known = new Map<number, Float32Array>();

  function row(variable: Variable, index: number): Float32Array {
    const length = (variable.shape[1] ?? 1) * bytesOf(variable);
    const bytes = new Uint8Array(length);
    // Some kilobytes that the system holds in memory: sooner read than waited for.
    if (readSync(file.fd, bytes, 0, length, variable.offset + index * length) < length)
      throw new CallsiftError("weights/damaged", "model.bin: expected what its headers promise, but it became shorter");
    return toFloats(variable, bytes);
  }

  function tokenRow(token: number): Float32Array {
    const before = known.get(token);
    if (before) return before;
    const values = row(tokenTable, token);
    if (tokenTable.type === "int8" && scaleTable) {
      const [scale = 1] = row(scaleTable, token);
      for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) / scale;
    }
    if (known.size < 4_000) known.set(token, values);
    return values;
  }

  return {
    embed(tokens, past, texts = 1) {
      const width = tokenTable.shape[1] as number;
      const embedded = new Float32Array(tokens.length * width);
      tokens.forEach((token, i) => {
        const vector = tokenRow(token);
        const position = row(positionTable, past + Math.floor(i / texts));
        for (let at = 0; at < width; at++) embedded[i * width + at] = (vector[at] as number) + (position[at] as number);
      });
      return embedded;
    },
  };
}
