"""Writes tiny recognisers with random weights and the metadata of published ones, for tests: what they hear is noise, how they are read is real.

    python scripts/fake-asr-models.py fixtures/asr-models      # needs: pip install numpy onnx

One folder a family, as sherpa-onnx publishes them (metadata: https://github.com/k2-fsa/sherpa-onnx, sherpa-onnx/csrc/offline-*-model.cc): a model and its
tokens.txt. The weights of `sense-voice` and `paraformer` are quantised as onnxruntime's `quantize_dynamic` does it, unsigned. Same files on every run.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto as TP
from onnx import helper, numpy_helper

RNG = np.random.default_rng(5)
HAN = "您好请问有什么可以帮到的我想退款了不行谢再见稍等一下今天电话工号客户服务投诉经理"
# icefall's characters of the 256 bytes (icefall/byte_utils.py).
BASE = [*range(256, 288), *range(32, 127), *range(288, 306), *range(308, 319), *range(321, 329), *range(330, 383), *range(384, 423)]


class Graph:
    def __init__(self):
        self.nodes, self.inits = [], []

    def const(self, name, array):
        self.inits.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(self, op, inputs, output, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [output], **attributes))
        return output

    def linear(self, x, width, out, name, blank_bias=0.0, quantised=False):
        """y = x·W + b; `quantised`: as quantize_dynamic writes it, with the zero point in int32_data as it does."""
        y = f"{name}_mm"
        if quantised:
            self.const(f"{name}_w", RNG.integers(0, 256, (width, out), dtype=np.uint8))
            self.const(f"{name}_ws", np.float32(1 / (74 * np.sqrt(width))))
            self.inits.append(helper.make_tensor(f"{name}_wz", TP.UINT8, [], [127]))
            self.nodes.append(helper.make_node("DynamicQuantizeLinear", [x], [f"{name}_q", f"{name}_s", f"{name}_z"]))
            self.node("MatMulInteger", [f"{name}_q", f"{name}_w", f"{name}_z", f"{name}_wz"], f"{name}_i")
            self.node("Cast", [f"{name}_i"], f"{name}_f", to=TP.FLOAT)
            self.node("Mul", [f"{name}_s", f"{name}_ws"], f"{name}_sc")
            self.node("Mul", [f"{name}_f", f"{name}_sc"], y)
        else:
            self.const(f"{name}_w", (RNG.standard_normal((width, out)) / np.sqrt(width)).astype(np.float32))
            self.node("MatMul", [x, f"{name}_w"], y)
        bias = (RNG.standard_normal(out) * 0.1).astype(np.float32)
        bias[0] += blank_bias
        self.const(f"{name}_b", bias)
        return self.node("Add", [y, f"{name}_b"], name)

    def every_fourth(self, x, lengths):
        """Frames 0, 4, 8 … of x [N, T, C], and how many they are."""
        self.const("zero", np.array([0], np.int64)), self.const("most", np.array([2**40], np.int64))
        self.const("one", np.array([1], np.int64)), self.const("four", np.array([4], np.int64))
        self.const("three64", np.array(3, np.int64)), self.const("four64", np.array(4, np.int64))
        self.node("Add", [lengths, "three64"], "more")
        return self.node("Slice", [x, "zero", "most", "one", "four"], "sub"), self.node("Div", ["more", "four64"], "lengths_out")

    def save(self, folder, name, inputs, outputs, metadata, tokens):
        value = lambda name, kind, shape: helper.make_tensor_value_info(name, kind, shape)
        graph = helper.make_graph(self.nodes, "fake", [value(*i) for i in inputs], [value(*o) for o in outputs], self.inits)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        for key, text in {**metadata, "comment": "random weights for tests", "version": "1"}.items():
            item = model.metadata_props.add()
            item.key, item.value = key, str(text)
        onnx.checker.check_model(model)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(model.SerializeToString())
        (folder / "tokens.txt").write_text("".join(f"{token} {i}\n" for i, token in enumerate(tokens)), encoding="utf-8")


def repeat(value, times):
    return ",".join([str(value)] * times)


def sense_voice(folder):
    tags = ["<|zh|>", "<|en|>", "<|nospeech|>", "<|NEUTRAL|>", "<|ANGRY|>", "<|Speech|>", "<|BGM|>", "<|withitn|>", "<|woitn|>"]
    tokens = ["<unk>", "<s>", "</s>", "▁hello", "▁re", "fund", "，", "。", "▁", *HAN, *tags]
    size = len(tokens)
    g = Graph()
    # What the four prompt frames answer: rows 0, 3, 4 language; 1, 2 emotion and event; 14, 15 numbers in digits or not.
    table = np.full((16, size), -4, np.float32)
    for row, token in {0: "<|zh|>", 3: "<|zh|>", 4: "<|en|>", 1: "<|NEUTRAL|>", 2: "<|Speech|>", 14: "<|withitn|>", 15: "<|woitn|>"}.items():
        table[row, tokens.index(token)] = 4
    table[0, tokens.index("<|en|>")] = 2
    g.const("table", table), g.const("axis1", np.array([1], np.int64)), g.const("middle", np.array([[1, 2]], np.int64))
    g.node("Gather", ["table", "language"], "l"), g.node("Unsqueeze", ["l", "axis1"], "l1")
    g.node("Gather", ["table", "text_norm"], "t"), g.node("Unsqueeze", ["t", "axis1"], "t1")
    g.node("Gather", ["table", "middle"], "m")
    h = g.node("Tanh", [g.linear("x", 560, 24, "h", quantised=True)], "ht")
    y = g.linear(h, 24, size, "y", blank_bias=0.5, quantised=True)
    g.const("sharp", np.float32(6)), g.node("Mul", [y, "sharp"], "ys")
    # Tags are of the prompt frames only.
    mask = np.zeros(size, np.float32)
    mask[-len(tags):] = -50
    g.const("mask", mask), g.node("Add", ["ys", "mask"], "ym")
    g.node("Concat", ["l1", "m", "t1", "ym"], "logits", axis=1)
    metadata = dict(
        model_type="sense_voice_ctc", vocab_size=size, lfr_window_size=7, lfr_window_shift=6, normalize_samples=0,
        neg_mean=repeat(-12.0, 560), inv_stddev=repeat(0.3, 560), lang_auto=0, lang_zh=3, lang_en=4, lang_yue=7, lang_ja=11, lang_ko=12,
        lang_nospeech=13, with_itn=14, without_itn=15,
    )
    inputs = [("x", TP.FLOAT, ["N", "T", 560]), ("x_length", TP.INT32, ["N"]), ("language", TP.INT32, ["N"]), ("text_norm", TP.INT32, ["N"])]
    g.save(folder, "model.int8.onnx", inputs, [("logits", TP.FLOAT, ["N", "T4", size])], metadata, tokens)


def paraformer(folder):
    tokens = ["<blank>", "<s>", "</s>", "hel@@", "lo", "ok", *HAN]
    size = len(tokens)
    g = Graph()
    h = g.node("Tanh", [g.linear("speech", 560, 24, "h", quantised=True)], "ht")
    y = g.linear(h, 24, size, "y", quantised=True)
    never = np.zeros(size, np.float32)
    never[:3] = -50
    g.const("never", never), g.node("Add", [y, "never"], "logits")
    g.node("Identity", ["speech_lengths"], "token_num")
    # One token a frame: each third place of the upsampled frames fires, and once more at the end, as published ones do.
    g.const("c0", np.array([0], np.int64)), g.const("c1", np.array([1], np.int64)), g.const("axes", np.array([2], np.int64))
    g.node("Slice", ["speech", "c0", "c1", "axes"], "first"), g.const("nil", np.float32(0)), g.node("Mul", ["first", "nil"], "zeros")
    g.const("unit", np.array([[[0, 1, 0]]], np.float32)), g.node("Add", ["zeros", "unit"], "peaks")
    g.const("flat", np.array([0, -1], np.int64)), g.node("Reshape", ["peaks", "flat"], "inner"), g.const("axis1", np.array([1], np.int64))
    g.node("Slice", ["inner", "c1", "c2", "axis1"], "last"), g.const("c2", np.array([2], np.int64))
    g.node("Concat", ["inner", "last"], "us_cif_peak", axis=1), g.node("Identity", ["us_cif_peak"], "us_alphas")
    metadata = dict(
        model_type="paraformer", vocab_size=size, lfr_window_size=7, lfr_window_shift=6, neg_mean=repeat(-12.0, 560), inv_stddev=repeat(0.3, 560),
        model_author="fake",
    )
    outputs = [("logits", TP.FLOAT, ["N", "U", size]), ("token_num", TP.INT32, ["N"]), ("us_alphas", TP.FLOAT, ["N", "P"]), ("us_cif_peak", TP.FLOAT, ["N", "P"])]
    g.save(folder, "model.int8.onnx", [("speech", TP.FLOAT, ["N", "T", 560]), ("speech_lengths", TP.INT32, ["N"])], outputs, metadata, tokens)


def log_probs(g, x, width, size, lengths):
    sub, out = g.every_fourth(x, lengths)
    h = g.node("Tanh", [g.linear(sub, width, 32, "h")], "ht")
    g.const("sharp", np.float32(8)), g.node("Mul", [g.linear(h, 32, size, "y", blank_bias=0.4), "sharp"], "ys")
    return g.node("LogSoftmax", ["ys"], "log_probs", axis=-1), g.node("Identity", [out], "log_probs_len")


def zipformer_ctc(folder):
    tokens = ["<blk>", "<sos/eos>", "<unk>", *("▁" + "".join(chr(BASE[b]) for b in char.encode()) for char in HAN), "▁OK", "▁RE", "FUND"]
    tokens += [chr(BASE[b]) for b in "稀".encode()]
    size = len(tokens)
    g = Graph()
    g.const("eighth", np.float32(0.125)), g.const("six", np.float32(6)), g.node("Add", ["x", "six"], "x6"), g.node("Mul", ["x6", "eighth"], "xs")
    log_probs(g, "xs", 80, size, "x_lens")
    inputs = [("x", TP.FLOAT, ["N", "T", 80]), ("x_lens", TP.INT64, ["N"])]
    outputs = [("log_probs", TP.FLOAT, ["N", "T4", size]), ("log_probs_len", TP.INT64, ["N"])]
    g.save(folder, "model.onnx", inputs, outputs, dict(model_type="zipformer2_ctc", model_author="fake"), tokens)


def fire_red_ctc(folder):
    tokens = ["<blank>", "<sos>", "<eos>", "<unk>", *HAN, "▁OK", "▁RE", "FUND"]
    size = len(tokens)
    g = Graph()
    log_probs(g, "x", 80, size, "x_lens")
    metadata = dict(model_type="fire-red-asr-2-ctc", vocab_size=size, subsampling_factor=4, cmvn_mean=repeat(12.0, 80), cmvn_inv_stddev=repeat(0.3, 80))
    inputs = [("x", TP.FLOAT, ["N", "T", 80]), ("x_lens", TP.INT64, ["N"])]
    outputs = [("log_probs", TP.FLOAT, ["N", "T4", size]), ("log_probs_len", TP.INT64, ["N"])]
    g.save(folder, "model.int8.onnx", inputs, outputs, metadata, tokens)


def dolphin(folder):
    tokens = ["<blank>", "<unk>", *HAN, "▁OK", "<sos>", "<eos>"]
    size = len(tokens)
    g = Graph()
    log_probs(g, "x", 80, size, "x_lens")
    metadata = dict(model_type="dolphin", vocab_size=size, subsampling_factor=4, mean=repeat(-4.0, 80), invstd=repeat(0.3, 80))
    inputs = [("x", TP.FLOAT, ["N", "T", 80]), ("x_lens", TP.INT64, ["N"])]
    outputs = [("log_probs", TP.FLOAT, ["N", "T4", size]), ("log_probs_len", TP.INT64, ["N"])]
    g.save(folder, "model.int8.onnx", inputs, outputs, metadata, tokens)


def telespeech_ctc(folder):
    tokens = ["<blk>", "<unk>", *HAN]
    size = len(tokens)
    g = Graph()
    g.const("tenth", np.float32(0.05)), g.node("Mul", ["feats", "tenth"], "xs")
    g.const("len", np.array([1], np.int64))
    log_probs(g, "xs", 40, size, "len")
    g.nodes.pop()
    g.node("Transpose", ["log_probs"], "logits", perm=[1, 0, 2])
    g.save(folder, "model.int8.onnx", [("feats", TP.FLOAT, [1, "T", 40])], [("logits", TP.FLOAT, ["T4", 1, size])], dict(model_type="telespeech_ctc", vocab_size=size), tokens)


root = Path(sys.argv[1])
for name, write in {
    "sense-voice": sense_voice,
    "paraformer": paraformer,
    "zipformer-ctc": zipformer_ctc,
    "fire-red-ctc": fire_red_ctc,
    "dolphin": dolphin,
    "telespeech-ctc": telespeech_ctc,
}.items():
    write(root / name)
