#!/usr/bin/env python3
"""Hears pieces with faster-whisper (int8, one thread, beam 1, the same weights) and prints what it took, as JSON.

  python3 -m venv V && V/bin/pip install faster-whisper
  V/bin/python bench/asr/faster-whisper.py WEIGHTS ROUNDS PIECES.json      PIECES.json: paths of raw 8 kHz float32 sound
It gets the sound at 16 kHz already (linear phase, made before the clock starts), writes no times, and has the same prompt: all to its advantage.
"""
import json, resource, sys, time
import numpy as np
from faster_whisper import WhisperModel

PROMPT = "以下是普通话的句子。"
folder, rounds, listed = sys.argv[1], int(sys.argv[2]), json.load(open(sys.argv[3]))


def raised(path):
    sound = np.fromfile(path, np.float32)
    spectrum = np.fft.rfft(sound)
    return (np.fft.irfft(np.concatenate([spectrum, np.zeros(len(sound) - len(spectrum) + 1)]), 2 * len(sound)) * 2).astype(np.float32)


pieces = [raised(path) for path in listed]
started = time.perf_counter()
model = WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=1, num_workers=1)
load = time.perf_counter() - started


def hear(sound):
    segments, _ = model.transcribe(sound, language="zh", beam_size=1, temperature=0, without_timestamps=True, condition_on_previous_text=False, initial_prompt=PROMPT)
    return "".join(segment.text for segment in segments)


for sound in pieces[:2]:
    hear(sound)
times, texts, cpu = [], [], time.process_time()
for _ in range(rounds):
    started = time.perf_counter()
    texts = [hear(sound) for sound in pieces]
    times.append((time.perf_counter() - started) * 1000)
print(json.dumps({"loadMs": load * 1000, "times": times, "cpuMs": (time.process_time() - cpu) * 1000 / rounds, "texts": texts, "peakMb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}, ensure_ascii=False))
