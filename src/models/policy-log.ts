import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type Connection, type Model, Schema } from "mongoose";
import { CallsiftError } from "../pipeline/errors.ts";
import type { Rule } from "../pipeline/rules/schema.ts";
import type { Form } from "../pipeline/scoring/schema.ts";
import type { Language } from "../pipeline/types.ts";
import { isDuplicate, modelOf, op, SAFE, STRICT } from "./model-of.ts";

/**
 * A version of a rule or form, as an entry of one log without holes: whoever adds takes the next number, which its unique index gives to one only. So the
 * number of the last entry names everything that was ever added, and nothing older can turn up after it was read.
 */
export interface PolicyEntry {
  _id: number;
  v: number;
  kind: "rule" | "form";
  /** Id of the rule or form. */
  name: string;
  /** Empty for a form, and for a rule of any language. */
  language: Language | "";
  version: number;
  /** The rule or form. Text, so that it comes back as it was, whatever its keys are. */
  json: string;
  by: string;
  at: Date;
  /** By which a write that was tried twice knows its own entry. */
  nonce: string;
}
/** An entry without its content. */
export type EntryHead = Omit<PolicyEntry, "json">;

const text = { type: String, required: true } as const;
const entrySchema = new Schema<PolicyEntry>(
  {
    _id: { type: Number, required: true },
    v: { type: Number, default: 1 },
    kind: { type: String, enum: ["rule", "form"], required: true },
    name: text,
    language: { type: String, enum: ["", "zh", "en"], default: "" },
    version: { type: Number, required: true },
    json: text,
    by: text,
    at: { type: Date, required: true },
    nonce: text,
  },
  STRICT,
);
entrySchema.index({ kind: 1, name: 1, language: 1, version: 1 }, { unique: true });

const TRIES = 200;

/** An entry before it has a number. */
export type NewEntry = Pick<PolicyEntry, "kind" | "name" | "language" | "by"> & {
  readonly content: Rule | Form;
  /** A version that is wanted as it is, or the next one. */
  readonly version: number | "next";
};

/** What the versions of one thing have in common. */
export const keyOf = ({ kind, name, language }: Pick<PolicyEntry, "kind" | "name" | "language">): string => `${kind} ${name} ${language}`;

/** The log of all versions of rules and forms. */
export interface PolicyLog {
  /** Number of the last entry; 0 where there is none. */
  readonly lastNumber: () => Promise<number>;
  /** Entries without their content, in order. */
  readonly heads: (filter?: object) => Promise<EntryHead[]>;
  readonly whole: (ids: readonly number[]) => Promise<ReadonlyMap<number, PolicyEntry>>;
  /** Adds the entries whose version is not there yet, one after the other; answers with those that were added. */
  readonly append: (wanted: readonly NewEntry[]) => Promise<PolicyEntry[]>;
}

export function createPolicyLog(connection: Connection): PolicyLog {
  const entries: Model<PolicyEntry> = modelOf(connection, "policies", entrySchema);

  const lastNumber = async (): Promise<number> =>
    (await entries.findOne({}, { _id: 1 }, SAFE).sort({ _id: -1 }).lean<{ _id: number }>())?._id ?? 0;

  const heads = async (filter: object = {}): Promise<EntryHead[]> =>
    await entries.find(filter, { json: 0 }, SAFE).sort({ _id: 1 }).lean<EntryHead[]>();

  const append = async (wanted: readonly NewEntry[]): Promise<PolicyEntry[]> => {
    const nonces: readonly string[] = wanted.map(() => randomUUID());
    const kinds = [...new Set(wanted.map(({ kind }) => kind))];
    const names = [...new Set(wanted.map(({ name }) => name))];
    for (let tries = 0; tries < TRIES; tries++) {
      const last = await lastNumber();
      const there = await heads({ kind: op({ $in: kinds }), name: op({ $in: names }) });
      const mine = there.filter(({ nonce }) => nonces.includes(nonce));
      const next: PolicyEntry[] = [];
      for (const [i, { content, version, ...entry }] of wanted.entries()) {
        const nonce = nonces[i] as string;
        if (mine.some((own) => own.nonce === nonce)) continue;
        const versions = [...there, ...next].filter((other) => keyOf(other) === keyOf(entry)).map((other) => other.version);
        if (version !== "next" && versions.includes(version)) continue;
        const given = version === "next" ? Math.max(0, ...versions) + 1 : version;
        const json = JSON.stringify({ ...content, version: given });
        next.push({ _id: last + next.length + 1, v: 1, ...entry, version: given, json, at: new Date(), nonce });
      }
      if (next.length > 0) {
        try {
          await entries.insertMany(next, { ordered: true });
        } catch (error) {
          if (!isDuplicate(error)) throw error;
          // Somebody else took the number, or the driver tried again what was there: look once more.
          await sleep(Math.random() * Math.min(50, 2 * (tries + 1)));
          continue;
        }
      }
      const added =
        mine.length === 0
          ? next
          : await entries
              .find({ nonce: op({ $in: nonces }) }, null, SAFE)
              .sort({ _id: 1 })
              .lean();
      return added;
    }
    throw new CallsiftError("request/conflict", `expected a free number for a new version within ${TRIES} tries, got none`);
  };

  return {
    lastNumber,
    heads,
    append,
    async whole(ids) {
      const found = await entries.find({ _id: op({ $in: [...ids] }) }, null, SAFE).lean();
      return new Map(found.map((entry) => [entry._id, entry]));
    },
  };
}

/** The highest version of each, in the order in which their first ones came. */
export function latest(all: readonly EntryHead[]): Map<string, EntryHead> {
  const highest = new Map<string, EntryHead>();
  for (const entry of all) {
    const other = highest.get(keyOf(entry));
    if (!other || other.version < entry.version) highest.set(keyOf(entry), entry);
  }
  return highest;
}
