import type { Language } from "../types.ts";
import { normalise } from "./normalise.ts";

type Lists = Readonly<Record<Language, readonly string[]>>;

/** Sounds and words of hesitation that matching passes over between the characters or words of a phrase. */
export const HESITATIONS = {
  zh: ["嗯", "唔", "呃", "额", "啊", "呀", "哦", "噢", "诶", "欸", "哎", "那个", "这个", "就是说"],
  en: ["um", "umm", "uh", "uhh", "er", "erm", "hm", "hmm", "mm", "ah", "oh"],
} as const satisfies Lists;

/** Habits of speech (口头禅) whose rate is judged. */
export const FILLERS = {
  zh: ["啊", "呀", "嗯", "呃", "额", "这个", "那个", "然后", "就是说"],
  en: ["um", "uh", "er", "erm", "like", "you know", "i mean", "basically", "actually"],
} as const satisfies Lists;

/** What a listener says without wanting the turn. */
export const BACK_CHANNELS = {
  zh: [
    ..."嗯唔哦噢喔啊呃额诶欸哎唉对是好行成",
    ...[
      "嗯哼",
      "对的",
      "对呀",
      "对啊",
      "对对",
      "是的",
      "是啊",
      "是呀",
      "是吧",
      "好的",
      "好嘞",
      "好吧",
      "好啊",
      "好呀",
      "行的",
      "行吧",
      "没错",
      "明白",
      "明白了",
    ],
    ...["了解", "知道了", "这样啊", "ok", "okay"],
  ],
  en: [
    ...["uh-huh", "uh huh", "mm-hmm", "mm hmm", "mhm", "mm", "mmm", "hm", "hmm", "um", "uh", "huh", "oh", "ah", "aha"],
    ...["yeah", "yes", "yep", "yup", "ok", "okay", "right", "all right", "alright", "sure", "i see", "got it", "good", "great", "exactly"],
  ],
} as const satisfies Lists;

const folded = (lists: Lists): Record<Language, ReadonlySet<string>> => ({
  zh: new Set(lists.zh.map((word) => normalise(word).text)),
  en: new Set(lists.en.map((word) => normalise(word).text)),
});

let backChannels: Record<Language, ReadonlySet<string>> | undefined;

/**
 * Whether a whole utterance is nothing but back-channels (嗯嗯, 对对对, 好的好的; uh-huh, yeah yeah), repeated and mixed at will.
 * An utterance without any letter is one too: nothing was said.
 */
export function isBackChannel(text: string, language: Language): boolean {
  backChannels ??= folded(BACK_CHANNELS);
  const words = backChannels[language];
  const said = normalise(text).text;
  // Where a run of whole back-channels ends, from left to right.
  const reached = new Uint8Array(said.length + 1);
  reached[0] = 1;
  for (let at = 0; at < said.length; at++) {
    if (!reached[at]) continue;
    if (said[at] === " ") reached[at + 1] = 1;
    for (const word of words) {
      const end = at + word.length;
      if (said.startsWith(word, at) && (language === "zh" || end === said.length || said[end] === " ")) reached[end] = 1;
    }
  }
  return reached[said.length] === 1;
}
