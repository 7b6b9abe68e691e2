import { type Connection, type Model, Schema } from "mongoose";
import { isDuplicate, modelOf, SAFE, STRICT } from "./model-of.ts";

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

interface SettingsDocument extends Partial<Settings> {
  _id: string;
  v: number;
}

const number = { type: Number, default: null } as const;
const schema = new Schema<SettingsDocument>(
  {
    _id: { type: String, required: true },
    v: { type: Number },
    activeForm: { type: String },
    sampleShare: { type: Number, min: 0, max: 1 },
    retention: { type: new Schema({ recordingsDays: number, transcriptsDays: number, resultsDays: number }, { _id: false, id: false }) },
    webhooks: {
      type: [
        new Schema(
          { id: String, url: String, secret: String, events: { type: [String], enum: WEBHOOK_EVENTS } },
          { _id: false, id: false },
        ),
      ],
      default: undefined,
    },
    paused: { type: Boolean },
  },
  STRICT,
);

export const settingsModel = (connection: Connection): Model<SettingsDocument> => modelOf(connection, "settings", schema);

/** The settings are one document. */
export const SETTINGS_ID = "settings";

const NAMES = ["activeForm", "sampleShare", "retention", "webhooks", "paused"] as const satisfies readonly (keyof Settings)[];

function settingsOf(document: SettingsDocument | null): Settings {
  const set = document ?? ({} as Partial<Settings>);
  return Object.assign(
    {},
    DEFAULT_SETTINGS,
    ...NAMES.filter((name) => set[name] != null).map((name) => ({ [name]: set[name] })),
  ) as Settings;
}

/** What is set while the service runs. */
export function createSettingsStore(connection: Connection): SettingsStore {
  const settings = settingsModel(connection);
  const change = async (set: Partial<Settings>): Promise<Settings> => {
    const changed = await settings
      .findOneAndUpdate(
        { _id: SETTINGS_ID },
        { $set: set, $setOnInsert: { v: 1 } },
        { ...SAFE, upsert: true, returnDocument: "after", runValidators: true },
      )
      .lean();
    return settingsOf(changed);
  };

  return {
    async get() {
      return settingsOf(await settings.findOne({ _id: SETTINGS_ID }, null, SAFE).lean());
    },

    async change(wanted) {
      const set: Partial<Settings> = {};
      for (const name of NAMES) if (wanted[name] !== undefined) Object.assign(set, { [name]: wanted[name] });
      // Two processes may make the document at once; the second finds it there.
      return await change(set).catch((error: unknown) => (isDuplicate(error) ? change(set) : Promise.reject(error)));
    },
  };
}
