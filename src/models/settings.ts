/** What a supervisor or an administrator sets while the service runs; everything else is an environment variable. */
export interface Settings {
  readonly activeForm: string;
  /** 0–1: share of unflagged calls that go to the queue all the same. */
  readonly sampleShare: number;
  readonly retention: {
    readonly recordingsDays: number | null;
    readonly transcriptsDays: number | null;
    readonly resultsDays: number | null;
  };
  readonly webhooks: readonly {
    readonly id: string;
    readonly url: string;
    readonly secret: string;
    readonly events: readonly WebhookEvent[];
  }[];
  readonly paused: boolean;
}

export const WEBHOOK_EVENTS = ["call.scored", "review.submitted", "call.failed"] as const;
export type WebhookEvent = (typeof WEBHOOK_EVENTS)[number];

export const DEFAULT_SETTINGS: Settings = {
  activeForm: "deduction-20",
  sampleShare: 0.05,
  retention: { recordingsDays: null, transcriptsDays: null, resultsDays: null },
  webhooks: [],
  paused: false,
};

export interface SettingsStore {
  /** The defaults where nothing was set. */
  get(): Promise<Settings>;
  change(change: Partial<Settings>): Promise<Settings>;
}
