import { CallsiftError } from "../../errors.ts";
import type { Variable } from "./ctranslate2.ts";
import { HEAD, type WhisperSizes } from "./graphs.ts";

/**
 * The sizes of a Whisper that its variables' shapes give, each variable of the graphs checked against them.
 *
 * @throws CallsiftError `weights/foreign`
 */
export function sizesOf(variables: ReadonlyMap<string, Variable>): WhisperSizes {
  const foreign = (expected: string, found: string) =>
    new CallsiftError("weights/foreign", `model.bin: expected ${expected}, found ${found}`);
  const shape = (name: string): readonly number[] => {
    const variable = variables.get(name);
    if (!variable) throw foreign(`a variable ${name}`, "none");
    return variable.shape;
  };
  const [width = 0, mels = 0] = shape("encoder/conv1/weight");
  const [vocabulary = 0] = shape("decoder/embeddings/weight");
  const [soundPositions = 0] = shape("encoder/position_encodings/encodings");
  const [textPositions = 0] = shape("decoder/position_encodings/encodings");
  const layers = (side: string): number => {
    let count = 0;
    while (variables.has(`${side}/layer_${count}/self_attention/linear_0/weight`)) count++;
    return count;
  };
  const sizes = {
    mels,
    width,
    heads: width / HEAD,
    encoderLayers: layers("encoder"),
    decoderLayers: layers("decoder"),
    vocabulary,
    soundPositions,
    textPositions,
  };
  if (width === 0 || width % HEAD !== 0) throw foreign(`a width that is a multiple of ${HEAD}`, String(width));
  if (sizes.encoderLayers === 0 || sizes.decoderLayers === 0) throw foreign("layers", "none");
  if (mels !== 80 && mels !== 128) throw foreign("80 or 128 mel bands", String(mels));
  if (vocabulary < 51_865) throw foreign("a multilingual Whisper of 51865 tokens or more", `${vocabulary}: an English-only one`);
  for (const [name, expected] of Object.entries(expectedShapes(sizes))) {
    const found = shape(name);
    if (found.join() !== expected.join()) throw foreign(`${name} of shape [${expected}]`, `[${found}]`);
    const type = variables.get(name)?.type;
    if (type !== "float16" && type !== "float32" && type !== "int8") throw foreign(`${name} in float16, float32 or int8`, String(type));
    if (type !== "int8") continue;
    const [rows = 0] = expected;
    if (shape(`${name}_scale`).join() !== String(rows)) throw foreign(`${name}_scale of shape [${rows}]`, `[${shape(`${name}_scale`)}]`);
  }
  return sizes;
}

function expectedShapes(sizes: WhisperSizes): Record<string, readonly number[]> {
  const { width, mels, vocabulary, soundPositions, textPositions } = sizes;
  const shapes: Record<string, readonly number[]> = {
    "encoder/conv1/weight": [width, mels, 3],
    "encoder/conv1/bias": [width],
    "encoder/conv2/weight": [width, width, 3],
    "encoder/conv2/bias": [width],
    "encoder/position_encodings/encodings": [soundPositions, width],
    "decoder/position_encodings/encodings": [textPositions, width],
    "decoder/embeddings/weight": [vocabulary, width],
  };
  const linear = (name: string, outputs: number, inputs: number) => {
    shapes[`${name}/weight`] = [outputs, inputs];
    shapes[`${name}/bias`] = [outputs];
  };
  const norm = (name: string) => {
    shapes[`${name}/gamma`] = [width];
    shapes[`${name}/beta`] = [width];
  };
  for (const [side, count] of [
    ["encoder", sizes.encoderLayers],
    ["decoder", sizes.decoderLayers],
  ] as const) {
    norm(`${side}/layer_norm`);
    for (let i = 0; i < count; i++) {
      const layer = `${side}/layer_${i}`;
      norm(`${layer}/self_attention/layer_norm`);
      linear(`${layer}/self_attention/linear_0`, 3 * width, width);
      linear(`${layer}/self_attention/linear_1`, width, width);
      norm(`${layer}/ffn/layer_norm`);
      linear(`${layer}/ffn/linear_0`, 4 * width, width);
      linear(`${layer}/ffn/linear_1`, width, 4 * width);
      if (side === "encoder") continue;
      norm(`${layer}/attention/layer_norm`);
      linear(`${layer}/attention/linear_0`, width, width);
      linear(`${layer}/attention/linear_1`, 2 * width, width);
      linear(`${layer}/attention/linear_2`, width, width);
    }
  }
  return shapes;
}
