import { normalise } from "./text/normalise.ts";
import type { Utterance } from "./types.ts";

/** How much one side's words sound like an agent (positive) or a customer (negative). */
export interface Lean {
  readonly score: number;
  /** Utterances looked at. */
  readonly utterances: number;
}

/** Wording that tells the sides apart, with the points one phrase of it is worth. */
interface Wording {
  readonly points: number;
  /** Said at the beginning it counts in full, later half: customers repeat an agent's words, but don't open with them. */
  readonly opening?: true;
  readonly phrases: readonly string[];
}

const WORDINGS: readonly Wording[] = [
  {
    points: 3,
    opening: true,
    phrases: [
      ..."有什么可以帮 有什么可以为您 有什么能帮 有什么需要帮 很高兴为您服务 为您服务 欢迎致电 感谢您致电 感谢您的来电 工号 客服中心 客户服务中心 这里是".split(
        " ",
      ),
      ..."有什麽可以幫 這裡是".split(" "),
      "thank you for calling",
      "thanks for calling",
      "how may i help",
      "how can i help",
      "how may i assist",
      "how can i assist",
      "what can i do for you",
      "you're speaking with",
      "you are speaking with",
      "customer service",
      "this call may be recorded",
    ],
  },
  {
    points: 1.5,
    phrases: [
      ..."请稍等 请您稍等 稍等一下 请稍候 让您久等 感谢您的耐心等待 还有其他可以帮 还有什么可以帮 还有其他问题 服务做出评价 服务进行评价 对我的服务 满意度 祝您生活愉快 祝您 帮您查 帮您核实 为您查询 给您查 为您登记 给您登记 为您办理 帮您办理 给您办理 为您转接 给您转接 跟您核对 和您核对 核对一下您 请您提供 请提供一下 请问您的 请问您贵姓 您贵姓 怎么称呼您 给您带来".split(
        " ",
      ),
      "anything else i can",
      "is there anything else",
      "may i have your",
      "can i have your",
      "could i have your",
      "could i get your",
      "can i get your",
      "may i put you on hold",
      "place you on hold",
      "put you on hold",
      "let me check",
      "let me look",
      "let me pull up",
      "bear with me",
      "one moment please",
      "for verification",
      "verify your",
      "apologize for the inconvenience",
      "apologise for the inconvenience",
      "thank you for your patience",
      "thank you for waiting",
      "thank you for holding",
      "i'd be happy to help",
      "i would be happy to help",
      "have a great day",
      "have a nice day",
      "short survey",
    ],
  },
  { points: 0.5, phrases: [..."您的 请您 给您 为您 帮您 跟您".split(" "), "sir", "ma'am", "i understand your"] },
  {
    points: -1.5,
    phrases: [
      ..."我想问 我想咨询 我想查 我想办 我想退 我想投诉 我要投诉 我要退 我要查 我要办 我要找 我买的 我的订单 我的快递 我的卡 我的账 我的手机 我的号码 我的钱 你帮我 帮我查 帮我看 帮我办 给我查 给我办 给我退 你们这个 你们公司 你们那 你们怎么 你们客服 你们到底 打了好几次".split(
        " ",
      ),
      "i'm calling about",
      "i am calling about",
      "i'm calling to",
      "i am calling to",
      "i'm calling because",
      "i want to",
      "i'd like to",
      "i would like to",
      "my order",
      "my account",
      "my bill",
      "my card",
      "my phone",
      "my package",
      "my refund",
      "i ordered",
      "i bought",
      "i was charged",
      "can you help me",
      "could you help me",
      "you guys",
      "your company",
      "speak to your",
      "speak to a",
    ],
  },
  { points: -0.5, phrases: [..."我的 你们 我想 我要 帮我 给我".split(" "), "my ", "i need"] },
];

/** From the start of the conversation, ms. */
const OPENING_MS = 20_000;
/** The same phrase again tells no more after this. */
const MOST_TIMES = 2;

/**
 * How one side's utterances sound.
 *
 * @param answeredAtMs when the conversation began
 */
export function leanOf(utterances: readonly Utterance[], answeredAtMs = 0): Lean {
  const said = utterances.map(({ text, startMs }) => ({ text: ` ${normalise(text).text} `, early: startMs < answeredAtMs + OPENING_MS }));
  let score = 0;
  for (const { points, opening, phrases } of folded()) {
    for (const phrase of phrases) {
      let times = 0;
      for (const { text, early } of said) {
        if (!text.includes(phrase)) continue;
        score += opening && !early ? points / 2 : points;
        if (++times === MOST_TIMES) break;
      }
    }
  }
  return { score, utterances: utterances.length };
}

let tables: readonly Wording[] | undefined;

/** The phrases as `normalise` writes them; made once, when first asked for. */
function folded(): readonly Wording[] {
  tables ??= WORDINGS.map((wording) => ({ ...wording, phrases: [...new Set(wording.phrases.map(foldPhrase))] }));
  return tables;
}

/** Words of a spaced script stand between spaces, so that `sir` is not found in `desire`. */
function foldPhrase(phrase: string): string {
  const { text } = normalise(phrase);
  return /^[a-z]/.test(text) ? ` ${text} ` : text;
}
