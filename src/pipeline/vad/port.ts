/** A speech detector that is fed the sound of one recording in order, several channels at once. */
export interface SpeechDetector {
  readonly name: string;
  /** Hz of the samples it takes. */
  readonly sampleRate: number;
  /** Samples per probability. */
  readonly hop: number;
  /** Takes blocks of equal length, one per channel, each a whole number of hops; answers one probability (0–1) per hop and channel. State carries over between calls. */
  push(blocks: readonly Float32Array[]): Promise<Float32Array[]>;
  /** Forgets everything heard: the next push starts a new recording with this number of channels. */
  reset(channels: number): void;
  [Symbol.asyncDispose](): Promise<void>;
}

/** An engine behind the port. */
export interface VadEngine {
  readonly name: "silero" | "energy";
  /** Part of the recipe hash: engine and weights. */
  readonly recipe: string;
  open(): Promise<SpeechDetector>;
}
