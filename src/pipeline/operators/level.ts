import Type from "typebox";
import { union } from "../timeline.ts";
import type { ChannelSound, Detection, Role, Span, SpeechLevel } from "../types.ts";
import { defineOperator, type OperatorCall } from "./define.ts";
import { noSpeech, SIDES_UNKNOWN, toMs } from "./speech.ts";
import { roleOption } from "./wording.ts";

/** Shorter stretches are ends of words, whose level says nothing. */
const MIN_STRETCH_MS = 300;
/** Between stretches of one passage of speech at most. */
const MAX_PAUSE_MS = 1000;

/** Speaks too loud, too softly, or suddenly louder (domain.md D-13). Levels are dB relative to a full-scale square wave. */
export const level = defineOperator({
  id: "level",
  description: { zh: "音量过大、过小或突然升高", en: "Speaks too loud, too softly, or suddenly much louder" },
  options: Type.Object(
    {
      role: roleOption("Whose voice.", "agent"),
      maxLevelDb: Type.Number({
        description: "Loudest mean level of speech that is no finding, in dBFS.",
        minimum: -60,
        maximum: 0,
        default: -9,
      }),
      minLevelDb: Type.Number({
        description: "Softest mean level of speech that is no finding, in dBFS.",
        minimum: -90,
        maximum: 0,
        default: -38,
      }),
      maxRiseDb: Type.Number({
        description: "Largest rise over the median of the side's own speech that is no finding, in dB.",
        minimum: 1,
        maximum: 60,
        default: 12,
      }),
      minRiseSeconds: Type.Number({
        description: "Shortest rise that is a finding, in seconds of speech.",
        minimum: 0.3,
        maximum: 60,
        default: 2,
      }),
      minSpeechSeconds: Type.Number({
        description: "Less measured speech than this is too little to judge by, in seconds.",
        minimum: 1,
        maximum: 3600,
        default: 5,
      }),
    },
    { additionalProperties: false },
  ),
  needs: () => ["sides"],
  // The line, not the speaker, made those levels.
  unfitFor: () => ["clipping", "too-low", "too-hot", "cross-talk", "noise", "hum"],
  messages: {
    found: { zh: "音量异常：{levelDb} dBFS", en: "unusual level: {levelDb} dBFS" },
    "too-loud": { zh: "音量过大：{levelDb} dBFS，上限 {limitDb}", en: "too loud: {levelDb} dBFS, limit {limitDb}" },
    "too-soft": { zh: "音量过小：{levelDb} dBFS，下限 {limitDb}", en: "too soft: {levelDb} dBFS, limit {limitDb}" },
    rise: { zh: "音量突然升高 {riseDb} dB", en: "suddenly {riseDb} dB louder" },
  },
  prepare({ role, maxLevelDb, minLevelDb, maxRiseDb, minRiseSeconds, minSpeechSeconds }) {
    return (call) => {
      const channel = channelOf(call, role);
      if (!channel) return SIDES_UNKNOWN;
      const levels = channel.speechLevels.filter(({ startMs, endMs }) => endMs - startMs >= MIN_STRETCH_MS);
      const head = levels[0];
      const tail = levels.at(-1);
      const measuredMs = durationMs(levels);
      if (channel.speech.length === 0) return noSpeech(role);
      if (!head || !tail || measuredMs < toMs(minSpeechSeconds)) {
        return { notAssessed: "too-little-speech", detail: `${Math.round(measuredMs / 1000)} s of measured speech` };
      }
      const found: Detection[] = [];
      const meanDb = meanLevelDb(levels);
      const outside = meanDb > maxLevelDb ? "too-loud" : meanDb < minLevelDb ? "too-soft" : null;
      if (outside) {
        const limitDb = outside === "too-loud" ? maxLevelDb : minLevelDb;
        found.push({
          role,
          startMs: head.startMs,
          endMs: tail.endMs,
          quote: null,
          confidence: 0.8,
          data: { kind: outside, levelDb: toDecibel(meanDb), limitDb },
        });
      }
      const medianDb = weightedMedianDb(levels);
      for (const [startMs, endMs] of rises(levels, medianDb + maxRiseDb, toMs(minRiseSeconds))) {
        const raisedDb = meanLevelDb(levels.filter((stretch) => stretch.startMs >= startMs && stretch.endMs <= endMs));
        found.push({
          role,
          startMs,
          endMs,
          quote: null,
          confidence: 0.8,
          data: {
            kind: "rise",
            riseDb: toDecibel(raisedDb - medianDb),
            limitDb: maxRiseDb,
            levelDb: toDecibel(raisedDb),
            medianDb: toDecibel(medianDb),
          },
        });
      }
      return found.sort((a, b) => a.startMs - b.startMs);
    };
  },
});

function channelOf(call: OperatorCall, role: Role): ChannelSound | undefined {
  if (call.agentChannel === null || !call.speech) return undefined;
  return call.channels.find(({ channel }) => (channel === call.agentChannel) === (role === "agent"));
}

/** Stretches in a row, all louder than the limit, that last long enough. */
function rises(levels: readonly SpeechLevel[], limitDb: number, minMs: number): Span[] {
  const runs: SpeechLevel[][] = [];
  let run: SpeechLevel[] = [];
  for (const stretch of levels) {
    const before = run.at(-1);
    const goesOn = stretch.levelDb > limitDb && (!before || stretch.startMs - before.endMs <= MAX_PAUSE_MS);
    if (!goesOn && run.length > 0) {
      runs.push(run);
      run = [];
    }
    if (stretch.levelDb > limitDb) run.push(stretch);
  }
  runs.push(run);
  return union(runs.filter((one) => durationMs(one) >= minMs).map((one): Span => [one[0]?.startMs ?? 0, one.at(-1)?.endMs ?? 0]));
}

function durationMs(levels: readonly SpeechLevel[]): number {
  return levels.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0);
}

/** Mean of power over time. */
function meanLevelDb(levels: readonly SpeechLevel[]): number {
  const energy = levels.reduce((sum, { startMs, endMs, levelDb }) => sum + 10 ** (levelDb / 10) * (endMs - startMs), 0);
  return 10 * Math.log10(energy / durationMs(levels));
}

function weightedMedianDb(levels: readonly SpeechLevel[]): number {
  const half = durationMs(levels) / 2;
  let passedMs = 0;
  const sorted = [...levels].sort((a, b) => a.levelDb - b.levelDb);
  for (const { startMs, endMs, levelDb } of sorted) {
    passedMs += endMs - startMs;
    if (passedMs >= half) return levelDb;
  }
  return sorted.at(-1)?.levelDb ?? 0;
}

function toDecibel(value: number): number {
  return Math.round(value * 10) / 10;
}
