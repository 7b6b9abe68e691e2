import { setTimeout as sleep } from "node:timers/promises";
import type { Model } from "mongoose";
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

function factsOf(doc: CallDocument): CallFacts {
  const { rev, state, ledger, facets, byPriority, byStart, byScore, byRank, score, wanted, inbox, claimUntil, todo, leaseUntil, ...facts } =
    doc;
  return facts;
}
