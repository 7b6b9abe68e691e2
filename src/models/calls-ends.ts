import { Kept } from "./kept.ts";

/** A list changes at its head, so an end stays right for long; it only lies deeper with every call that comes. */
const MAX_KEPT = 2_000;

/**
 * Where pages of lists ended when they were last read. A page that is asked for again is read up to there only, which gives the same calls as long as there are
 * enough of them. A server that walks an index in order reads no more either way; the servers of the local database first collect all calls of a list and sort
 * them, a hundred times the work at 20,000 calls.
 */
export class ListEnds extends Kept<string> {
  constructor() {
    super(MAX_KEPT);
  }
}
