import { soundClasses, soundMask } from "../text/pinyin.ts";

/** A character with several readings, or several of them, make many ways to read a word: further ones are hardly ever meant. */
const MOST_READINGS = 16;

/** Words by how they sound. */
export interface SoundAlikes {
  /** Words of the list that may sound like this text of simplified characters, itself perhaps among them, most common first. */
  of(text: string): readonly string[];
}

/**
 * Finds words that sound like others: toneless syllables, with z and zh, n and l, an and ang and the other pairs that speakers mix up counted as one.
 *
 * @param list as `createWordModel` takes it
 */
export function createSoundAlikes(list: string): SoundAlikes {
  const { at, classes } = soundClasses(soundMask({ nasal: true, retroflex: true, lateral: true, labial: true, liquid: true }));

  /** Each way to read a text, a character for each syllable; none where a character has no reading. */
  function readings(text: string): string[] {
    let ways = [""];
    for (let i = 0; i < text.length; i++) {
      const place = at[text.charCodeAt(i)] as number;
      const count = place === 0 ? 0 : (classes[place] as number);
      const longer: string[] = [];
      for (let k = place + 1; k <= place + count; k++) {
        // Readings that these options take for one.
        if (classes.subarray(place + 1, k).includes(classes[k] as number)) continue;
        const syllable = String.fromCharCode(classes[k] as number);
        for (const way of ways) if (longer.length < MOST_READINGS) longer.push(way + syllable);
      }
      ways = longer;
    }
    return ways;
  }

  // Words of one sound as one string: a list for each would take three times the memory.
  const bySound = new Map<string, string>();
  for (const line of list.split("\n")) {
    for (const word of line.split(" ").slice(1)) {
      for (const sound of readings(word)) {
        const others = bySound.get(sound);
        bySound.set(sound, others === undefined ? word : `${others} ${word}`);
      }
    }
  }
  return {
    of(text) {
      const words = readings(text).flatMap((sound) => bySound.get(sound)?.split(" ") ?? []);
      return [...new Set(words)];
    },
  };
}
