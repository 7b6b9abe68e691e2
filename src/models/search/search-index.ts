import { createHash } from "node:crypto";
import type { Connection } from "mongoose";
import type { Transcribed } from "../../pipeline/stages.ts";
import type { Utterance } from "../../pipeline/types.ts";
import { callModel } from "../calls-document.ts";
import { isDuplicate, SAFE } from "../model-of.ts";
import { maintainBlocks, purgeCall } from "./blocks.ts";
import { callWordsOf } from "./call-words.ts";
import { BLOCK_SIZES, type BlockSizes, searchModels, TOP_LEVEL, type WordsDocument } from "./documents.ts";

/** What of a call the search filters and sorts by without asking the calls themselves: none of it ever changes. */
export interface SearchFacts {
  readonly startedAt: Date;
  readonly agentId: string | null;
  readonly team: string | null;
}

/** Where the words of calls are kept to be found. */
export interface SearchIndex {
  /** The words of what was heard take the place of earlier ones of the call; the same again changes nothing. May be told twice, also at once. */
  save(callId: string, tenant: string, transcribed: Transcribed): Promise<void>;
  saveWords(callId: string, tenant: string, facts: SearchFacts, utterances: readonly Utterance[]): Promise<void>;
  /** Nothing of the call's words is left. */
  removeCall(callId: string): Promise<void>;
  /** Brings the index in order, as far as it is due: told now and then (each minute), searches stay quick however many calls there are. */
  maintain(): Promise<void>;
}

/** Every so many calls it is asked whether there are enough for a block. */
const LOOK_EVERY = 8;
/** What a call that is being saved waits for; the highest level is left to `maintain`. */
const TOP_AT_ONCE = TOP_LEVEL - 1;

export function createSearchIndex(connection: Connection, sizes: BlockSizes = BLOCK_SIZES): SearchIndex {
  const models = searchModels(connection);
  const { words, sets } = models;
  const calls = callModel(connection);
  let saved = 0;

  const removeCall = async (callId: string): Promise<void> => {
    for (;;) {
      const found = await words.findOne({ _id: callId }, { tenant: 1, folded: 1, block: 1 }, SAFE).lean<WordsDocument>();
      if (!found) return;
      const { block, ...rest } = found;
      if (block === null) {
        if ((await words.deleteOne({ _id: callId, block: null }, SAFE)).deletedCount === 1) return;
        continue;
      }
      if ((await purgeCall(models, { ...rest, block })) === null) continue;
      // Meanwhile it may have come into another block, where the first was never in force.
      if ((await words.deleteOne({ _id: callId, block }, SAFE)).deletedCount === 1) return;
    }
  };

  const saveWords: SearchIndex["saveWords"] = async (callId, tenant, { startedAt, agentId, team }, utterances) => {
    const spoken = callWordsOf(utterances);
    const facts = { tenant, startedAt, agentId: agentId ?? "", team: team ?? "" };
    const { times, ...text } = spoken;
    const hash = createHash("sha256")
      .update(JSON.stringify([facts, text]))
      .update(times)
      .digest("base64url");
    const document = { _id: callId, v: 1, ...facts, ...spoken, times: Buffer.from(times), hash, fresh: 1 as const, block: null };
    for (;;) {
      const there = await words.findOne({ _id: callId }, { hash: 1 }, SAFE).lean<Pick<WordsDocument, "hash">>();
      if (there?.hash === hash) return;
      if (there) await removeCall(callId);
      try {
        await words.insertMany([document]);
        break;
      } catch (error) {
        if (!isDuplicate(error)) throw error;
      }
    }
    if (++saved % LOOK_EVERY === 0) await maintainBlocks(models, tenant, sizes, TOP_AT_ONCE);
  };

  return {
    saveWords,
    removeCall,

    async save(callId, tenant, { call: { transcript, metadata } }) {
      const utterances = "utterances" in transcript ? transcript.utterances : [];
      const stored = await calls.findOne({ _id: callId }, { startedAt: 1 }, SAFE).lean<{ startedAt: Date }>();
      const given = metadata.startedAt === undefined ? Number.NaN : Date.parse(metadata.startedAt);
      const startedAt = stored?.startedAt ?? new Date(Number.isNaN(given) ? Date.now() : given);
      const facts = { startedAt, agentId: metadata.agentId ?? null, team: metadata.team ?? null };
      await saveWords(callId, tenant, facts, utterances);
    },

    async maintain() {
      const tenants = await sets.find({}, { _id: 1 }, SAFE).lean<{ _id: string }[]>();
      for (const { _id } of tenants) await maintainBlocks(models, _id, sizes);
    },
  };
}
