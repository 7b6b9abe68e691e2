#!/usr/bin/env python3
"""Speaks bench/asr/sentences.tsv for bench/asr.ts: telephone band, 8 kHz, 16-bit, clean (noise and mu-law are added by the bench, the same on every machine).

Set up V and K once as fixtures/README.md says (no espeak-ng needed here; `V/bin/pip install onnx` beside), then
  V/bin/python bench/asr/speak.py K bench/results/asr-speech        (bench/results is not kept in git)
Written: `<id>.wav` at -22 dBFS with MARGIN_MS before and after, and `speech.json`: where in each clip somebody speaks, ms. What is there already is kept.
"""
import json, pathlib, re, sys, wave
import numpy as np, onnx, onnxruntime

here = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(here.parents[1] / "fixtures"))
import speak as line_speaker  # noqa: E402

RECIPE = 2  # raised whenever the same list would sound otherwise; sentences.ts holds clips against it
MARGIN_MS = 50
RATE = line_speaker.RATE
LEVEL_DB = line_speaker.LEVEL_DB
# Names of English letters in Kokoro's phonemes, as Chinese speakers say them one by one; SIM is said as a word.
LETTERS = {"A": "ˈA", "B": "bˈi", "C": "sˈi", "D": "dˈi", "E": "ˈi", "F": "ˈɛf", "G": "ʤˈi", "H": "ˈAʧ", "I": "ˈI", "J": "ʤˈA", "K": "kˈA", "L": "ˈɛl",
           "M": "ˈɛm", "N": "ˈɛn", "O": "ˈO", "P": "pˈi", "Q": "kjˈu", "R": "ˈɑɹ", "S": "ˈɛs", "T": "tˈi", "U": "jˈu", "V": "vˈi", "W": "dˈʌbᵊlju",
           "X": "ˈɛks", "Y": "wˈI", "Z": "zˈi"}
WORDS = {"SIM": "sˈɪm"}


class Spelling:
    """misaki's Mandarin with English letters between."""

    def __init__(self, mandarin):
        self.mandarin = mandarin

    def __call__(self, text):
        parts = re.findall(r"[A-Z]+|[^A-Z]+", text)
        said = [WORDS.get(part) or " ".join(LETTERS[letter] for letter in part) if part[0] in LETTERS else self.mandarin(part)[0] for part in parts]
        return " ".join(said), None


class Kokoro(line_speaker.Kokoro):
    """
    Kokoro whose opening token is not slowed down with the sentence. It stands for the silence before the first sound, about 450 ms of it whatever the speed; held
    longer (a pace below the voice's own), its end fills with 100-200 ms of voice that nobody wrote, heard as another syllable before the first.
    """

    def __init__(self, folder):
        super().__init__(folder)
        self.mandarin = Spelling(self.mandarin)
        model = onnx.load(folder / "kokoro.onnx")
        speed = next(value for value in model.graph.input if value.name == "speed")
        speed.type.tensor_type.shape.dim[0].dim_param = "tokens"  # lengths are divided by it: one for each token does as well as one for all
        self.session = PerToken(onnxruntime.InferenceSession(model.SerializeToString()))


class PerToken:
    def __init__(self, session):
        self.session = session

    def run(self, outputs, feeds):
        speeds = np.full(feeds["tokens"].shape[1], feeds["speed"][0])
        speeds[0] = max(speeds[0], 1)
        return self.session.run(outputs, {**feeds, "speed": speeds})


def save(path, samples):
    with wave.open(str(path), "wb") as w:
        w.setnchannels(1), w.setsampwidth(2), w.setframerate(RATE)
        w.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


def main():
    out = pathlib.Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    index_file, kokoro = out / "speech.json", None
    index = json.loads(index_file.read_text("utf-8")) if index_file.exists() else {}
    rows = [line.split("\t") for line in (here / "sentences.tsv").read_text("utf-8").splitlines() if line and line[0] != "#"]
    for name, _, voice, pace, _, _, text in rows:
        path = out / f"{name}.wav"
        if path.exists() and index.get(name, {}).get("text") == text and index[name].get("recipe") == RECIPE:
            continue
        kokoro = kokoro or Kokoro(pathlib.Path(sys.argv[1]))
        samples = line_speaker.telephone(*kokoro.say(voice, int(pace) / line_speaker.BASE_PACE[voice], text))
        spans = line_speaker.speech_spans(samples)
        start = max(0, spans[0][0] - MARGIN_MS)
        samples = samples[start * RATE // 1000 : (spans[-1][1] + MARGIN_MS) * RATE // 1000]
        spans = [[a - start, b - start] for a, b in spans]
        spoken = np.concatenate([samples[a * RATE // 1000 : b * RATE // 1000] for a, b in spans])
        samples = samples * 10 ** (LEVEL_DB / 20) / np.sqrt((spoken**2).mean())
        save(path, samples * min(1, 0.97 / np.abs(samples).max()))
        index[name] = {"recipe": RECIPE, "text": text, "durationMs": len(samples) * 1000 // RATE, "speech": spans}
        index_file.write_text(json.dumps(index, ensure_ascii=False, indent=0), "utf-8")
        print(name, voice, index[name]["durationMs"], "ms", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(__doc__) if len(sys.argv) != 3 else main()
