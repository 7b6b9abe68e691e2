/** One page of a list that stays in order while data arrives. */
export interface Page<Item> {
  readonly items: readonly Item[];
  /** Opaque text for the next page; null after the last. */
  readonly nextCursor: string | null;
}

export interface PageOptions {
  /** 1–200. */
  readonly limit: number;
  /** `nextCursor` of the page before, made for the same person and the same filters. */
  readonly cursor?: string;
  /** Who asks, e.g. a user id: somebody else's cursor is refused. */
  readonly owner?: string;
}

/** Streams of a whole list are read in batches of this many. */
export const BATCH = 500;
