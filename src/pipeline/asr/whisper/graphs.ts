import { createGraph, type DataType } from "../onnx/build.ts";
import type { Variable } from "./ctranslate2.ts";
import { addLogMel } from "./log-mel.ts";
import type { Arithmetic, Packing, Stretch } from "./packing.ts";

/** Sizes of one Whisper, as its variables' shapes give them. */
export interface WhisperSizes {
  readonly mels: number;
  readonly width: number;
  readonly heads: number;
  readonly encoderLayers: number;
  readonly decoderLayers: number;
  readonly vocabulary: number;
  /** Positions of the encoder: 1500 for 30 s. */
  readonly soundPositions: number;
  /** Positions of the decoder. */
  readonly textPositions: number;
}

/** Width of one attention head in every Whisper. */
export const HEAD = 64;
/** Name by which the graphs call the packed weights (packing.ts); there is no such file. */
export const PACKED = "packed";

/** What a graph is made from. */
export interface GraphSource {
  readonly sizes: WhisperSizes;
  readonly variables: ReadonlyMap<string, Variable>;
  /** Layer and head of each attention head whose weights tell times. */
  readonly alignmentHeads: readonly (readonly [layer: number, head: number])[];
}

/** How a graph is laid out. */
export interface Layout {
  readonly arithmetic: Arithmetic;
  /** Takes note of the weights that the graph wants packed. */
  readonly packing: Packing;
}

/** The layers that both graphs are made of; `x` is always [batch, positions, width]. */
function createLayers({ variables }: GraphSource, { packing, arithmetic: usual }: Layout) {
  const graph = createGraph();
  const { op } = graph;

  /** A vector or table of the model, in float32. */
  function value(name: string): string {
    const { shape } = variables.get(name) as Variable;
    return graph.external(name, "float32", shape, { file: PACKED, ...packing.addFloats(name) });
  }

  /** `x` · weightᵀ + bias; the weight is packed as `arithmetic` wants it. */
  function linear(x: string, prefix: string): string {
    return product(x, `${prefix}/weight`, value(`${prefix}/bias`));
  }

  function product(x: string, name: string, bias?: string, arithmetic = usual): string {
    const { outputs, inputs, block, levels, scales } = packing.add(name, arithmetic);
    const packed = (kind: string, type: DataType, shape: readonly number[], stretch: Stretch) =>
      graph.external(`${name}.${kind}`, type, shape, { file: PACKED, ...stretch });
    // Not a vector, or onnxruntime would make one of the sum and a GELU behind it, several times as slow as the two.
    const plus = (sum: string) => (bias ? op("Add", [sum, op("Unsqueeze", [bias, graph.integers([0])])]) : sum);
    if (arithmetic === "float32") return plus(op("MatMul", [x, packed("weights", "float32", [inputs, outputs], levels)]));
    if (arithmetic === "blocks") {
      const bytes = packed("levels", "uint8", [outputs, inputs / block, block], levels);
      const steps = packed("scales", "float32", [outputs, inputs / block], scales);
      return op("MatMulNBits", [x, bytes, steps, "", "", ...(bias ? [bias] : [])], {
        domain: "com.microsoft",
        attributes: { K: inputs, N: outputs, bits: 8, block_size: block, accuracy_level: 4 },
      });
    }
    // Each position has a scale of its own: loud ones would leave nothing of the others.
    const loudest = op("Max", [op("ReduceMax", [op("Abs", [x])], { attributes: { axes: [-1], keepdims: 1 } }), graph.float(1e-9)]);
    const middle = graph.byte("uint8", 128);
    const quantised = op("QuantizeLinear", [op("Div", [x, loudest]), graph.float(1 / 127), middle]);
    const isSigned = arithmetic === "signed";
    const weights = packed("levels", isSigned ? "int8" : "uint8", [inputs, outputs], levels);
    const steps = packed("scales", "float32", [outputs], scales);
    const sums = op("MatMulIntegerToFloat", [quantised, weights, graph.float(1 / 127), steps, middle, ...(isSigned ? [] : [middle])], {
      domain: "com.microsoft",
    });
    return plus(op("Mul", [sums, loudest]));
  }

  function norm(x: string, prefix: string): string {
    return op("LayerNormalization", [x, value(`${prefix}/gamma`), value(`${prefix}/beta`)], {
      attributes: { axis: -1, epsilon: { float: 1e-5 } },
    });
  }

  const gelu = (x: string) => op("Gelu", [x], { domain: "com.microsoft" });
  const add = (a: string, b: string) => op("Add", [a, b]);

  function feedForward(x: string, prefix: string): string {
    const inner = gelu(linear(norm(x, `${prefix}/ffn/layer_norm`), `${prefix}/ffn/linear_0`));
    return add(x, linear(inner, `${prefix}/ffn/linear_1`));
  }

  return { graph, value, product, linear, norm, gelu, add, feedForward };
}

/**
 * The encoder with the log-mel before it. Inputs: `sums`, `differences` [frames, 200]: of each window x of 400 samples, x[n] ± x[400 - n] for n from 1 to 200, the
 * middle counted once (log-mel.ts). An even number of frames. Outputs for each layer of the decoder: `cross_k_N` [heads, 1, 64, frames / 2] and `cross_v_N`
 * [heads, 1, frames / 2, 64].
 */
export function encoderGraph(source: GraphSource, layout: Layout): Uint8Array {
  const { sizes } = source;
  const { graph, value, product, linear, norm, gelu, add, feedForward } = createLayers(source, layout);
  const { op } = graph;
  const { width, heads, mels } = sizes;

  const mel = addLogMel(graph, mels);
  // The first layer sees the sound itself, and is small: not in 8 bits. Both convolutions are of 3 frames, with one of zeros before and after; here they are products over neighbouring frames.
  const zero = graph.floats(new Float32Array(mels), [1, mels]);
  const padded = op("Concat", [zero, mel, zero], { attributes: { axis: 0 } });
  const shifted = (from: number, end: number) => op("Slice", [padded, graph.integers([from]), graph.integers([end]), graph.integers([0])]);
  const triples = op("Concat", [shifted(0, -2), shifted(1, -1), shifted(2, 2 ** 31 - 1)], { attributes: { axis: 1 } });
  const first = gelu(product(triples, "encoder/conv1/weight", value("encoder/conv1/bias"), "float32"));
  // The second takes every other frame: 2t - 1, 2t, 2t + 1.
  const pairs = op("Reshape", [first, graph.integers([-1, 2 * width])]);
  const odd = op("Slice", [pairs, graph.integers([width]), graph.integers([2 * width]), graph.integers([1])]);
  const before = op(
    "Concat",
    [graph.floats(new Float32Array(width), [1, width]), op("Slice", [odd, graph.integers([0]), graph.integers([-1]), graph.integers([0])])],
    { attributes: { axis: 0 } },
  );
  const windows = op("Concat", [before, pairs], { attributes: { axis: 1 } });
  const second = gelu(product(windows, "encoder/conv2/weight", value("encoder/conv2/bias")));
  const count = op("Slice", [op("Shape", [second]), graph.integers([0]), graph.integers([1])]);
  const positions = op("Slice", [value("encoder/position_encodings/encodings"), graph.integers([0]), count, graph.integers([0])]);
  let x = op("Unsqueeze", [add(second, positions), graph.integers([0])]);

  const attend = (q: string, k: string, v: string) =>
    op("MultiHeadAttention", [q, k, v], { domain: "com.microsoft", attributes: { num_heads: heads, scale: { float: HEAD ** -0.5 } } });
  for (let layer = 0; layer < sizes.encoderLayers; layer++) {
    const prefix = `encoder/layer_${layer}`;
    const all = linear(norm(x, `${prefix}/self_attention/layer_norm`), `${prefix}/self_attention/linear_0`);
    const [q, k, v] = graph.ops("Split", [all, graph.integers([width, width, width])], 3, { attributes: { axis: -1 } }) as [
      string,
      string,
      string,
    ];
    x = add(x, linear(attend(q, k, v), `${prefix}/self_attention/linear_1`));
    x = feedForward(x, prefix);
  }
  x = norm(x, "encoder/layer_norm");
  for (let layer = 0; layer < sizes.decoderLayers; layer++) {
    const all = linear(x, `decoder/layer_${layer}/attention/linear_1`);
    const [k, v] = graph.ops("Split", [all, graph.integers([width, width])], 2, { attributes: { axis: -1 } }) as [string, string];
    for (const [name, half, perm, shape] of [
      ["cross_k", k, [0, 2, 3, 1], [heads, 1, HEAD, "t"]],
      ["cross_v", v, [0, 2, 1, 3], [heads, 1, "t", HEAD]],
    ] as const) {
      const scaled = name === "cross_k" ? op("Mul", [half, graph.float(HEAD ** -0.5)]) : half;
      const apart = op("Reshape", [scaled, graph.integers([0, 0, heads, HEAD])]);
      const byHead = op("Transpose", [apart], { attributes: { perm } });
      const sizes = graph.integers(shape.map((size) => (size === "t" ? -1 : size)));
      graph.output(`${name}_${layer}`, op("Reshape", [byHead, sizes]), "float32", shape);
    }
  }
  return graph.encode("encoder");
}

/**
 * The decoder, for one text or several that grow side by side. Inputs: `embedded` [1, n, width], the vectors of n tokens and of their positions, added, one of each text in
 * turn; `past` [1], how many of each text went before; `rows` [m], which of the n are asked for what follows them; `ban` [vocabulary], added to what follows (0, or far
 * below); `likeliest` [1], how many candidates are wanted; `targets` [m], tokens whose logit is wanted; for each layer `self_k_N`, `self_v_N` [past, texts, width] of the
 * tokens before, and the encoder's `cross_k_N`, `cross_v_N`. Outputs: `best` [m, likeliest] next tokens, and their `best_logit`; `total` [m], the logarithm of the sum of
 * all exponentials; `target_logit` [m] without the ban; `logits` [m, vocabulary] without the ban; `new_k_N`, `new_v_N` [1, n, width] to append to `self_…`; `attention`
 * [alignment heads, n, t].
 */
export function decoderGraph(source: GraphSource, layout: Layout): Uint8Array {
  const { sizes, alignmentHeads } = source;
  const { graph, product, linear, norm, add, feedForward } = createLayers(source, layout);
  const { op } = graph;
  const { width, heads, vocabulary } = sizes;

  let x = graph.input("embedded", "float32", [1, "n", width]);
  const past = graph.input("past", "int64", [1]);
  const asked = graph.input("rows", "int64", ["m"]);
  const ban = graph.input("ban", "float32", [vocabulary]);
  const targets = graph.input("targets", "int64", ["m"]);
  const likeliest = graph.input("likeliest", "int64", [1]);
  const cached = (kind: "k" | "v", layer: number) => graph.input(`self_${kind}_${layer}`, "float32", ["past", "texts", width]);
  const caches = Array.from({ length: sizes.decoderLayers }, (_, layer) => ({ k: cached("k", layer), v: cached("v", layer) }));

  const part = (shape: string, at: number) => op("Slice", [shape, graph.integers([at]), graph.integers([at + 1])]);
  const texts = part(op("Shape", [caches[0]?.k ?? ""]), 1);
  const count = op("Div", [part(op("Shape", [x]), 1), texts]);
  const byText = op("Concat", [graph.integers([-1]), texts, graph.integers([width])], { attributes: { axis: 0 } });
  const byHead = op("Concat", [graph.integers([-1]), texts, graph.integers([heads, HEAD])], { attributes: { axis: 0 } });
  /** [1, n, width] to [tokens of each text, texts, heads, 64], its dimensions then changed about; and the other way round. */
  const apart = (rows: string, perm: readonly number[]) => op("Transpose", [op("Reshape", [rows, byHead])], { attributes: { perm } });
  const together = (parts: string, perm: readonly number[]) =>
    op("Reshape", [op("Transpose", [parts], { attributes: { perm } }), graph.integers([1, -1, width])]);
  const end = op("Add", [past, count]);
  const scalar = (one: string) => op("Squeeze", [one, graph.integers([0])]);
  const range = (from: string, to: string, axis: number) =>
    op("Unsqueeze", [op("Range", [from, to, graph.integer(1)]), graph.integers([axis])]);
  const seen = op("LessOrEqual", [range(graph.integer(0), scalar(end), 0), range(scalar(past), scalar(end), 1)]);
  const mask = op("Where", [seen, graph.float(0), graph.float(-1e9)]);

  const attention: string[] = [];
  for (let layer = 0; layer < sizes.decoderLayers; layer++) {
    const prefix = `decoder/layer_${layer}`;
    const all = linear(norm(x, `${prefix}/self_attention/layer_norm`), `${prefix}/self_attention/linear_0`);
    const [q, rawK, newV] = graph.ops("Split", [all, graph.integers([width, width, width])], 3, { attributes: { axis: -1 } }) as [
      string,
      string,
      string,
    ];
    // Keys are scaled once, not questions each time: a product that scales too takes a slower way for a single row.
    const newK = op("Mul", [rawK, graph.float(HEAD ** -0.5)]);
    graph.output(`new_k_${layer}`, newK, "float32", [1, "n", width]);
    graph.output(`new_v_${layer}`, newV, "float32", [1, "n", width]);
    const whole = (cache: string, fresh: string, perm: readonly number[]) => {
      const all = op("Concat", [cache, op("Reshape", [fresh, byText])], { attributes: { axis: 0 } });
      return op("Transpose", [op("Reshape", [all, graph.integers([0, 0, heads, HEAD])])], { attributes: { perm } });
    };
    const keys = whole(caches[layer]?.k ?? "", newK, [1, 2, 3, 0]);
    const values = whole(caches[layer]?.v ?? "", newV, [1, 2, 0, 3]);
    const questions = apart(q, [1, 2, 0, 3]);
    const weighed = op("Softmax", [op("Add", [op("MatMul", [questions, keys]), mask])], { attributes: { axis: -1 } });
    const read = together(op("MatMul", [weighed, values]), [2, 0, 1, 3]);
    x = add(x, linear(read, `${prefix}/self_attention/linear_1`));

    // Each text asks by itself, one head's after another: a product of one row reads keys as they lie, one of two copies them first.
    const asking = apart(linear(norm(x, `${prefix}/attention/layer_norm`), `${prefix}/attention/linear_0`), [2, 1, 0, 3]);
    const crossK = graph.input(`cross_k_${layer}`, "float32", [heads, 1, HEAD, "t"]);
    const crossV = graph.input(`cross_v_${layer}`, "float32", [heads, 1, "t", HEAD]);
    const weights = op("Softmax", [op("MatMul", [asking, crossK])], { attributes: { axis: -1 } });
    const mine = alignmentHeads.filter(([of]) => of === layer).map(([, head]) => head);
    if (mine.length > 0) attention.push(op("Gather", [weights, graph.integers(mine)], { attributes: { axis: 0 } }));
    const heard = together(op("MatMul", [weights, crossV]), [2, 1, 0, 3]);
    x = add(x, linear(heard, `${prefix}/attention/linear_2`));
    x = feedForward(x, prefix);
  }
  const looked = op("Transpose", [op("Concat", attention, { attributes: { axis: 0 } })], { attributes: { perm: [0, 2, 1, 3] } });
  const byToken = op("Concat", [graph.integers([alignmentHeads.length, -1]), part(op("Shape", [looked]), 3)], { attributes: { axis: 0 } });
  graph.output("attention", op("Reshape", [looked, byToken]), "float32", [alignmentHeads.length, "n", "t"]);

  const wanted = op("Squeeze", [op("Gather", [x, asked], { attributes: { axis: 1 } }), graph.integers([0])]);
  const logits = product(norm(wanted, "decoder/layer_norm"), "decoder/embeddings/weight");
  const allowed = op("Add", [logits, ban]);
  const [tops, best] = graph.ops("TopK", [allowed, likeliest], 2, { attributes: { axis: 1, largest: 1, sorted: 1 } }) as [string, string];
  const last = graph.integers([1]);
  const top = op("Slice", [tops, graph.integers([0]), graph.integers([1]), last]);
  const sum = op("ReduceSum", [op("Exp", [op("Sub", [allowed, top])]), last], { attributes: { keepdims: 0 } });
  graph.output("logits", logits, "float32", ["m", vocabulary]);
  graph.output("best", best, "int64", ["m", "likeliest"]);
  graph.output("best_logit", tops, "float32", ["m", "likeliest"]);
  graph.output("total", op("Add", [op("Log", [sum]), op("Squeeze", [top, last])]), "float32", ["m"]);
  const picked = op("GatherElements", [logits, op("Unsqueeze", [targets, last])], { attributes: { axis: 1 } });
  graph.output("target_logit", op("Squeeze", [picked, last]), "float32", ["m"]);
  return graph.encode("decoder");
}
