import { parseJson } from "../json-body.ts";
import { invalidAt } from "../validate.ts";

/** Characters of one element. */
const MAX_ELEMENT = 10_000;

/**
 * The objects of a JSON array, one after the other as their text comes, so that a million take no more memory than one.
 *
 * @throws CallsiftError `request/invalid` naming the element
 */
export async function* elementsOf(pieces: AsyncIterable<string>): AsyncGenerator<unknown> {
  let expects: "[" | "element-or-end" | "element" | "comma-or-end" | "nothing" = "[";
  let index = 0;
  /** Text of the element that has begun. */
  let begun = "";
  let depth = 0;
  let isText = false;
  let isEscaped = false;
  for await (const piece of pieces) {
    let from = 0;
    for (let i = 0; i < piece.length; i++) {
      const code = piece.charCodeAt(i);
      if (depth > 0) {
        if (isEscaped) isEscaped = false;
        else if (isText) {
          if (code === BACKSLASH) isEscaped = true;
          else if (code === QUOTE) isText = false;
        } else if (code === QUOTE) isText = true;
        else if (code === OPEN_OBJECT || code === OPEN_ARRAY) depth += 1;
        else if ((code === CLOSE_OBJECT || code === CLOSE_ARRAY) && --depth === 0) {
          const text = begun + piece.slice(from, i + 1);
          if (text.length > MAX_ELEMENT) throw tooLong(index);
          begun = "";
          yield parseJson(text, `body/${index}`);
          index += 1;
          expects = "comma-or-end";
        }
        continue;
      }
      if (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) continue;
      if (expects === "[" && code === OPEN_ARRAY) expects = "element-or-end";
      else if ((expects === "element-or-end" || expects === "element") && code === OPEN_OBJECT) {
        depth = 1;
        from = i;
      } else if (expects === "comma-or-end" && code === COMMA) expects = "element";
      else if ((expects === "comma-or-end" || expects === "element-or-end") && code === CLOSE_ARRAY) expects = "nothing";
      else throw invalidAt(expects === "[" || expects === "nothing" ? "body" : `body/${index}`, "expected a JSON array of objects");
    }
    if (depth > 0) {
      begun += piece.slice(from);
      if (begun.length > MAX_ELEMENT) throw tooLong(index);
    }
  }
  if (expects !== "nothing" || depth > 0) throw invalidAt("body", "expected a JSON array of objects, got one that breaks off");
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

function tooLong(index: number): Error {
  return invalidAt(`body/${index}`, `expected at most ${MAX_ELEMENT} characters`);
}
