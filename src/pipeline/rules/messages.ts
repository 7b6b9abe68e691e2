import type { Messages, Operator } from "../operators/define.ts";
import type { Detection, Finding, Language, NotAssessed } from "../types.ts";
import { REASONS } from "./needs.ts";
import type { CompiledRule } from "./policy.ts";

/** Where the words for findings come from: the rule's own wording, else its operator's. */
export interface MessageTable {
  readonly operators: Readonly<Record<string, Operator["messages"]>>;
  /** By rule id. */
  readonly rules?: Readonly<Record<string, Messages>>;
}

/** The message table of some operators and rules. */
export function messageTable(
  operators: Readonly<Record<string, Pick<Operator, "messages">>>,
  rules: readonly CompiledRule[] = [],
): MessageTable {
  return {
    operators: Object.fromEntries(Object.entries(operators).map(([id, { messages }]) => [id, messages])),
    rules: Object.fromEntries(rules.flatMap(({ id, rule }) => (rule.wording ? [[id, rule.wording] as const] : []))),
  };
}

/** Kinds that a rule's own wording would not be true of: it says that something was said. */
const NOT_SURELY_SAID: readonly string[] = ["heard", "unconfirmed"];

/**
 * What a finding says, in the reader's language. `{name}` in a template takes the finding's datum of that name; `{quote}`, `{role}`,
 * `{start}`, `{end}` (m:ss), `{seconds}` (its length) and `{confidence}` (per cent) are always there, unless the data name them too.
 */
export function renderFinding(finding: Finding, { operators, rules = {} }: MessageTable, language: Language): string {
  const ofOperator = ownEntry(operators, finding.operator);
  const kind = String(finding.data.kind ?? "found");
  const ofRule = NOT_SURELY_SAID.includes(kind) ? undefined : ownEntry(rules, finding.rule);
  const template = ofRule ?? (ofOperator && (ownEntry(ofOperator, kind) ?? ofOperator.found));
  return template ? renderTemplate(template[language], finding, language) : finding.rule;
}

/** Fills one template with a detection's values; what it lacks becomes a dash. */
export function renderTemplate(template: string, detection: Detection, language: Language): string {
  const values: Detection["data"] = { ...commonValues(detection, language), ...detection.data };
  return template.replace(/\{(\w+)\}/g, (_whole, name: string) => {
    const value = ownEntry(values, name);
    return value === undefined || value === null ? "–" : typeof value === "number" ? String(Math.round(value * 100) / 100) : String(value);
  });
}

/** Why a rule could not judge a call, in the reader's language. */
export function renderNotAssessed({ reason, detail }: NotAssessed, language: Language): string {
  const words = ownEntry<Readonly<Record<Language, string>>>(REASONS, reason)?.[language] ?? reason;
  return detail ? `${words}${language === "zh" ? "：" : ": "}${detail}` : words;
}

const ROLES = { zh: { agent: "坐席", customer: "客户" }, en: { agent: "agent", customer: "customer" } } as const;

function commonValues({ role, startMs, endMs, quote, confidence }: Detection, language: Language): Detection["data"] {
  return {
    quote,
    role: role ? ROLES[language][role] : null,
    start: clock(startMs),
    end: clock(endMs),
    seconds: Math.round((endMs - startMs) / 100) / 10,
    confidence: Math.round(confidence * 100),
  };
}

function clock(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

function ownEntry<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}
