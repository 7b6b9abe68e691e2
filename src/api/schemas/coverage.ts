import Type, { type Static } from "typebox";
import type { CoverageDay as SavedDay } from "../../models/call-records.ts";
import { RequestTime, strict } from "./common.ts";

export const CoverageRange = {
  from: Type.Optional(Type.Unsafe<string>({ ...RequestTime, description: "Default: six days before `to`" })),
  to: Type.Optional(Type.Unsafe<string>({ ...RequestTime, description: "A day is covered whole; default: today" })),
};
export const CoverageQuery = strict(CoverageRange);

const Count = Type.Integer();

/** One day of the ledger; received = screened + failed + pending + unusable + deleted. */
export const CoverageDay = Type.Object({
  date: Type.String(),
  expected: Count,
  received: Count,
  screened: Count,
  failed: Count,
  pending: Count,
  unusable: Count,
  deleted: Count,
  missing: Type.Array(Type.String(), { description: "Call ids of the telephone system without a recording, at most 100" }),
  missingCount: Count,
  unexpected: Count,
});

/** A day as it leaves. */
export function coverageDay(day: SavedDay): Static<typeof CoverageDay> {
  return { ...day, missing: [...day.missing] };
}
