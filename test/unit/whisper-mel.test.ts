import { beforeAll, describe, expect, it } from "vitest";
import { createGraph } from "../../src/pipeline/asr/onnx/build.ts";
import { addLogMel, foldWindows } from "../../src/pipeline/asr/whisper/log-mel.ts";
import { melFilters } from "../../src/pipeline/asr/whisper/mel-filters.ts";

/** The log-mel as the encoder computes it, [frames, mels]. */
async function logMel(sound: Float32Array, frames: number, mels: number): Promise<Float32Array> {
  const { InferenceSession, Tensor } = await import("onnxruntime-node");
  const graph = createGraph();
  graph.output("mel", addLogMel(graph, mels), "float32", ["frames", mels]);
  const session = await InferenceSession.create(graph.encode("mel"), { intraOpNumThreads: 1, interOpNumThreads: 1 });
  const { sums, differences } = foldWindows(sound, frames);
  const { mel } = await session.run({
    sums: new Tensor("float32", sums, [frames, 200]),
    differences: new Tensor("float32", differences, [frames, 200]),
  });
  await session.release();
  return mel?.data as Float32Array;
}

/** One second that sweeps, hums and rattles, of which faster-whisper 1.2.1 was asked for its log-mel too. */
function testSound(): Float32Array {
  return Float32Array.from(
    { length: 16_000 },
    (_, n) =>
      0.3 * Math.sin((2 * Math.PI * 440 * n) / 16_000) +
      0.05 * Math.sin((2 * Math.PI * (200 + 0.15 * n) * n) / 16_000) +
      0.01 * (((n * 7919) % 1000) / 500 - 1),
  );
}

describe("Whisper's log-mel", () => {
  beforeAll(() => {
    process.env.ORT_DISABLE_TELEMETRY = "1";
  });

  // Band, frame, value: by faster_whisper.feature_extractor.FeatureExtractor of the same sound and a second of zeros.
  it.each([
    [
      80,
      [
        [0, 0, 0.94291],
        [0, 1, 0.41088],
        [5, 0, 0.91787],
        [20, 3, -0.49147],
        [40, 50, -0.10842],
        [79, 99, -0.08637],
        [10, 98, 1.23767],
        [79, 50, -0.08076],
        [30, 100, 0.23684],
        [30, 150, -0.64178],
        [12, 101, 0.23213],
      ],
    ],
    [
      128,
      [
        [0, 0, 0.86715],
        [0, 1, 0.33512],
        [5, 0, 0.93226],
        [20, 3, 1.1763],
        [40, 50, -0.21796],
        [79, 99, -0.5858],
        [10, 98, -0.47142],
        [127, 50, -0.03424],
        [30, 100, 0.63067],
        [30, 150, -0.5948],
        [12, 101, 0.18543],
      ],
    ],
  ] as const)("of %i bands is that of faster-whisper, the mirrored start and the zeros at the end too", async (mels, expected) => {
    const mel = await logMel(testSound(), 200, mels);
    for (const [band, frame, value] of expected) expect(mel[frame * mels + band]).toBeCloseTo(value, 3);
  });

  it("has the filters of whisper", () => {
    const at = (mels: number, band: number, bin: number) => melFilters(mels)[bin * mels + band];
    expect(at(80, 0, 1)).toBeCloseTo(0.02486259, 7);
    expect(at(80, 10, 12)).toBe(0);
    expect(at(80, 79, 198)).toBeCloseTo(0.00089752, 7);
    expect(at(128, 0, 1)).toBeCloseTo(0.01237399, 7);
    expect(at(128, 127, 198)).toBeCloseTo(0.00222856, 7);
  });

  it("takes sound of one sample, and cuts sound that is longer than its frames", async () => {
    expect((await logMel(Float32Array.of(0.5), 2, 80)).every(Number.isFinite)).toBe(true);
    const sound = testSound();
    const cut = await logMel(sound, 20, 80);
    const whole = await logMel(sound, 98, 80);
    // The loudest differs, which sets the floor; far from it and from the end they are the same.
    expect(cut[10 * 80 + 10]).toBeCloseTo(whole[10 * 80 + 10] as number, 4);
  });
});
