"""Writes features of a made-up sound as kaldi-native-fbank computes them: what src/pipeline/asr/sherpa/fbank.ts is held against.

    python scripts/fake-asr-fbank.py fixtures/asr-models/fbank.json      # needs: pip install kaldi-native-fbank
"""

import json
import math
import sys

import kaldi_native_fbank as knf


def sound(samples):
    """Three tones and a generator's noise, rounded to 16 bits."""
    state, out = 1, []
    for i in range(samples):
        state = (state * 1664525 + 1013904223) % 2**32
        value = 0.3 * math.sin(i / 7) + 0.2 * math.sin(i / 2.3 + 1) + 0.1 * math.sin(i / 40) + 0.05 * (state / 2**31 - 1)
        out.append(round(value * 32767) / 32768)
    return out


def features(samples, window, low, high, snip, scale):
    options = knf.FbankOptions()
    options.frame_opts.dither = 0
    options.frame_opts.samp_freq = 16000
    options.frame_opts.window_type = window
    options.frame_opts.snip_edges = snip
    options.mel_opts.num_bins = 80
    options.mel_opts.low_freq = low
    options.mel_opts.high_freq = high
    fbank = knf.OnlineFbank(options)
    fbank.accept_waveform(16000, [value * scale for value in sound(samples)])
    fbank.input_finished()
    return [[round(float(value), 4) for value in fbank.get_frame(i)] for i in range(fbank.num_frames_ready)]


cases = []
for samples, window, low, high, snip, scale in [
    (1000, "hamming", 20, 0, True, 32768),
    (640, "povey", 20, -400, False, 1),
    (100, "povey", 20, -400, False, 1),
]:
    options = dict(window=window, lowHz=low, highHz=high, snipEdges=snip, scale=scale)
    cases.append(dict(samples=samples, options=options, frames=features(samples, window, low, high, snip, scale)))
with open(sys.argv[1], "w") as file:
    json.dump(dict(by=f"kaldi-native-fbank {knf.__version__ if hasattr(knf, '__version__') else ''}".strip(), cases=cases), file)
    file.write("\n")
