import type { Screening } from "../pipeline/screening.ts";

/** A screening without what the transcript of the same recipe holds already. */
export interface ScreeningStore {
  /** Upsert by (call, recipe, policy); immutable once there. */
  save(callId: string, screening: Screening): Promise<void>;
  /** Whole again, as it was saved. */
  get(callId: string, recipe: string, policy: string): Promise<Screening | null>;
  removeCall(callId: string): Promise<number>;
}
