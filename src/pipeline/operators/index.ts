import { callClass } from "./call-class.ts";
import type { Operator } from "./define.ts";
import { hold } from "./hold.ts";
import { interruption } from "./interruption.ts";
import { level } from "./level.ts";
import { metadata } from "./metadata.ts";
import { phrase } from "./phrase.ts";
import { rate } from "./rate.ts";
import { repetition } from "./repetition.ts";
import { responseTime } from "./response-time.ts";
import { sequence } from "./sequence.ts";
import { silence } from "./silence.ts";
import { speechRate } from "./speech-rate.ts";

export const OPERATOR_IDS = [
  "phrase",
  "sequence",
  "rate",
  "repetition",
  "silence",
  "response-time",
  "hold",
  "interruption",
  "speech-rate",
  "level",
  "metadata",
  "call-class",
] as const;
export type OperatorId = (typeof OPERATOR_IDS)[number];

/** Every operator by its id, in the order of contracts.md §4. */
export const OPERATORS = {
  phrase,
  sequence,
  rate,
  repetition,
  silence,
  "response-time": responseTime,
  hold,
  interruption,
  "speech-rate": speechRate,
  level,
  metadata,
  "call-class": callClass,
} satisfies Record<OperatorId, Operator> as Readonly<Record<OperatorId, Operator>>;
