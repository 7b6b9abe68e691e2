import { READING_CODES, READING_SETS } from "./tables.gen.ts";

/** Which sounds count as one beside the tone, as speakers and recognisers mix them up. All off by default. */
export interface SoundOptions {
  /** an = ang, en = eng, in = ing. */
  readonly nasal?: boolean;
  /** z = zh, c = ch, s = sh. */
  readonly retroflex?: boolean;
  /** n = l at the start. */
  readonly lateral?: boolean;
  /** f = hu: 飞 = 灰, 福 = 湖. */
  readonly labial?: boolean;
  /** r = l at the start. */
  readonly liquid?: boolean;
}

/** Options as bits, so that tables can be kept for each of the 32 ways. */
const BITS = { nasal: 1, retroflex: 2, lateral: 4, labial: 8, liquid: 16 } as const satisfies Record<keyof SoundOptions, number>;

/** The options as one number; 0 = toneless syllables as they are. */
export function soundMask(options: SoundOptions): number {
  let mask = 0;
  for (const [name, bit] of Object.entries(BITS)) if (options[name as keyof SoundOptions]) mask |= bit;
  return mask;
}

/** What a toneless syllable (ü written v) is under the options; syllables with the same key sound the same. */
export function soundKey(syllable: string, options: SoundOptions): string {
  return keyOf(syllable, soundMask(options));
}

function keyOf(syllable: string, mask: number): string {
  let key = syllable;
  if (mask & BITS.retroflex) key = key.replace(/^([zcs])h/, "$1");
  if (mask & BITS.labial) {
    key = key
      .replace(/^hu(an|ang|a)?$/, (_whole, final: string | undefined) => `f${final ?? "u"}`)
      .replace(/^hui$/, "fei")
      .replace(/^hun$/, "fen")
      .replace(/^huo$/, "fo");
  }
  if (mask & BITS.lateral) key = key.replace(/^n(?=[aeiouv])/, "l");
  if (mask & BITS.liquid) key = key.replace(/^r/, "l");
  if (mask & BITS.nasal) key = key.replace(/([aei])ng$/, "$1n");
  return key;
}

const FIRST_HAN = 0x4e00;
const SIXTY_FOUR = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const DIGIT_SYLLABLES = ["ling", "yi", "er liang", "san", "si", "wu", "liu", "qi", "ba", "jiu"];

interface Readings {
  /** Every syllable there is; an id is an index here. */
  readonly syllables: readonly string[];
  /** For each UTF-16 unit, where its ids begin in `ids`; the first entry there is their number. 0 = none. */
  readonly at: Uint16Array;
  readonly ids: Uint16Array;
}

let readings: Readings | undefined;

/** The table of readings, decoded on first use (about 2 ms). */
function loadReadings(): Readings {
  if (readings) return readings;
  const idOf = new Map<string, number>();
  const ids: number[] = [0];
  const add = (set: string): number => {
    if (set === "") return 0;
    const syllables = set.split(" ");
    const at = ids.length;
    ids.push(syllables.length);
    for (const syllable of syllables) {
      const id = idOf.get(syllable) ?? idOf.size;
      idOf.set(syllable, id);
      ids.push(id);
    }
    return at;
  };
  const sets = READING_SETS.split(",").map(add);
  const at = new Uint16Array(0x10000);
  const digit = new Uint8Array(128);
  for (let value = 0; value < SIXTY_FOUR.length; value++) digit[SIXTY_FOUR.charCodeAt(value)] = value;
  for (let i = 0, unit = FIRST_HAN; i < READING_CODES.length; i += 2, unit++) {
    const set = ((digit[READING_CODES.charCodeAt(i)] as number) << 6) | (digit[READING_CODES.charCodeAt(i + 1)] as number);
    at[unit] = sets[set] as number;
  }
  DIGIT_SYLLABLES.forEach((set, value) => {
    at[0x30 + value] = add(set);
  });
  readings = { syllables: [...idOf.keys()], at, ids: Uint16Array.from(ids) };
  return readings;
}

/** Toneless readings of one character or digit, most common first, ü written v; empty for what is no Chinese character. */
export function readingsOf(character: string): string[] {
  const { syllables, at, ids } = loadReadings();
  const start = at[character.charCodeAt(0)] as number;
  return Array.from(ids.subarray(start + 1, start + 1 + (ids[start] as number)), (id) => syllables[id] as string);
}

/** Every toneless syllable, ü written v. The classes of `soundClasses(0)` are places in this list. */
export function allSyllables(): readonly string[] {
  return loadReadings().syllables;
}

/** Readings of every unit as classes of syllables that sound the same under one set of options. */
export interface SoundClasses {
  /** For each UTF-16 unit, where its classes begin in `classes`; the first entry there is their number. 0 = no reading. */
  readonly at: Uint16Array;
  readonly classes: Uint16Array;
  /** The class of a syllable, or -1 where there is no such syllable. */
  classOf(syllable: string): number;
}

const classesByMask = new Map<number, SoundClasses>();

/** The classes under `mask` (see `soundMask`). Classes are below 1,024. */
export function soundClasses(mask: number): SoundClasses {
  const known = classesByMask.get(mask);
  if (known) return known;
  const { syllables, at, ids } = loadReadings();
  const classOfKey = new Map<string, number>();
  const classOfId = syllables.map((syllable) => {
    const key = keyOf(syllable, mask);
    const found = classOfKey.get(key) ?? classOfKey.size;
    classOfKey.set(key, found);
    return found;
  });
  const classes = ids.slice();
  for (let i = 1; i < ids.length; ) {
    const count = ids[i] as number;
    for (let k = i + 1; k <= i + count; k++) classes[k] = classOfId[ids[k] as number] as number;
    i += count + 1;
  }
  const made: SoundClasses = { at, classes, classOf: (syllable) => classOfKey.get(keyOf(syllable, mask)) ?? -1 };
  classesByMask.set(mask, made);
  return made;
}
