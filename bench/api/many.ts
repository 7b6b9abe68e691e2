/** Does `count` things, `atOnce` at a time; the time that each took, ms. */
export async function many(count: number, atOnce: number, one: (i: number) => Promise<void>): Promise<number[]> {
  const times: number[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let i = next++; i < count; i = next++) {
        const started = performance.now();
        await one(i);
        times.push(performance.now() - started);
      }
    }),
  );
  return times;
}
