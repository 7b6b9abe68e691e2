import { CallsiftError } from "../../errors.ts";
import { MAX_CHARACTERS, MAX_UTTERANCES } from "./imported.ts";

/** Checked reading of fields; every failure names the field, what was expected and what came. */

export type Fields = Readonly<Record<string, unknown>>;

export function invalid(where: string, expected: string, got: unknown): CallsiftError {
  return new CallsiftError("transcript/invalid", `${where}: expected ${expected}, got ${show(got)}`);
}

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function fieldsOf(value: unknown, where: string): Fields {
  if (!isFields(value)) throw invalid(where, "an object", value);
  return value;
}

export function listOf(value: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(value)) throw invalid(where, "an array", value);
  return value;
}

/** A list of utterances, refused before any of them is looked at where no call could hold so many. */
export function utterancesOf(value: unknown, where: string): readonly unknown[] {
  const list = listOf(value, where);
  if (list.length > MAX_UTTERANCES) throw tooMany(list.length);
  return list;
}

export function tooMany(count: number): CallsiftError {
  return new CallsiftError("transcript/too-large", `expected at most ${MAX_UTTERANCES} utterances, got ${count}`);
}

export function tooLong(where: string, characters: number): CallsiftError {
  return new CallsiftError("transcript/too-large", `${where}: expected at most ${MAX_CHARACTERS} characters, got ${characters}`);
}

export function stringOf(value: unknown, where: string): string {
  if (typeof value !== "string") throw invalid(where, "a string", value);
  return value;
}

export function optionalString(value: unknown, where: string): string | null {
  return value === undefined || value === null ? null : stringOf(value, where);
}

/** A time in the unit given, as integer ms. Some services write numbers as text: those formats ask for `text: true`. */
export function timeOf(value: unknown, where: string, unit: "ms" | "s", options: { readonly text?: boolean } = {}): number {
  const number = options.text && typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  if (typeof number !== "number" || !Number.isFinite(number))
    throw invalid(where, `a time in ${unit === "ms" ? "milliseconds" : "seconds"}`, value);
  if (number < 0) throw invalid(where, "a time ≥ 0", value);
  return Math.round(unit === "ms" ? number : number * 1000);
}

/** Start and end of one thing; the end may not come before the start. */
export function spanOf(
  fields: Fields,
  [startField, endField]: readonly [string, string],
  where: string,
  unit: "ms" | "s",
  options: { readonly text?: boolean } = {},
): { startMs: number; endMs: number } {
  const startMs = timeOf(fields[startField], `${where}.${startField}`, unit, options);
  const endMs = timeOf(fields[endField], `${where}.${endField}`, unit, options);
  if (endMs < startMs) throw invalid(`${where}.${endField}`, `≥ ${startField} ${show(fields[startField])}`, fields[endField]);
  return { startMs, endMs };
}

/** A probability, or null where there is none. */
export function confidenceOf(value: unknown, where: string, options: { readonly text?: boolean } = {}): number | null {
  if (value === undefined || value === null) return null;
  const number = options.text && typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  if (typeof number !== "number" || !(number >= 0 && number <= 1)) throw invalid(where, "a confidence from 0 to 1", value);
  return number;
}

export function channelOf(value: unknown, where: string): number | null {
  if (value === undefined || value === null) return null;
  if (value !== 0 && value !== 1) throw invalid(where, "channel 0 or 1", value);
  return value;
}

/** Mean of the confidences that are there, null where there are none. */
export function meanConfidence(confidences: readonly (number | null)[]): number | null {
  const known = confidences.filter((confidence) => confidence !== null);
  return known.length === 0 ? null : known.reduce((sum, confidence) => sum + confidence, 0) / known.length;
}

/** A value short enough for one line. */
export function show(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object" && value !== null) return "an object";
  if (typeof value !== "string") return String(value);
  const line = JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  return line;
}
