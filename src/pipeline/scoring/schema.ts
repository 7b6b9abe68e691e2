import Type, { type Static } from "typebox";
import { Id, Severity, Wording } from "../rules/schema.ts";

const closed = { additionalProperties: false } as const;
const Points = Type.Number({ minimum: -1000, maximum: 1000 });
const NotNegative = Type.Number({ minimum: 0, maximum: 1000 });

/** What becomes of an item that has no points: `reweight` scores the call by the other items, `full` gives it its maximum. */
const Missing = Type.Union([Type.Literal("reweight"), Type.Literal("full")]);
export type Missing = Static<typeof Missing>;

const common = {
  id: Id,
  name: Wording,
  /**
   * Who fills the item: `machine` from findings; `machine-confirmed` likewise, and the score isn't complete until a person has decided
   * about each finding; `person` by marks alone.
   */
  by: Type.Union([Type.Literal("machine"), Type.Literal("machine-confirmed"), Type.Literal("person")]),
  /** The rules whose findings are this item's faults. */
  rules: Type.Optional(Type.Array(Id, { minItems: 1 })),
  /** Instead of `rules`: all rules of these severities. */
  severities: Type.Optional(Type.Array(Severity, { minItems: 1 })),
  /** A fault here, or a person's fail, zeroes the whole form or the item's group. */
  fatal: Type.Optional(Type.Union([Type.Literal("form"), Type.Literal("group")])),
  /** Instead of the form's. */
  notApplicable: Type.Optional(Missing),
};

/** Loses points for each fault; with `max: 0` it only takes from what its group has. */
export const DeductItem = Type.Object(
  {
    ...common,
    kind: Type.Literal("deduct"),
    max: Type.Optional(NotNegative),
    /** Points a fault, the same for all or by severity. */
    points: Type.Union([
      NotNegative,
      Type.Object(
        {
          notice: Type.Optional(NotNegative),
          general: Type.Optional(NotNegative),
          serious: Type.Optional(NotNegative),
          fatal: Type.Optional(NotNegative),
        },
        closed,
      ),
    ]),
    /** The most it may lose; without it `max`, or no bound where max is 0. */
    cap: Type.Optional(NotNegative),
    /** One line of the score per rule, called by the rule's id. */
    perRule: Type.Optional(Type.Boolean()),
  },
  closed,
);

/** Points by the number of faults, or a grade with a name that a person gives. */
export const LevelsItem = Type.Object(
  {
    ...common,
    kind: Type.Literal("levels"),
    /** Best first. */
    levels: Type.Array(
      Type.Object(
        {
          id: Type.Optional(Id),
          name: Type.Optional(Wording),
          /** Reached with at most so many faults; the last level has none and takes the rest. */
          upTo: Type.Optional(Type.Integer({ minimum: 0 })),
          points: NotNegative,
        },
        closed,
      ),
      { minItems: 2, maxItems: 50 },
    ),
    /** More faults than this of any single rule, and the item is at its last level. */
    anyOver: Type.Optional(Type.Integer({ minimum: 0 })),
  },
  closed,
);

/** Passed or failed; perhaps half passed. */
export const CheckItem = Type.Object(
  {
    ...common,
    kind: Type.Literal("check"),
    max: Type.Number({ exclusiveMinimum: 0, maximum: 1000 }),
    key: Type.Optional(Type.Boolean()),
    /** Part of the points in spite of a fault, by a person's mark or where one of the rules found something, e.g. corrected at once. */
    credits: Type.Optional(
      Type.Array(Type.Object({ id: Id, name: Wording, points: NotNegative, rules: Type.Optional(Type.Array(Id)) }, closed)),
    ),
  },
  closed,
);

/** Any number of points, given by a person. */
export const PointsItem = Type.Object(
  { ...common, kind: Type.Literal("points"), by: Type.Literal("person"), max: Type.Number({ exclusiveMinimum: 0, maximum: 1000 }) },
  closed,
);

/** Points on top, for each finding of a rule that shows something good, or by a person. */
export const BonusItem = Type.Object(
  { ...common, kind: Type.Literal("bonus"), points: NotNegative, /** The most it may bring. */ cap: NotNegative },
  closed,
);

/** Items by their kind. */
export const ITEM_KINDS = { deduct: DeductItem, levels: LevelsItem, check: CheckItem, points: PointsItem, bonus: BonusItem } as const;

export const Item = Type.Union([DeductItem, LevelsItem, CheckItem, PointsItem, BonusItem]);
export type Item = Static<typeof Item>;

const group = {
  id: Id,
  name: Wording,
  /** `base` and the maxima of the items add up to it. */
  max: NotNegative,
  /** Points that no item carries, there to be deducted from. Default 0. */
  base: Type.Optional(NotNegative),
  /** Deductions never take the group below it. Default 0. */
  floor: Type.Optional(Points),
  /** Whether a bonus may lift the group above its maximum. Default false. */
  bonusOverMax: Type.Optional(Type.Boolean()),
};
const size = { minItems: 1, maxItems: 200 };

export const Group = Type.Object({ ...group, items: Type.Array(Item, size) }, closed);
export type Group = Static<typeof Group>;

const Count = Type.Object(
  { atLeast: Type.Optional(Type.Integer({ minimum: 0 })), atMost: Type.Optional(Type.Integer({ minimum: 0 })) },
  closed,
);

/** All of these at once. Items counted are those of the kinds check, levels and points. */
export const OutcomeTest = Type.Object(
  {
    /** Items with all their points. */
    passed: Type.Optional(Count),
    /** Items with none of their points. */
    failed: Type.Optional(Count),
    keyFailed: Type.Optional(Count),
    nonKeyFailed: Type.Optional(Count),
    notApplicable: Type.Optional(Count),
    fatal: Type.Optional(Type.Boolean()),
    /** The faults of one item, found or counted by a person, e.g. dials until through. */
    faults: Type.Optional(Type.Object({ item: Id, atLeast: Type.Integer({ minimum: 1 }) }, closed)),
  },
  closed,
);
export type OutcomeTest = Static<typeof OutcomeTest>;

/** A question with named answers; the first whose test holds. */
export const Outcome = Type.Object(
  {
    id: Id,
    name: Wording,
    /** The last has no test. */
    results: Type.Array(
      Type.Object(
        { id: Id, name: Wording, when: Type.Optional(OutcomeTest), /** Instead of the band of the points. */ band: Type.Optional(Id) },
        closed,
      ),
      { minItems: 1, maxItems: 20 },
    ),
  },
  closed,
);
export type Outcome = Static<typeof Outcome>;

const form = {
  schema: Type.Literal("callsift.form/1"),
  id: Id,
  version: Type.Integer({ minimum: 1 }),
  name: Wording,
  description: Type.Optional(Wording),
  /** The maxima of the groups add up to it. */
  max: Type.Number({ exclusiveMinimum: 0, maximum: 1000 }),
  /** The total never falls below it. Default 0. */
  floor: Type.Optional(Points),
  /** Decimals of points, default 2. */
  decimals: Type.Optional(Type.Integer({ minimum: 0, maximum: 3 })),
  /** Every deduction times this; 0.1 makes a leader's sheet of an agent's. Default 1. */
  deductionFactor: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 10 })),
  /** Whether a bonus may lift the total above the maximum. Default false. */
  bonusOverMax: Type.Optional(Type.Boolean()),
  /** Default `reweight`, like the two below. */
  notApplicable: Type.Optional(Missing),
  /** Items that the machine could not judge. */
  notAssessed: Type.Optional(Missing),
  /** Items that a person has still to fill. */
  awaitingPerson: Type.Optional(Missing),
  /** Findings that zero the form, or the groups that have an item for their rule. */
  fatal: Type.Optional(
    Type.Object(
      {
        zeroes: Type.Union([Type.Literal("form"), Type.Literal("group")]),
        severities: Type.Optional(Type.Array(Severity)),
        rules: Type.Optional(Type.Array(Id)),
      },
      closed,
    ),
  ),
  /** Of what `from` and `below` are, default per cent of the maximum. */
  bandUnit: Type.Optional(Type.Union([Type.Literal("percent"), Type.Literal("points")])),
  /** From `from` on, and below `below` or the next band. */
  bands: Type.Array(Type.Object({ id: Id, name: Wording, from: Type.Number(), below: Type.Optional(Type.Number()) }, closed), {
    minItems: 1,
    maxItems: 20,
  }),
  outcomes: Type.Optional(Type.Array(Outcome, { maxItems: 10 })),
};
const groups = { minItems: 1, maxItems: 50 };

export const Form = Type.Object({ ...form, groups: Type.Array(Group, groups) }, closed);
/** A scoring form as data (domain.md §4). */
export type Form = Static<typeof Form>;

/** A form whose items are checked apart, each by its kind, so that a fault in one is told once and not per kind. */
export const FormWithoutItems = Type.Object(
  { ...form, groups: Type.Array(Type.Object({ ...group, items: Type.Array(Type.Unknown(), size) }, closed), groups) },
  closed,
);
