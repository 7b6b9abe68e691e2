import Type, { type Static } from "typebox";

/** Same text in the reader's language. */
export const Wording = Type.Object(
  { zh: Type.String({ minLength: 1 }), en: Type.String({ minLength: 1 }) },
  { additionalProperties: false },
);
export type Wording = Static<typeof Wording>;

/** Ids of rules, forms, groups, items: what a URL, a CSV column and a CSS class can all hold. */
export const Id = Type.String({ pattern: "^[a-z][a-z0-9]*(-[a-z0-9]+)*$", maxLength: 64 });

export const Severity = Type.Union([Type.Literal("notice"), Type.Literal("general"), Type.Literal("serious"), Type.Literal("fatal")]);

const Role = Type.Union([Type.Literal("agent"), Type.Literal("customer")]);
const Ms = Type.Integer({ minimum: 0 });
const SpanPair = Type.Tuple([Ms, Ms]);
const Sides = <T extends Type.TSchema>(of: T) =>
  Type.Object({ agent: Type.Optional(of), customer: Type.Optional(of) }, { additionalProperties: false });

/**
 * A small call of which a rule must, or must not, find something. A text has a line per utterance, `agent: …` or `customer: …`
 * (坐席：… 客户：…), and lines `pause 9` for seconds of silence; an object gives what a text cannot.
 */
export const Example = Type.Union([
  Type.String({ minLength: 1 }),
  Type.Object(
    {
      name: Type.Optional(Type.String()),
      /** As a text example. */
      lines: Type.Optional(Type.String({ minLength: 1 })),
      /** How many findings exactly; without it, a must-hit needs one at least. */
      count: Type.Optional(Type.Integer({ minimum: 1 })),
      durationMs: Type.Optional(Ms),
      layout: Type.Optional(
        Type.Union([
          Type.Literal("split"),
          Type.Literal("mixed"),
          Type.Literal("dual-mono"),
          Type.Literal("one-sided"),
          Type.Literal("silent"),
        ]),
      ),
      utterances: Type.Optional(
        Type.Array(Type.Object({ role: Role, startMs: Ms, endMs: Ms, text: Type.String() }, { additionalProperties: false })),
      ),
      /** Without it, the utterances' own times. */
      speech: Type.Optional(Sides(Type.Array(SpanPair))),
      /** `[startMs, endMs, dBFS]`. */
      levels: Type.Optional(Sides(Type.Array(Type.Tuple([Ms, Ms, Type.Number()])))),
      tones: Type.Optional(
        Type.Array(
          Type.Object(
            {
              kind: Type.Union([
                Type.Literal("ring-back"),
                Type.Literal("busy"),
                Type.Literal("dtmf"),
                Type.Literal("fax"),
                Type.Literal("beep"),
                Type.Literal("music"),
              ]),
              role: Type.Optional(Role),
              startMs: Ms,
              endMs: Ms,
            },
            { additionalProperties: false },
          ),
        ),
      ),
      metadata: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
      /** false: as an engine without words leaves it. */
      transcript: Type.Optional(Type.Boolean()),
    },
    { additionalProperties: false },
  ),
]);
export type Example = Static<typeof Example>;

/** Deepest nesting of `all`, `any` and `not`. */
export const MAX_CONDITION_DEPTH = 8;

/** One question to a call. */
export interface OperatorCondition {
  readonly operator: string;
  readonly options?: Readonly<Record<string, unknown>>;
}

/**
 * When a rule fires. Each part comes out true with its detections, false, or unknown because the call lacks what it needs.
 *
 * - an operator is true where it detects something
 * - `any` is true where one part is; its detections are those of all true parts. Unknown where none is true and one unknown
 * - `all` is true where every part is; its detections are those of the first part that is no `not` (the anchor). False where one
 *   part is, else unknown where one is
 * - `all` with `within` (seconds) keeps only the anchor's detections that lie at most so far from a detection of every other
 *   part, and at least so far from those of a `not` part; true where one is left
 * - `not` is true where its part is false, with one detection that spans the call
 */
export type Condition =
  | OperatorCondition
  | { readonly any: readonly Condition[] }
  | { readonly all: readonly Condition[]; readonly within?: number }
  | { readonly not: Condition };

export const Rule = Type.Object(
  {
    id: Id,
    version: Type.Integer({ minimum: 1 }),
    severity: Severity,
    name: Wording,
    description: Type.Optional(Wording),
    /** Default true. */
    enabled: Type.Optional(Type.Boolean()),
    /** A condition; checked apart, because it nests. */
    when: Type.Unknown(),
    /** Below this confidence a finding doesn't count; without it, the policy's threshold of the severity. */
    minConfidence: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
    /** 0–100: what a certain finding is worth in the queue; without it, by severity (triage.ts). */
    priority: Type.Optional(Type.Number({ minimum: 0, maximum: 100 })),
    /** Instead of the operator's own messages; `{name}` takes a value of the finding. */
    wording: Type.Optional(Wording),
    /** What the agent could do better. */
    suggestion: Type.Optional(Wording),
    examples: Type.Optional(
      Type.Object({ hit: Type.Optional(Type.Array(Example)), miss: Type.Optional(Type.Array(Example)) }, { additionalProperties: false }),
    ),
  },
  { additionalProperties: false },
);
export type Rule = Omit<Static<typeof Rule>, "when"> & { readonly when: Condition };

export const RuleFile = Type.Object(
  {
    schema: Type.Literal("callsift.rules/1"),
    language: Type.Optional(Type.Union([Type.Literal("zh"), Type.Literal("en")])),
    rules: Type.Array(Rule, { minItems: 1, maxItems: 2000 }),
  },
  { additionalProperties: false },
);

/** A rule file. Rules that read words apply to calls in `language`, or to all calls without it. */
export type RuleSet = Omit<Static<typeof RuleFile>, "rules"> & {
  readonly rules: readonly Rule[];
  /** What messages call it, e.g. its file name. */
  readonly where: string;
};
