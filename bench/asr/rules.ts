import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type GeneratedCall, generateCalls, type Truth } from "../../fixtures/generate.ts";
import { MIN_CONFIDENCE, PIECE_TIMEOUT_MS } from "../../src/pipeline/asr/engines.ts";
import type { Recogniser } from "../../src/pipeline/asr/recogniser.ts";
import { createSoundTranscriber } from "../../src/pipeline/asr/sound-transcriber.ts";
import { createListener } from "../../src/pipeline/audio/listen.ts";
import { findMetadata } from "../../src/pipeline/metadata.ts";
import { openPolicies, type Policies } from "../../src/pipeline/policies.ts";
import type { Screening } from "../../src/pipeline/screening.ts";
import { screen } from "../../src/pipeline/stages.ts";
import type { Finding, Span } from "../../src/pipeline/types.ts";
import { openVoices } from "../../src/pipeline/voices/open.ts";
import type { Row } from "../report.ts";
import { quantile } from "./times.ts";

type Expected = Truth["expected"][number];

/** An event's start may be so far off, ms: the 250 that the truth allows itself, and as much for the recogniser. */
const TOLERANCE_MS = 500;
const CALLS = fileURLToPath(new URL("../../fixtures/calls/", import.meta.url));

/** An expected event that was not found. */
export interface Missed {
  readonly call: string;
  readonly event: Expected;
  /** The rule's own answer, where it had one. */
  readonly notAssessed: string | null;
  /** What was written around the event, doubtful stretches in brackets. */
  readonly around: string;
}

/** A finding that no event explains. */
export interface Invented {
  readonly call: string;
  readonly finding: Finding;
  readonly around: string;
}

/** Findings of the rules that read words, against the truth of generated calls. */
export interface RulesOutcome {
  readonly calls: number;
  readonly found: readonly { readonly call: string; readonly finding: Finding; readonly offMs: number | null }[];
  readonly missed: readonly Missed[];
  readonly invented: readonly Invented[];
  /** Calls whose agent is on another side than was thought, and those of which nothing was thought. */
  readonly sidesWrong: readonly string[];
  readonly sidesUnknown: readonly string[];
}

/** The fixture calls. */
export function fixtureCalls(): Promise<GeneratedCall[]> {
  return generateCalls(CALLS);
}

/** Screens calls from their sound alone. */
export async function rulesFromSound(
  recogniser: Recogniser,
  generated: readonly GeneratedCall[],
  onCall: (name: string) => void = () => {},
): Promise<RulesOutcome> {
  const policies = await openPolicies({ ruleFiles: [], form: "deduction-20" });
  await using listener = createListener({ workers: 1 });
  await using voices = await openVoices();
  const transcriber = createSoundTranscriber(recogniser, { minConfidence: MIN_CONFIDENCE, pieceTimeoutMs: PIECE_TIMEOUT_MS });
  const outcome = {
    calls: 0,
    found: [] as RulesOutcome["found"][number][],
    missed: [] as Missed[],
    invented: [] as Invented[],
    sidesWrong: [] as string[],
    sidesUnknown: [] as string[],
  };
  for (const call of generated) {
    onCall(call.name);
    const deps = { listener, transcriber, voices, policyFor: policies.policyFor };
    const metadata = (await findMetadata(call.recording)) ?? {};
    const screening = await screen(
      { source: sourceOf(call, metadata.legs), metadata, transcriptPath: null, agentChannel: "auto", language: "auto" },
      deps,
    );
    outcome.calls++;
    const { agentChannel } = screening.audio;
    if (call.truth.agentChannel !== null && agentChannel === null) outcome.sidesUnknown.push(call.name);
    else if (call.truth.agentChannel !== null && agentChannel !== call.truth.agentChannel) outcome.sidesWrong.push(call.name);
    const held = hold(screening, call.truth, policies);
    outcome.found.push(...held.found);
    outcome.missed.push(...held.missed);
    outcome.invented.push(...held.invented);
  }
  return outcome;
}

/** The outcome as rows of a report. @param name of the calls */
export function rulesRows({ calls, found, missed, invented, sidesWrong, sidesUnknown }: RulesOutcome, name: string): Row[] {
  const events = found.length + missed.length;
  const share = found.length / events;
  const silent = missed.filter(({ notAssessed }) => notAssessed === null);
  const counting = invented.filter(({ finding }) => finding.counts);
  const offs = found.flatMap(({ offMs }) => (offMs === null ? [] : [Math.abs(offMs)]));
  return [
    {
      what: `events of rules that read words, from sound alone, ${calls} ${name}`,
      measured: `${found.length} of ${events} found (${(100 * share).toFixed(1)} %), ${found.filter(({ finding }) => !finding.counts).length} of them without counting`,
      bar: ">= 85.0 %",
      met: share >= 0.85,
    },
    { what: "  missed and not said so", measured: String(silent.length), bar: "0", met: silent.length === 0 },
    {
      what: "  invented, and of those that count",
      measured: `${invented.length}, ${counting.length}`,
      bar: "<= 1, 0",
      met: invented.length <= 1 && counting.length === 0,
    },
    {
      what: "  start of what was found, off",
      measured: `median ${quantile(offs, 0.5)} ms, p95 ${quantile(offs, 0.95)} ms`,
      bar: "",
      met: null,
    },
    { what: "  agent's side", measured: `wrong in ${sidesWrong.length}, unknown in ${sidesUnknown.length}`, bar: "", met: null },
  ];
}

function sourceOf({ name, recording }: GeneratedCall, legs: { agent: string; customer: string } | undefined) {
  const folder = dirname(recording);
  return {
    name,
    path: recording,
    ...(legs && { legs: { agent: join(folder, legs.agent), customer: join(folder, legs.customer) } }),
  };
}

/** Pairs each event of a rule that reads words with the nearest unused finding, as bench/accuracy.ts does for all rules. */
export function hold(screening: Screening, truth: Truth, { policyFor }: Policies): Pick<RulesOutcome, "found" | "missed" | "invented"> {
  const reads = new Set(policyFor(truth.language).rules.flatMap(({ id, readsWords }) => (readsWords ? [id] : [])));
  const unused = new Set(screening.findings.filter(({ rule }) => reads.has(rule) && !truth.unjudged.includes(rule)));
  const found: RulesOutcome["found"][number][] = [];
  const missed: Missed[] = [];
  for (const event of truth.expected.filter(({ rule }) => reads.has(rule))) {
    const [near] = [...unused]
      .filter((finding) => finding.rule === event.rule && fits(finding, event))
      .sort((a, b) => off(a, event) - off(b, event));
    if (near) {
      unused.delete(near);
      found.push({
        call: truth.name,
        finding: near,
        offMs: event.match === "start" && event.startMs !== null ? near.startMs - event.startMs : null,
      });
    } else {
      const why = screening.notAssessed.find(({ rule }) => rule === event.rule);
      missed.push({
        call: truth.name,
        event,
        notAssessed: why?.reason ?? null,
        around: around(screening, [event.startMs ?? 0, event.endMs ?? screening.recording.durationMs]),
      });
    }
  }
  const invented = [...unused].map((finding) => ({
    call: truth.name,
    finding,
    around: around(screening, [finding.startMs, finding.endMs]),
  }));
  return { found, missed, invented };
}

function fits({ startMs, endMs }: Finding, event: Expected): boolean {
  if (event.match === "call" || event.startMs === null) return true;
  if (event.match === "start") return Math.abs(startMs - event.startMs) <= TOLERANCE_MS;
  return startMs < (event.endMs ?? event.startMs + 1) && endMs > event.startMs;
}

function off({ startMs }: Finding, event: Expected): number {
  return Math.abs(startMs - (event.startMs ?? startMs));
}

/** What is written from 3 s before to 3 s after. */
function around({ transcript }: Screening, [startMs, endMs]: Span): string {
  if (!("utterances" in transcript)) return transcript.reason;
  const near = (line: { readonly startMs: number; readonly endMs: number }): boolean =>
    line.startMs < endMs + 3_000 && line.endMs > startMs - 3_000;
  const lines = [
    ...transcript.utterances.filter(near).map((line) => ({ ...line, shown: line.text })),
    ...(transcript.doubtful ?? []).filter(near).map((line) => ({ ...line, shown: `[${line.doubt}: ${line.text}]` })),
  ].sort((a, b) => a.startMs - b.startMs);
  const hearings = (transcript.hearings ?? [])
    .filter(near)
    .map((hearing) => `{${hearing.check} ${hearing.wording} for ${hearing.written}: ${hearing.said ? "said" : "not"} ${hearing.margin}}`);
  return [...lines.map((line) => `${line.role ?? "?"} ${line.startMs}: ${line.shown}`), ...hearings].join(" / ");
}
