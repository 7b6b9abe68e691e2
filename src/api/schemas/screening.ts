import Type from "typebox";
import type { Screening as WholeScreening } from "../../pipeline/screening.ts";
import { type CallMetadata, DOUBTS, PROBLEM_CODES, TONE_KINDS, type Score as WholeScore } from "../../pipeline/types.ts";
import { oneOf, orNull } from "./common.ts";

const Ms = Type.Integer();
const Text = Type.String();
const Share = Type.Number();
const Optional = Type.Optional;
/** `[startMs, endMs]` */
const Span = Type.Array(Ms, { minItems: 2, maxItems: 2 });
const Spans = Type.Array(Span);
/** By name; what stands in it is plain. */
const AnyRecord = Type.Unsafe<Readonly<Record<string, unknown>>>({ type: "object", additionalProperties: true });
const StringRecord = Type.Unsafe<Readonly<Record<string, string>>>({ type: "object", additionalProperties: { type: "string" } });

export const CallRole = oneOf(["agent", "customer"]);
export const Severity = oneOf(["notice", "general", "serious", "fatal"]);
export const Layout = oneOf(["split", "mixed", "dual-mono", "one-sided", "silent"]);
export const TriageQueue = oneOf(["review", "pass", "unusable"]);

/** What is known of a call beside its sound (contracts.md §3). */
export const Metadata = Type.Unsafe<CallMetadata>(
  Type.Object({
    callId: Optional(Text),
    agentId: Optional(Text),
    agentName: Optional(Text),
    team: Optional(Text),
    queue: Optional(Text),
    product: Optional(Text),
    direction: Optional(Text),
    startedAt: Optional(Text),
    answeredAt: Optional(Text),
    endedAt: Optional(Text),
    customerNumber: Optional(Text),
    hangupParty: Optional(oneOf(["agent", "customer", "system"])),
    satisfaction: Optional(Type.Number()),
    agentChannel: Optional(Type.Integer()),
    tags: Optional(Type.Array(Text)),
    legs: Optional(Type.Object({ agent: Text, customer: Text })),
  }),
);

const Recording = Type.Object({
  name: Text,
  sha256: Text,
  bytes: Type.Integer(),
  codec: Text,
  sampleRate: Type.Integer(),
  channels: Type.Integer(),
  durationMs: Ms,
});

const Audio = Type.Object({
  layout: Layout,
  agentChannel: orNull(Type.Integer()),
  roleSource: oneOf(["option", "metadata", "transcript", "speech", "none"]),
  roleConfidence: Share,
  problems: Type.Array(Type.Object({ code: oneOf(PROBLEM_CODES), channel: orNull(Type.Integer()), detail: Text, unfit: Type.Boolean() })),
  tones: Type.Array(Type.Object({ kind: oneOf(TONE_KINDS), channel: Type.Integer(), startMs: Ms, endMs: Ms })),
  voices: orNull(
    Type.Object({
      told: Type.Boolean(),
      silhouette: orNull(Type.Number()),
      eigengap: orNull(Type.Number()),
      reason: orNull(Text),
    }),
  ),
  channels: Type.Array(
    Type.Object({ channel: Type.Integer(), speech: Spans, speechLevelDb: orNull(Type.Number()), snrDb: orNull(Type.Number()) }),
  ),
});

const Word = Type.Object({ text: Text, startMs: Ms, endMs: Ms, confidence: Optional(Share) });

const Utterance = Type.Object({
  role: orNull(CallRole),
  channel: orNull(Type.Integer()),
  speaker: Optional(Text),
  startMs: Ms,
  endMs: Ms,
  text: Text,
  confidence: orNull(Share),
  words: Type.Array(Word),
  timing: oneOf(["exact", "estimated"]),
  tags: Optional(StringRecord),
});

const DoubtfulStretch = Type.Object({
  role: orNull(CallRole),
  channel: orNull(Type.Integer()),
  speaker: Optional(Text),
  startMs: Ms,
  endMs: Ms,
  text: Text,
  confidence: orNull(Share),
  doubt: oneOf(DOUBTS),
});

const Hearing = Type.Object({
  role: orNull(CallRole),
  channel: orNull(Type.Integer()),
  speaker: Optional(Text),
  startMs: Ms,
  endMs: Ms,
  phrase: Text,
  wording: Text,
  written: Text,
  check: oneOf(["confirm", "search"]),
  said: Type.Boolean(),
  margin: orNull(Type.Number()),
});

/** Words, or why there are none; one object, so that a long transcript is written without being tried against branches. */
const Transcript = Type.Object(
  {
    engine: Optional(Text),
    model: Optional(orNull(Text)),
    language: Optional(oneOf(["zh", "en"])),
    dropsHesitations: Optional(Type.Boolean()),
    utterances: Optional(Type.Array(Utterance)),
    doubtful: Optional(Type.Array(DoubtfulStretch)),
    hearings: Optional(Type.Array(Hearing)),
    status: Optional(Type.Literal("not-available")),
    reason: Optional(Text),
  },
  { description: "`engine`, `model`, `language` and `utterances`; or `status: not-available` with the `reason`." },
);

const Metrics = Type.Object({
  agentTalkMs: orNull(Ms),
  customerTalkMs: orNull(Ms),
  overlapMs: orNull(Ms),
  silenceMs: Ms,
  longestSilenceMs: Ms,
  firstAgentSpeechMs: orNull(Ms),
  agentCharsPerMinute: orNull(Type.Number()),
  turns: orNull(Type.Integer()),
  estimated: Optional(Type.Boolean()),
});

const Finding = Type.Object({
  id: Text,
  rule: Text,
  ruleVersion: Type.Integer(),
  operator: Text,
  severity: Severity,
  role: orNull(CallRole),
  startMs: Ms,
  endMs: Ms,
  quote: orNull(Text),
  confidence: Share,
  counts: Type.Boolean({ description: "false: shown and queued, deducts nothing until a person confirms it" }),
  data: AnyRecord,
});

/** A score by a form; the machine's or the final one. */
export const Score = Type.Unsafe<WholeScore>(
  Type.Object({
    form: Text,
    version: Type.Integer(),
    total: Type.Number(),
    max: Type.Number(),
    band: Text,
    fatal: Type.Boolean(),
    complete: Type.Boolean(),
    items: Type.Array(
      Type.Object({
        item: Text,
        points: orNull(Type.Number()),
        max: Type.Number(),
        by: oneOf(["machine", "person"]),
        status: oneOf(["assessed", "not-assessed", "not-applicable", "awaiting-person"]),
        findings: Type.Array(Text),
        group: Optional(Text),
        reason: Optional(Text),
      }),
    ),
    groups: Optional(Type.Array(Type.Object({ group: Text, points: Type.Number(), max: Type.Number() }))),
    outcomes: Optional(StringRecord),
  }),
);

/** One screened call, contracts.md §2. */
export const Screening = Type.Unsafe<WholeScreening>(
  Type.Object(
    {
      schema: Type.Literal("callsift.screening/1"),
      recording: Recording,
      status: Type.Literal("scored"),
      error: Type.Null(),
      recipe: Text,
      policy: Text,
      audio: Audio,
      speech: orNull(Type.Object({ agent: Spans, customer: Spans })),
      transcript: Transcript,
      metrics: Metrics,
      findings: Type.Array(Finding),
      notAssessed: Type.Array(Type.Object({ rule: Text, reason: Text, detail: Optional(Text) })),
      score: Score,
      triage: Type.Object({ queue: TriageQueue, priority: Type.Number(), reasons: Type.Array(Text) }),
      timings: Type.Object({
        probeMs: Type.Number(),
        transcodeMs: Type.Number(),
        vadMs: Type.Number(),
        transcribeMs: Type.Number(),
        scoreMs: Type.Number(),
        totalMs: Type.Number(),
      }),
    },
    { title: "callsift.screening/1" },
  ),
);
