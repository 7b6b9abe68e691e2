/**
 * Other ways of writing the numbers of a phrase, all in folded text (see normalise.ts: digits of both scripts are one already,
 * so what is left is 120 against 1百2十, 1000万 against 1千万, 100% against 百分之百).
 */

const LARGE = { 万: 10_000, 亿: 100_000_000 } as const;
const UNITS_OF_FOUR = ["", "十", "百", "千"];

/** The value of a number written with units (1百2十, 十5, 1千万, 3万), or null where it is none: 千万, 万1, 1百2 (120 or 102?). */
export function parseNumber(text: string): number | null {
  const unit = text.includes("亿") ? "亿" : "万";
  const at = text.lastIndexOf(unit);
  if (at < 0) return parseFour(text);
  const before = /^[1-9][0-9]*$/.test(text.slice(0, at)) ? Number(text.slice(0, at)) : parseNumber(text.slice(0, at));
  const rest = text.slice(at + 1);
  const after = rest === "" ? 0 : /^[1-9]+$/.test(rest) ? null : parseNumber(rest);
  return before === null || after === null ? null : before * LARGE[unit] + after;
}

/** A number below 10,000 written with its units, or a digit alone. */
function parseFour(text: string): number | null {
  const found = /^0?(?:([1-9])千0?)?(?:([1-9])百0?)?(?:([1-9]?)(十))?([1-9])?$/.exec(text);
  if (!found || text === "" || /[百千][1-9]$/.test(text)) return null;
  const [, thousands = "0", hundreds = "0", tens, ten, ones = "0"] = found;
  const value = Number(thousands) * 1000 + Number(hundreds) * 100 + (ten ? Number(tens || "1") * 10 : 0) + Number(ones);
  return value === 0 ? null : value;
}

/** How Chinese speaks a whole number below 10^13, in folded characters; 2 stands for 二 and 两. */
export function speakNumber(value: number): string {
  if (value === 0) return "0";
  const sections: [unit: string, four: number][] = [
    ["万亿", Math.floor(value / 1e12)],
    ["亿", Math.floor(value / 1e8) % 1e4],
    ["万", Math.floor(value / 1e4) % 1e4],
    ["", value % 1e4],
  ];
  let text = "";
  for (const [unit, four] of sections) {
    if (four === 0) continue;
    if (text !== "" && four < 1000) text += "0";
    text += speakFour(four) + unit;
  }
  return text.startsWith("1十") ? text.slice(1) : text;
}

function speakFour(value: number): string {
  let text = "";
  let zero = false;
  for (let place = 3; place >= 0; place--) {
    const digit = Math.floor(value / 10 ** place) % 10;
    if (digit === 0) zero = text !== "";
    else {
      text += `${zero ? "0" : ""}${digit}${UNITS_OF_FOUR[place]}`;
      zero = false;
    }
  }
  return text;
}

/** Every way to write a value that the matcher tries. */
function waysToWrite(value: number): string[] {
  const ways = new Set([String(value)]);
  const significant = String(value).replace(/0+$/, "").length;
  // Nobody speaks 12315 or a telephone number as one number.
  if (value < 1e13 && significant <= 4) {
    const spoken = speakNumber(value);
    ways.add(spoken);
    if (spoken.startsWith("十")) ways.add(`1${spoken}`);
  }
  for (const [unit, size] of Object.entries(LARGE)) if (value >= size && value % size === 0) ways.add(`${value / size}${unit}`);
  return [...ways];
}

/**
 * All ways to write a folded phrase with its numbers written otherwise, the phrase itself first; just the phrase where it holds no
 * number, or so many that the ways are more than `limit`.
 */
export function numberVariants(phrase: string, limit = 16): string[] {
  const parts: string[][] = [];
  let count = 1;
  let end = 0;
  const numbers = /百分之([0-9点十百千万]+)|([0-9]+(?:点[0-9]+)?)%|[0-9十百千万亿]+(?:点[0-9]+)?/g;
  for (const match of phrase.matchAll(numbers)) {
    const [whole, after, before] = match;
    const share = after ?? before;
    const ways = [...new Set([whole, ...(share === undefined ? waysOf(whole) : sharesOf(share))])];
    parts.push([phrase.slice(end, match.index)], ways);
    count *= ways.length;
    end = match.index + whole.length;
  }
  if (count === 1 || count > limit) return [phrase];
  parts.push([phrase.slice(end)]);
  return parts.reduce<string[]>((made, part) => made.flatMap((start) => part.map((way) => start + way)), [""]);
}

/** The ways to write one number; itself alone where it is none. */
function waysOf(number: string): string[] {
  const [whole, fraction] = number.split("点") as [string, string | undefined];
  // A number that begins with 0 is a code.
  const value = /^[1-9][0-9]{1,12}$/.test(whole) ? Number(whole) : parseNumber(whole);
  if (value === null || (fraction === undefined && value < 10)) return [number];
  return waysToWrite(value).map((way) => (fraction ? `${way}点${fraction}` : way));
}

/** The ways to write a share of a hundred. */
function sharesOf(number: string): string[] {
  const values = waysOf(number === "百" ? "100" : number);
  // 百分之百 is said without the one.
  if (values.includes("100")) values.push("百");
  return values.flatMap((value) => [`百分之${value}`, ...(/^[0-9点]+$/.test(value) ? [`${value}%`, `${value}percent`] : [])]);
}
