import type { Role } from "../../types.ts";
import { NOBODY, type Voice } from "./imported.ts";

const AGENT =
  /^(?:agent|customer service(?: (?:agent|representative|rep))?|service agent|坐席|座席|客服(?:人员|代表)?|服务代表|业务代表|话务员|接线员|坐席员|坐席人员|csr|operator|representative|rep|advisor|adviser)$/;
const CUSTOMER = /^(?:customer|客户|顾客|用户|来电人|来电者|caller|client|user)$/;
const CHANNEL = /^(?:ch|channel|声道|通道)[ _-]?([01])$/;
/** All parts bounded, so that a line of megabytes costs nothing. */
const LABEL = /^(?:[-–—•]\s{0,4})?(?:[[(（【]([^[\]()（）【】]{1,40})[\])）】][:：]?|([^:：<>]{1,40})[:：])/u;
const SPEAKER = /^(?:speaker|spk|说话人|发言人|讲话人)[ _-]?\w{0,8}$/;

/** The role a label of a transcript names: `Agent`, `agent 1`, `坐席`, `客户`; null for any other label. */
export function roleOf(label: string): Role | null {
  const name = plain(label);
  return AGENT.test(name) ? "agent" : CUSTOMER.test(name) ? "customer" : null;
}

/** Whom a label names. A label that is neither a role nor a channel stays a speaker of its own. */
export function voiceOf(label: string): Voice {
  const exact = exactVoiceOf(label);
  if (exact) return exact;
  const name = label.trim();
  // `Agent Smith`: a role with a name.
  const named = roleOf(/^(\S{1,40})\s/.exec(name)?.[1] ?? "");
  if (named) return { ...NOBODY, role: named };
  return name === "" ? NOBODY : { ...NOBODY, speaker: name };
}

/** A label before the words, `agent: …`, `客户：…`, `[Speaker 1] …`; only known labels, since `注意：` is what somebody says. */
export function splitLabel(line: string): { readonly voice: Voice; readonly text: string } | null {
  const trimmed = line.trim();
  const match = LABEL.exec(trimmed);
  const label = match?.[1] ?? match?.[2];
  if (!match || label === undefined) return null;
  const voice = exactVoiceOf(label) ?? (SPEAKER.test(label.trim().toLowerCase()) ? { ...NOBODY, speaker: label.trim() } : null);
  return voice && { voice, text: trimmed.slice(match[0].length).trimStart() };
}

function exactVoiceOf(label: string): Voice | null {
  const role = roleOf(label);
  if (role) return { ...NOBODY, role };
  const name = label.trim().toLowerCase();
  const channel = CHANNEL.exec(name)?.[1] ?? (name === "left" ? "0" : name === "right" ? "1" : null);
  return channel === null ? null : { ...NOBODY, channel: Number(channel) };
}

/** Lower case, without the number or the name in brackets behind it: `Agent 1` and `坐席2` are `agent` and `坐席`. */
function plain(label: string): string {
  return label
    .normalize("NFKC")
    .trim()
    .toLowerCase()
    .replace(/\s*\([^()]{0,40}\)$/, "")
    .replace(/[\s_#-]{0,3}\d{1,6}$/, "");
}
