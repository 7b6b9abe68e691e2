/**
 * Whole hops in the blocks of a push; one length for all, as many blocks as channels.
 *
 * @throws RangeError otherwise: the caller's fault
 */
export function hopsIn(blocks: readonly Float32Array[], channels: number, hop: number): number {
  const length = blocks[0]?.length ?? 0;
  if (blocks.length === channels && length % hop === 0 && blocks.every((block) => block.length === length)) return length / hop;
  const lengths = blocks.map((block) => block.length).join(", ");
  throw new RangeError(`expected ${channels} blocks of one length, a whole number of ${hop} samples; got lengths [${lengths}]`);
}
