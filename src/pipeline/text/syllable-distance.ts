import { allSyllables, soundClasses } from "./pinyin.ts";

/** What two syllables that have nothing in common are apart; a syllable too many or too few is as far. Distances are whole numbers of halves. */
export const FAR = 2;
const NEAR = 1;

let table: Uint8Array | undefined;

/** Distance of each syllable from each, row by row: 0 the same, NEAR with the same initial or the same last two letters, else FAR. */
function distances(): Uint8Array {
  if (table) return table;
  const syllables = allSyllables();
  const initials = syllables.map((syllable) => /^(?:[zcs]h|[^aeiouv])/.exec(syllable)?.[0] ?? "");
  const ends = syllables.map((syllable) => (syllable.length > 1 ? syllable.slice(-2) : ""));
  const made = new Uint8Array(syllables.length * syllables.length);
  for (let a = 0, at = 0; a < syllables.length; a++) {
    for (let b = 0; b < syllables.length; b++, at++) {
      if (a === b) continue;
      const alike = (initials[a] !== "" && initials[a] === initials[b]) || (ends[a] !== "" && ends[a] === ends[b]);
      made[at] = alike ? NEAR : FAR;
    }
  }
  table = made;
  return made;
}

/** Whether a folded unit (see `normalise`) has a Chinese reading. */
export function hasReading(unit: number): boolean {
  return soundClasses(0).at[unit] !== 0;
}

/** How far a folded unit's nearest reading is from each unit of a text. */
export interface DistanceRow {
  readonly toEach: Uint8Array;
  readonly least: number;
}

/** Distances from units of phrases to the units of one text, each row made when it is first asked for. `units`: folded, without spaces. */
export function distanceRows(units: Uint16Array): (unit: number) => DistanceRow {
  const { at, classes } = soundClasses(0);
  const costs = distances();
  const count = allSyllables().length;
  const rows = new Map<number, DistanceRow>();
  const readings = Array.from(units, (unit) => readingsAt(unit));

  function readingsAt(unit: number): Uint16Array {
    const start = at[unit] as number;
    return start === 0 ? classes.subarray(0, 0) : classes.subarray(start + 1, start + 1 + (classes[start] as number));
  }

  return (unit) => {
    const known = rows.get(unit);
    if (known) return known;
    const toEach = new Uint8Array(units.length).fill(FAR);
    let least = FAR;
    for (const own of readingsAt(unit)) {
      for (let i = 0; i < units.length; i++) {
        for (const other of readings[i] as Uint16Array) {
          const cost = costs[own * count + other] as number;
          if (cost < (toEach[i] as number)) toEach[i] = cost;
        }
        least = Math.min(least, toEach[i] as number);
      }
    }
    const row = { toEach, least };
    rows.set(unit, row);
    return row;
  };
}
