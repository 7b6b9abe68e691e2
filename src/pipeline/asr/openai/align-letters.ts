/** Beyond this the two are no writings of one piece of sound. */
const MOST_CELLS = 4_000_000;

/**
 * For each letter of a text, the place of the same letter in another writing of it, or -1: by the longest common subsequence. All -1 where the two are too
 * long to be compared.
 */
export function alignLetters(text: readonly string[], other: readonly string[]): Int32Array {
  const places = new Int32Array(text.length).fill(-1);
  let from = 0;
  while (from < text.length && from < other.length && text[from] === other[from]) places[from] = from++;
  const [rows, columns] = [text.length - from, other.length - from];
  if (rows === 0 || columns === 0 || rows * columns > MOST_CELLS) return places;
  // best[i][j]: the most letters in common behind place i of the one and j of the other.
  const width = columns + 1;
  const best = new Uint16Array((rows + 1) * width);
  const at = (i: number, j: number): number => best[i * width + j] as number;
  for (let i = rows - 1; i >= 0; i--) {
    for (let j = columns - 1; j >= 0; j--) {
      best[i * width + j] = text[from + i] === other[from + j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  for (let i = 0, j = 0; i < rows && j < columns; ) {
    if (text[from + i] === other[from + j]) places[from + i++] = from + j++;
    else if (at(i + 1, j) >= at(i, j + 1)) i++;
    else j++;
  }
  return places;
}
