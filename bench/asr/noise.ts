import { addNoise, createRandom, gain } from "../../fixtures/synth.ts";
import { readLine, writeWav } from "../../fixtures/wave.ts";
import { createResampler } from "../../src/pipeline/audio/resample.ts";

const RATE = 8_000;
/** Kinds of noise that sentences are spoken in. */
export const NOISES = ["white", "babble", "hum"] as const;
export type NoiseKind = (typeof NOISES)[number];

/** What a quiet line hums with, dBFS: real lines are never exactly zero. */
const FLOOR_DB = -60;
const BABBLERS = 4;

/** Of all samples together. */
export function rms(parts: readonly Float64Array[]): number {
  let sum = 0;
  let count = 0;
  for (const part of parts) {
    for (const sample of part) sum += sample * sample;
    count += part.length;
  }
  return count === 0 ? 0 : Math.sqrt(sum / count);
}

/**
 * Adds noise of an RMS level (1 = full scale); the same from the same seed.
 *
 * @param others speech at 8 kHz that babble is made of
 */
export function addNoiseOf(kind: NoiseKind, samples: Float64Array, level: number, seed: number, others: readonly Float64Array[]): void {
  const noise = new Float64Array(samples.length);
  MAKERS[kind](noise, seed, others);
  const scale = level / Math.max(rms([noise]), 1e-9);
  for (let i = 0; i < samples.length; i++) samples[i] = (samples[i] as number) + scale * (noise[i] as number);
}

const MAKERS = {
  white: (noise, seed) => addNoise(noise, -20, seed),
  /** Other people in the room, all at once. */
  babble: (noise, seed, others) => {
    const random = createRandom(seed);
    for (let n = 0; n < BABBLERS; n++) {
      for (let at = -Math.floor(random() * RATE); at < noise.length; ) {
        const voice = others[Math.floor(random() * others.length)];
        if (!voice || voice.length === 0) break;
        for (let i = Math.max(0, -at); i < voice.length && at + i < noise.length; i++)
          noise[at + i] = (noise[at + i] as number) + (voice[i] as number);
        at += voice.length;
      }
    }
  },
  /** A badly shielded line: harmonics of the mains that a telephone lets through, and some hiss. */
  hum: (noise, seed) => {
    const random = createRandom(seed);
    for (let k = 3; k <= 21; k += 2) {
      const phase = 2 * Math.PI * random();
      for (let i = 0; i < noise.length; i++) noise[i] = (noise[i] as number) + Math.sin((2 * Math.PI * 50 * k * i) / RATE + phase) / k;
    }
    addNoise(noise, 20 * Math.log10(rms([noise])) - 8, seed);
  },
} as const satisfies Record<NoiseKind, (noise: Float64Array, seed: number, others: readonly Float64Array[]) => void>;

/** As it comes out of a telephone exchange: the line's own floor, and G.711 µ-law there and back. */
export function overTelephone(samples: Float64Array, seed: number): Float64Array {
  const line = Float64Array.from(samples);
  addNoise(line, FLOOR_DB, seed ^ 0x5a5a);
  return readLine(writeWav([line], "mulaw"));
}

/** For a recogniser: 16 kHz. */
export function raise(samples: ArrayLike<number>): Float32Array {
  const resampler = createResampler(RATE, 2 * RATE);
  const body = resampler.push(Float32Array.from(samples));
  const rest = resampler.flush();
  const whole = new Float32Array(body.length + rest.length);
  whole.set(body);
  whole.set(rest, body.length);
  return whole;
}

/** A stretch without anybody speaking. */
export interface NonSpeech {
  readonly what: string;
  /** 8 kHz, -1..1. */
  readonly samples: Float64Array;
}

/** Levels that noises of a line have, dBFS. */
const LEVELS_DB = [-55, -45, -35, -25] as const;

function filled(seconds: number, sample: (i: number, t: number) => number): Float64Array {
  return Float64Array.from({ length: Math.round(seconds * RATE) }, (_, i) => sample(i, i / RATE));
}

const sine = (hz: number, t: number): number => Math.sin(2 * Math.PI * hz * t);
const onOff = (t: number, onSeconds: number, offSeconds: number): number => (t % (onSeconds + offSeconds) < onSeconds ? 1 : 0);

function noiseAt(levelDb: number, seconds: number, seed: number): Float64Array {
  const samples = new Float64Array(Math.round(seconds * RATE));
  addNoise(samples, levelDb, seed);
  return samples;
}

/** One pole low pass over white noise: falls 6 dB an octave, as rooms and engines do. */
function brownAt(levelDb: number, seconds: number, seed: number): Float64Array {
  const samples = noiseAt(-20, seconds, seed);
  let state = 0;
  for (let i = 0; i < samples.length; i++) {
    state += 0.08 * ((samples[i] as number) - state);
    samples[i] = state;
  }
  return scaled(samples, levelDb);
}

/** Paul Kellet's filter over white noise: 3 dB an octave. */
function pinkAt(levelDb: number, seconds: number, seed: number): Float64Array {
  const samples = noiseAt(-20, seconds, seed);
  let [a, b, c] = [0, 0, 0];
  for (let i = 0; i < samples.length; i++) {
    const white = samples[i] as number;
    a = 0.99765 * a + white * 0.099046;
    b = 0.963 * b + white * 0.2965164;
    c = 0.57 * c + white * 1.0526913;
    samples[i] = a + b + c + white * 0.1848;
  }
  return scaled(samples, levelDb);
}

function scaled(samples: Float64Array, levelDb: number): Float64Array {
  const scale = gain(levelDb) / Math.max(rms([samples]), 1e-9);
  return samples.map((sample) => sample * scale);
}

/** Bursts of noise that rise at once and die away, each at its own pitch: coughs (long, low), keys and clicks (short). */
function bursts(
  seconds: number,
  seed: number,
  { everySeconds, lastsMs, brightness }: { everySeconds: number; lastsMs: number; brightness: number },
): Float64Array {
  const random = createRandom(seed);
  const samples = new Float64Array(Math.round(seconds * RATE));
  for (let at = Math.floor(random() * RATE * 0.5); at < samples.length; at += Math.floor((0.5 + random()) * everySeconds * RATE)) {
    const decay = (lastsMs / 1000) * RATE * (0.7 + 0.6 * random());
    const level = gain(-24 - 10 * random()) * 3;
    let state = 0;
    for (let i = 0; i < 4 * decay && at + i < samples.length; i++) {
      state += brightness * (random() - 0.5 - state);
      samples[at + i] = (samples[at + i] as number) + level * state * Math.min(1, i / 24) * Math.exp(-i / decay);
    }
  }
  return samples;
}

const DTMF_ROWS = [697, 770, 852, 941] as const;
const DTMF_COLUMNS = [1209, 1336, 1477] as const;

function dtmf(seconds: number, seed: number): Float64Array {
  const random = createRandom(seed);
  const keys = Array.from(
    { length: 64 },
    () => [DTMF_ROWS[Math.floor(random() * 4)] ?? 697, DTMF_COLUMNS[Math.floor(random() * 3)] ?? 1209] as const,
  );
  return filled(seconds, (_, t) => {
    const [low, high] = keys[Math.floor(t / 0.25) % keys.length] ?? [697, 1209];
    return onOff(t, 0.12, 0.13) * 0.12 * (sine(low, t) + sine(high, t));
  });
}

/** CNG of a calling fax, or CED and the V.21 preamble of one that answers. */
function fax(seconds: number, answers: boolean): Float64Array {
  if (!answers) return filled(seconds, (_, t) => onOff(t, 0.5, 3) * 0.15 * sine(1100, t));
  return filled(seconds, (_, t) => (t < 3 ? 0.15 * sine(2100, t) : 0.15 * sine(Math.floor(t * 300) % 3 === 0 ? 1650 : 1850, t)));
}

/**
 * A hundred stretches of 3 to 12 s without speech: silence, noises, tones, music, bodies and keyboards; the same on every machine.
 *
 * @param music hold music at 8 kHz, as far as there is any
 */
export function nonSpeech(
  music: readonly NonSpeech[],
  computedMusic: (ms: number) => Float64Array,
  ringBack: (ms: number) => Float64Array,
): NonSpeech[] {
  const made: NonSpeech[] = [];
  const add = (what: string, samples: Float64Array): void => {
    made.push({ what: `${what}, ${(samples.length / RATE).toFixed(0)} s`, samples });
  };
  const seconds = (i: number): number => [3, 5, 8, 10, 12][i % 5] as number;
  for (let i = 0; i < 4; i++) add("digital zero", new Float64Array(seconds(i) * RATE));
  for (let i = 0; i < 6; i++) add(`line floor -${60 + i} dB`, noiseAt(-60 - i, seconds(i), i + 1));
  LEVELS_DB.forEach((level, n) => {
    for (let i = 0; i < 3; i++) {
      const seed = 100 + 10 * n + i;
      add(`white ${level} dB`, noiseAt(level, seconds(n + i), seed));
      add(`pink ${level} dB`, pinkAt(level, seconds(n + i + 1), seed));
      add(`brown ${level} dB`, brownAt(level, seconds(n + i + 2), seed));
    }
    const hum = new Float64Array(seconds(n + 2) * RATE);
    addNoiseOf("hum", hum, gain(level), n, []);
    add(`hum ${level} dB`, hum);
  });
  for (let i = 0; i < 4; i++) add("ring-back", ringBack(1000 * seconds(i + 1)));
  for (let i = 0; i < 4; i++)
    add(
      "busy",
      filled(seconds(i), (_, t) => onOff(t, 0.35, 0.35) * 0.14 * sine(450, t)),
    );
  for (let i = 0; i < 4; i++) add("DTMF", dtmf(seconds(i + 1), i));
  for (let i = 0; i < 4; i++) add(i % 2 === 0 ? "fax calls" : "fax answers", fax(seconds(i + 1), i % 2 === 1));
  [1000, 440, 2100].forEach((hz, i) => {
    add(
      `tone ${hz} Hz`,
      filled(seconds(i + 1), (_, t) => 0.1 * sine(hz, t)),
    );
  });
  for (let i = 0; i < 6; i++)
    add(
      "computed music",
      computedMusic(1000 * seconds(i)).map((sample) => sample * gain(-4 * (i % 3))),
    );
  for (let i = 0; i < 5; i++) add("coughs", bursts(seconds(i), 300 + i, { everySeconds: 1.6, lastsMs: 90, brightness: 0.35 }));
  for (let i = 0; i < 4; i++) add("keyboard", bursts(seconds(i + 1), 400 + i, { everySeconds: 0.25, lastsMs: 4, brightness: 0.9 }));
  for (let i = 0; i < 2; i++) add("clicks", bursts(seconds(i + 2), 500 + i, { everySeconds: 1.2, lastsMs: 1, brightness: 1 }));
  for (let i = 0; i < 4; i++) {
    // Somebody breathes into the handset: noise that swells every three seconds.
    const breath = pinkAt(-30, seconds(i + 1), 600 + i);
    add(
      "breathing",
      breath.map((sample, n) => sample * Math.max(0.03, Math.sin((2 * Math.PI * n) / RATE / 3)) ** 2),
    );
  }
  made.push(...music);
  return made;
}
