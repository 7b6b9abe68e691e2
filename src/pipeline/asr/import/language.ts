import type { Language } from "../../types.ts";
import { tokensOf } from "./words.ts";

/** The language a transcript declares (`zh-CN`, `chinese`, `en-US`), else the one it is written in. */
export function languageOf(declared: string | null, utterances: readonly { readonly text: string }[]): Language {
  return named(declared) ?? written(utterances);
}

function named(declared: string | null): Language | null {
  const name = declared?.trim().toLowerCase() ?? "";
  if (/^(?:zh|cmn|yue|chinese|mandarin|cantonese|中文|普通话)(?=$|[-_ ])/.test(name)) return "zh";
  return /^(?:en|eng|english)(?=$|[-_ ])/.test(name) ? "en" : null;
}

/** Chinese characters against words of other scripts. */
function written(utterances: readonly { readonly text: string }[]): Language {
  let han = 0;
  let other = 0;
  for (const { text } of utterances) {
    for (const token of tokensOf(text)) {
      if (/^\p{Script=Han}$/u.test(token.text)) han++;
      else if (/\p{L}/u.test(token.text)) other++;
    }
  }
  // An English brand or two in a Chinese call changes nothing.
  return han >= other && han > 0 ? "zh" : other > 0 ? "en" : "zh";
}
