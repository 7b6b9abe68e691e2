import { hopsIn } from "./blocks.ts";
import type { SpeechDetector, VadEngine } from "./port.ts";

/** Samples a probability is for: 32 ms at 8 kHz. */
const HOP = 256;
/** Nothing below this is speech, dBFS: the idle noise of 8-bit telephone coding lies at -60 to -72. */
const QUIETEST_DB = -52;
/** Speech stands this far above the noise, dB. */
const MARGIN_DB = 9;
/** From 0.5, this many dB up is 0.73. */
const SLOPE_DB = 2;
/** The noise floor rises this fast under steady sound, dB a second; it falls at once, with every pause between words. */
const RISE_DB = 3;
const RISE_PER_HOP_DB = (RISE_DB * HOP) / 8000;
/** Hops whose mean power is judged: bridges the closures inside words. */
const SMOOTHED = 3;

interface Side {
  /** dBFS; null before the first hop. */
  floorDb: number | null;
  /** State of the low-pass whose output is taken off. */
  rumble: number;
  /** Mean squares of the last hops. */
  readonly recent: number[];
}

/**
 * Speech by level alone, above a noise floor that adapts: needs no weights. It takes any sound for speech that comes and goes, so it is the
 * second choice.
 */
export const energy = { name: "energy", recipe: "energy@1", open: async () => createEnergyDetector() } as const satisfies VadEngine;

function createEnergyDetector(): SpeechDetector {
  let sides: Side[] = [];
  return {
    name: "energy",
    sampleRate: 8000,
    hop: HOP,
    reset(channels) {
      sides = Array.from({ length: channels }, () => ({ floorDb: null, rumble: 0, recent: [] }));
    },
    async push(blocks) {
      hopsIn(blocks, sides.length, HOP);
      return blocks.map((block, channel) => detect(block, sides[channel] as Side));
    },
    async [Symbol.asyncDispose]() {},
  };
}

function detect(block: Float32Array, side: Side): Float32Array {
  const probability = new Float32Array(block.length / HOP);
  for (let hop = 0; hop < probability.length; hop++) {
    side.recent.push(meanSquare(block, hop * HOP, side));
    if (side.recent.length > SMOOTHED) side.recent.shift();
    const power = side.recent.reduce((sum, value) => sum + value, 0) / side.recent.length;
    const levelDb = Math.max(10 * Math.log10(power + 1e-12), -90);
    side.floorDb = side.floorDb === null ? levelDb : Math.min(levelDb, side.floorDb + RISE_PER_HOP_DB);
    const thresholdDb = Math.max(side.floorDb + MARGIN_DB, QUIETEST_DB);
    probability[hop] = 1 / (1 + Math.exp((thresholdDb - levelDb) / SLOPE_DB));
  }
  return probability;
}

/** Mean square with rumble and direct current taken out by a one-pole high-pass at about 100 Hz. */
function meanSquare(block: Float32Array, from: number, side: Side): number {
  let rumble = side.rumble;
  let sum = 0;
  for (let at = from; at < from + HOP; at++) {
    const sample = block[at] as number;
    rumble += 0.075 * (sample - rumble);
    sum += (sample - rumble) ** 2;
  }
  side.rumble = rumble;
  return sum / HOP;
}
