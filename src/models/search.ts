import type { Role } from "../pipeline/types.ts";
import type { CallFilter, CallScope } from "./calls.ts";
import type { Page, PageOptions } from "./page.ts";

/** A place in a call where the words are. */
export interface SearchHit {
  readonly callId: string;
  readonly role: Role | null;
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
