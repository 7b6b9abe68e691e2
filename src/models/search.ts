import type { Connection } from "mongoose";
import type { Role } from "../pipeline/types.ts";
import type { CallFilter, CallScope } from "./calls.ts";
import { callModel } from "./calls-document.ts";
import { callConditions } from "./calls-filter.ts";
import { makeCursor, readCursor } from "./cursor.ts";
import { op, SAFE } from "./model-of.ts";
import type { Page, PageOptions } from "./page.ts";
import { createBlockReader } from "./search/block-reader.ts";
import { callTokens, markUtterances } from "./search/call-words.ts";
import { searchModels, toBytes, type WordsDocument } from "./search/documents.ts";
import { evaluate, type Mark } from "./search/evaluate.ts";
import { findInBlock, findInCalls, planPhrase } from "./search/lookup.ts";
import { parseQuery, phrasesOf } from "./search/query.ts";

/** A place in a call where the words are. */
export interface SearchHit {
  readonly callId: string;
  readonly role: Role | null;
  /** Of the marked words, from the first to the last. */
  readonly startMs: number;
  readonly endMs: number;
  /** Of the whole utterance, as written. */
  readonly text: string;
  /** Half-open ranges of `text`, in UTF-16 units. */
  readonly marks: readonly (readonly [start: number, end: number])[];
  readonly match: "exact" | "sound";
}

export interface SearchStore {
  /**
   * Phrases in quotes, AND OR NOT ( ), NEAR/n, `agent:` and `customer:`, over calls of the scope and filter; newest calls first.
   *
   * @throws CallsiftError `search/bad-query` with the position
   */
  search(
    query: string,
    scope: CallScope,
    filter: CallFilter,
    options: PageOptions & { readonly sound: boolean },
  ): Promise<Page<SearchHit> & { readonly total: number }>;
}

/** A call that the query is true of, with the utterances that are shown. */
interface Match {
  readonly id: string;
  readonly start: number;
  /** How many of its utterances have marks. */
  readonly utterances: number;
  readonly marks: () => readonly Mark[];
}

/** How many calls are asked at once whether a filter lets them through. */
const FILTERED_AT_ONCE = 1000;

/** Finds words in calls; see docs/reference/search.md. */
export function createSearchStore(connection: Connection): SearchStore {
  const models = searchModels(connection);
  const { words, sets } = models;
  const calls = callModel(connection);
  const reader = createBlockReader(models);

  /** Of the calls, those that the filter lets through, where it asks for what changes after a call was heard. */
  const passing = async (matches: readonly Match[], scope: CallScope, filter: CallFilter): Promise<readonly Match[]> => {
    if (!asksCalls(scope, filter)) return matches;
    const conditions = callConditions(scope, filter, new Date());
    const passed = new Set<string>();
    for (let at = 0; at < matches.length; at += FILTERED_AT_ONCE) {
      const ids = matches.slice(at, at + FILTERED_AT_ONCE).map(({ id }) => id);
      const found = await calls
        .find({ _id: { $in: ids }, $and: conditions }, { _id: 1 })
        .batchSize(FILTERED_AT_ONCE)
        .lean();
      for (const { _id } of found) passed.add(_id);
    }
    return matches.filter(({ id }) => passed.has(id));
  };

  const show = async (page: readonly Match[]): Promise<{ match: Match; utterance: number; hit: SearchHit }[]> => {
    const ids = page.map(({ id }) => id);
    const found = await words
      .find({ _id: op({ $in: ids }) }, { texts: 1, folded: 1, roles: 1, times: 1 }, SAFE)
      .batchSize(1000)
      .lean<WordsDocument[]>();
    const byId = new Map(found.map((document) => [document._id, document]));
    return page.flatMap((match) => {
      const document = byId.get(match.id);
      if (!document) return [];
      const wanted = new Map<number, Mark[]>();
      for (const mark of match.marks()) wanted.set(mark.utterance, [...(wanted.get(mark.utterance) ?? []), mark]);
      const marked = markUtterances({ ...document, times: toBytes(document.times) }, wanted);
      return [...marked].map(([utterance, said]) => {
        const isExact = wanted.get(utterance)?.some(({ exact }) => exact);
        return { match, utterance, hit: { callId: match.id, ...said, match: isExact ? ("exact" as const) : ("sound" as const) } };
      });
    });
  };

  return {
    async search(text, scope, filter, { sound, limit, cursor, owner }) {
      const query = parseQuery(text);
      const bound = ["search", owner, text, sound, scope, filter];
      const after = cursor === undefined ? null : (readCursor(bound, cursor, ["number", "string", "number"]) as [number, string, number]);
      const plans = phrasesOf(query).map((phrase) => planPhrase(phrase, sound));
      const isInside = insideOf(scope, filter);

      const matches: Match[] = [];
      // Fresh calls first: a call that goes into a block meanwhile is seen twice, never not at all.
      const fields = { folded: 1, roles: 1, startedAt: 1, agentId: 1, team: 1 } as const;
      const fresh = await words.find({ tenant: scope.tenant, fresh: 1 }, fields, SAFE).batchSize(1000).lean<WordsDocument[]>();
      const asked = fresh
        .filter(({ startedAt, agentId, team }) => isInside(startedAt.getTime(), `${agentId}\n${team}`))
        .map((call) => {
          let tokens: ReturnType<typeof callTokens> | undefined;
          return { ...call, tokens: () => (tokens ??= callTokens(call)) };
        });
      evaluate(query, new Map(plans.map((plan) => [plan.phrase, findInCalls(plan, asked)])), (number, utterances, marks) => {
        const { _id, startedAt } = asked[number] as (typeof asked)[number];
        matches.push({ id: _id, start: startedAt.getTime(), utterances, marks });
      });

      const known = new Set(fresh.map(({ _id }) => _id));
      const set = await sets.findOne({ _id: scope.tenant }, { blocks: 1 }, SAFE).lean();
      for (const block of await reader.read(set?.blocks ?? [], plans)) {
        const places = new Map(plans.map((plan) => [plan.phrase, findInBlock(plan, block.bits, block.shard)]));
        evaluate(query, places, (number, utterances, marks) => {
          const id = block.ids[number] as string;
          const start = block.starts[number] as number;
          if (id === "" || known.has(id) || !isInside(start, block.ownerOf(number))) return;
          matches.push({ id, start, utterances, marks });
        });
      }

      const passed = await passing(matches, scope, filter);
      const total = passed.reduce((sum, { utterances }) => sum + utterances, 0);
      // Of the call that the cursor points into, nothing may be left.
      const page = enough(newest(passed, after, limit + 2), limit + 1, after);
      const rows = (await show(page)).filter(({ match, utterance }) => after === null || isAfter(match, utterance, after));
      const shown = rows.slice(0, limit);
      const last = shown.at(-1);
      const nextCursor = rows.length > limit && last ? makeCursor(bound, [last.match.start, last.match.id, last.utterance]) : null;
      return { items: shown.map(({ hit }) => hit), nextCursor, total };
    },
  };
}

/** Whether the filter or scope asks for what changes after a call was heard. */
function asksCalls({ reviewedOnly }: CallScope, { status, queue, review, rule, severity, minScore, maxScore }: CallFilter): boolean {
  return reviewedOnly === true || [status, queue, review, rule, severity, minScore, maxScore].some((value) => value !== undefined);
}

/** What the index knows of scope and filter: when, whose. */
function insideOf(scope: CallScope, { agentId, team, from, to }: CallFilter): (start: number, owner: string) => boolean {
  const earliest = from?.getTime() ?? Number.NEGATIVE_INFINITY;
  const latest = to?.getTime() ?? Number.POSITIVE_INFINITY;
  const agents = [scope.agentId, agentId].filter((value) => value !== undefined);
  const teams = [scope.team, team].filter((value) => value !== undefined);
  const verdicts = new Map<string, boolean>();
  const isOwn = (owner: string): boolean => {
    const known = verdicts.get(owner);
    if (known !== undefined) return known;
    const [agent, ofTeam] = owner.split("\n");
    const verdict = agents.every((wanted) => wanted === agent) && teams.every((wanted) => wanted === ofTeam);
    verdicts.set(owner, verdict);
    return verdict;
  };
  return (start, owner) => start >= earliest && start < latest && isOwn(owner);
}

/** As many of the calls as have so many utterances to show. */
function enough(matches: readonly Match[], count: number, after: readonly [number, string, number] | null): readonly Match[] {
  let utterances = 0;
  const last = matches.findIndex((match) => {
    // What is left of the call that the cursor points into is not counted.
    if (match.id !== after?.[1]) utterances += match.utterances;
    return utterances >= count;
  });
  return last < 0 ? matches : matches.slice(0, last + 1);
}

/** Newest first, of one moment by id; within a call by utterance. */
const byAge = (a: Match, b: Match): number => b.start - a.start || (a.id < b.id ? 1 : a.id > b.id ? -1 : 0);

/** The first calls at or after the cursor. */
function newest(matches: readonly Match[], after: readonly [number, string, number] | null, count: number): Match[] {
  const rest = after === null ? [...matches] : matches.filter((match) => isAfter(match, Number.POSITIVE_INFINITY, after));
  if (rest.length > 4 * count) {
    // Only calls as late as the last that is shown need to be put in order.
    const starts = Float64Array.from(rest, ({ start }) => -start).sort();
    const oldest = -(starts[count - 1] as number);
    return rest
      .filter(({ start }) => start >= oldest)
      .sort(byAge)
      .slice(0, count);
  }
  return rest.sort(byAge).slice(0, count);
}

function isAfter({ start, id }: Match, utterance: number, [atStart, atId, atUtterance]: readonly [number, string, number]): boolean {
  if (start !== atStart) return start < atStart;
  return id === atId ? utterance > atUtterance : id < atId;
}
