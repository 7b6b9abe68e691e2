import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import type { Model, mongo } from "mongoose";
import { type CallDocument, type CallFacts, documentOf } from "./calls-document.ts";
import { isId, newId } from "./ids.ts";

/** What a change makes of the facts: only the fields that change; null: nothing is to be done. `now` is one and the same for the whole change. */
export type Decide = (call: CallDocument, now: Date) => Partial<CallFacts> | null;

/** So many others were always quicker: by then something else is wrong. */
const TRIES = 200;

/**
 * Changes one call by what it is at that moment: reads it, decides, and writes if nobody has changed it in between (`rev`), else from the start. null where there
 * is no such call, or nothing is to be done. Safe to send twice: a change is known by its own `rev`, so one whose answer was lost is found, not made again.
 */
export async function changeCall(model: Model<CallDocument>, id: string, decide: Decide): Promise<CallDocument | null> {
  if (!isId(id)) return null;
  const rev = newId();
  for (let tries = 1; tries <= TRIES; tries++) {
    const seen = await model.findOne({ _id: id }).lean<CallDocument>();
    if (seen === null) return null;
    if (seen.rev === rev) return seen;
    const now = new Date();
    const change = decide(seen, now);
    if (change === null) return null;
    const next = changedCall(seen, { changedAt: now, ...change }, rev);
    const { matchedCount } = await model.replaceOne({ _id: id, rev: seen.rev }, next);
    if (matchedCount === 1) return next;
    if (tries > 3) await sleep(Math.random() * 5 * Math.min(tries, 20));
  }
  throw new Error(`expected to change call ${id} within ${TRIES} tries, somebody else always was quicker`);
}

/** The document after a change. */
export function changedCall(seen: CallDocument, change: Partial<CallFacts>, rev: string): CallDocument {
  return documentOf({ ...factsOf(seen), ...change }, rev);
}

/** A document before and after a change. */
export interface Changed {
  readonly seen: CallDocument;
  readonly next: CallDocument;
}

/**
 * Writes many changes of one `rev`, each where nobody has changed the call in between. Only what is different is sent, and what is the same for several calls once:
 * half the work of whole documents, for a server, where most calls change alike.
 */
export function updatesOf(changes: readonly Changed[]): mongo.AnyBulkWriteOperation<CallDocument>[] {
  const groups = new Map<string, { readonly update: mongo.UpdateFilter<CallDocument>; readonly seen: CallDocument[] }>();
  for (const { seen, next } of changes) {
    const update = updateOf(seen, next);
    const key = JSON.stringify(update);
    const group = groups.get(key) ?? { update, seen: [] };
    groups.set(key, group);
    group.seen.push(seen);
  }
  return [...groups.values()].map(({ update, seen }) => ({
    // No `rev` is ever there twice but by one change: who has both an id and a rev of the lists has those that belong together.
    updateMany: { filter: { _id: { $in: seen.map(({ _id }) => _id) }, rev: { $in: seen.map(({ rev }) => rev) } }, update },
  }));
}

function updateOf(seen: CallDocument, next: CallDocument): mongo.UpdateFilter<CallDocument> {
  const names = [...new Set([...Object.keys(seen), ...Object.keys(next)])] as (keyof CallDocument)[];
  const set: Record<string, unknown> = {};
  const unset: Record<string, 1> = {};
  for (const name of names) {
    if (next[name] === undefined) unset[name] = 1;
    else if (!isDeepStrictEqual(seen[name], next[name])) set[name] = next[name];
  }
  return { $set: set, ...(Object.keys(unset).length > 0 && { $unset: unset }) } as mongo.UpdateFilter<CallDocument>;
}

function factsOf(doc: CallDocument): CallFacts {
  const { rev, state, ledger, facets, byPriority, byStart, byScore, byRank, score, wanted, inbox, claimUntil, todo, leaseUntil, ...facts } =
    doc;
  return facts;
}
