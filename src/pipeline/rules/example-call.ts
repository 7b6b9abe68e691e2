import type { OperatorCall } from "../operators/define.ts";
import { indexTranscript } from "../text/index-text.ts";
import type { CallMetadata, ChannelSound, Language, Role, Span, SpeechLevel, Tone, Transcript, Utterance, Word } from "../types.ts";
import type { Example } from "./schema.ts";

/** How examples are spoken: at a quiet pace, with short pauses, at an ordinary level. */
const START_MS = 500;
const BETWEEN_MS = 300;
const MS_PER_HAN = 250;
const MS_PER_WORD = 400;
const LEVEL_DB = -22;
const LEVEL_STRETCH_MS = 1000;

const CHANNEL = { agent: 0, customer: 1 } as const satisfies Record<Role, number>;

type ExampleObject = Exclude<Example, string>;
type Line = NonNullable<ExampleObject["utterances"]>[number];

/**
 * The call that an example describes: split sides, roles known, words timed evenly. Lines that are not of the form of an example
 * are told in `faults`.
 */
export function exampleCall(example: Example, language: Language | undefined): { call: OperatorCall; faults: string[] } {
  const given: ExampleObject = typeof example === "string" ? { lines: example } : example;
  const { lines, faults, endMs } = readLines(given.lines ?? "");
  const spoken = [...lines, ...(given.utterances ?? [])].sort((a, b) => a.startMs - b.startMs);
  const utterances = spoken.map(utterance);
  const speech = { agent: speechOf("agent", spoken, given), customer: speechOf("customer", spoken, given) };
  const lastMs = Math.max(
    endMs,
    ...[...speech.agent, ...speech.customer].map((span) => span[1]),
    ...(given.tones ?? []).map((tone) => tone.endMs),
  );
  const layout = given.layout ?? "split";
  const detected = language ?? (/\p{Script=Han}/u.test(spoken.map(({ text }) => text).join("")) ? "zh" : "en");
  const transcript: Transcript = { engine: "example", model: null, language: detected, utterances };
  const known = given.transcript !== false;
  const split = layout === "split";
  return {
    faults,
    call: {
      language: detected,
      durationMs: given.durationMs ?? lastMs + START_MS,
      layout,
      roleSource: split || known ? "option" : "none",
      agentChannel: split ? CHANNEL.agent : null,
      // Checked where metadata are read from files; an example's are its author's.
      metadata: (given.metadata ?? {}) as CallMetadata,
      problems: [],
      tones: (given.tones ?? []).map(({ role = "customer", ...tone }): Tone => ({ ...tone, channel: CHANNEL[role] })),
      channels: (["agent", "customer"] as const).map((role) => channel(role, speech[role], given.levels?.[role])),
      speech: split ? speech : null,
      transcript: known ? transcript : { status: "not-available", reason: "the example has no words" },
      text: known ? indexTranscript(utterances) : null,
    },
  };
}

const LINE = /^(agent|坐席|客服|customer|客户|caller)\s*[:：]\s*(\S.*)$/iu;
const PAUSE = /^(?:pause|停顿)\s*(\d+(?:\.\d+)?)\s*(?:s|秒)?$/iu;

function readLines(text: string): { lines: Line[]; faults: string[]; endMs: number } {
  const lines: Line[] = [];
  const faults: string[] = [];
  let atMs = START_MS;
  for (const raw of text.split(/\r?\n/)) {
    const line = raw.trim();
    if (line === "") continue;
    const pause = PAUSE.exec(line);
    const said = LINE.exec(line);
    if (pause) atMs += Math.round(Number(pause[1]) * 1000) - BETWEEN_MS;
    else if (said) {
      const role = /^(customer|客户|caller)$/iu.test(said[1] ?? "") ? "customer" : "agent";
      const words = said[2] ?? "";
      const endMs = atMs + tokens(words).reduce((sum, token) => sum + (isHan(token) ? MS_PER_HAN : MS_PER_WORD), 0);
      lines.push({ role, startMs: atMs, endMs, text: words });
      atMs = endMs + BETWEEN_MS;
    } else faults.push(`"agent: …", "customer: …" or "pause 9" expected, ${JSON.stringify(line)} came`);
  }
  return { lines, faults, endMs: Math.max(START_MS, atMs - BETWEEN_MS) };
}

/** One Chinese character or one word each, punctuation left out. */
function tokens(text: string): string[] {
  return [...text.matchAll(/\p{Script=Han}|[\p{L}\p{N}%]+(?:['’.-][\p{L}\p{N}]+)*/gu)].map(([token]) => token);
}

function isHan(token: string): boolean {
  return /^\p{Script=Han}$/u.test(token);
}

function utterance({ role, startMs, endMs, text }: Line): Utterance {
  const spread = tokens(text);
  const words = spread.map((token, i): Word => {
    const at = (n: number) => startMs + Math.round(((endMs - startMs) * n) / spread.length);
    return { text: token, startMs: at(i), endMs: at(i + 1) };
  });
  // Exact as far as a rule can tell: an example is timed by its author.
  return { role, channel: CHANNEL[role], startMs, endMs, text, confidence: 1, words, timing: "exact" };
}

function speechOf(role: Role, spoken: readonly Line[], { speech }: ExampleObject): readonly Span[] {
  if (speech) return speech[role] ?? [];
  return spoken.filter((line) => line.role === role && line.endMs > line.startMs).map(({ startMs, endMs }): Span => [startMs, endMs]);
}

function channel(role: Role, speech: readonly Span[], given: readonly (readonly [number, number, number])[] | undefined): ChannelSound {
  const steady = speech.flatMap(([startMs, endMs]): SpeechLevel[] =>
    Array.from({ length: Math.ceil((endMs - startMs) / LEVEL_STRETCH_MS) }, (_, i) => ({
      startMs: startMs + i * LEVEL_STRETCH_MS,
      endMs: Math.min(endMs, startMs + (i + 1) * LEVEL_STRETCH_MS),
      levelDb: LEVEL_DB,
    })),
  );
  return {
    channel: CHANNEL[role],
    speech,
    speechLevels: given?.map(([startMs, endMs, levelDb]) => ({ startMs, endMs, levelDb })) ?? steady,
    speechLevelDb: speech.length > 0 ? LEVEL_DB : null,
    snrDb: null,
  };
}
