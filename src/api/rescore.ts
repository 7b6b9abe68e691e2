/** What `POST /api/rescore` asks for. */
export interface RescoreRequest {
  readonly tenant: string;
  /** Who asked. */
  readonly by: string;
  /** Ids of the rules to bring to their version in force; without it all. */
  readonly rules?: readonly string[];
  readonly form?: string;
  readonly dryRun: boolean;
}

/** Judges stored calls by other rules, or says what would change. */
export type Rescore = (request: RescoreRequest, signal: AbortSignal) => Promise<unknown>;
