/** What `POST /api/rescore` and `callsift rescore` ask for. */
export interface RescoreRequest {
  readonly tenant: string;
  /** Who asked: a user id, or `system`. */
  readonly by: string;
  /** Ids of the rules that are brought to their version in force, the others as each call was judged by; without it all. */
  readonly rules?: readonly string[];
  /** Id of the form, instead of the active one. */
  readonly form?: string;
  /** Nothing is stored. */
  readonly dryRun: boolean;
}

/** What judging stored calls again changed, or would change. */
export interface RescoreReport {
  readonly dryRun: boolean;
  /** Calls that were judged again. */
  readonly calls: number;
  /** Of these, whose findings, score or place in the queue came out otherwise. */
  readonly changed: number;
  /** Of those changed, whose review was submitted already: their final score stays. */
  readonly reviewed: number;
  /** Calls that could not be judged again, e.g. because their transcript is gone. */
  readonly skipped: number;
  /** Rules with findings gained or lost, by id. */
  readonly rules: readonly {
    readonly rule: string;
    readonly before: number;
    readonly after: number;
    readonly gained: number;
    readonly lost: number;
  }[];
  readonly scores: {
    readonly raised: number;
    readonly lowered: number;
    readonly meanBefore: number | null;
    readonly meanAfter: number | null;
  };
  /** How many calls go from one band to another. */
  readonly bands: readonly { readonly from: string; readonly to: string; readonly calls: number }[];
  /** At most 100 of the calls that change, those first whose score moves most. */
  readonly examples: readonly {
    readonly callId: string;
    readonly scoreBefore: number;
    readonly scoreAfter: number;
    readonly bandBefore: string;
    readonly bandAfter: string;
  }[];
}

/**
 * Judges stored calls by other rules, or says what would change.
 *
 * @throws CallsiftError `request/invalid` for a rule or form that isn't there, `aborted`
 */
export type Rescore = (request: RescoreRequest, signal: AbortSignal) => Promise<RescoreReport>;
