/** The sound with silence where samples are no numbers, as they are in damaged files of floats; at least `leastSamples` long, silence after its end. A copy. */
export function finiteSound(sound: Float32Array, leastSamples = 0): Float32Array {
  const clean = new Float32Array(Math.max(sound.length, leastSamples));
  for (let i = 0; i < sound.length; i++) {
    const sample = sound[i] as number;
    clean[i] = Number.isFinite(sample) ? sample : 0;
  }
  return clean;
}
