import Type from "typebox";
import { CALL_SORTS } from "../../models/calls.ts";
import { EXPORT_FORMATS } from "../exports/send-table.ts";
import { CallFilterQuery } from "./calls.ts";
import { oneOf, RequestTime, strict } from "./common.ts";
import { CoverageRange } from "./coverage.ts";
import { SearchTerms } from "./search.ts";

const exported = {
  format: Type.Optional(oneOf(EXPORT_FORMATS, { description: "Default csv" })),
  language: Type.Optional(oneOf(["zh", "en"], { description: "Of titles and messages; default: the installation's" })),
};

export const ExportQuery = strict(exported);

export const CallExportQuery = strict({
  ...exported,
  ...CallFilterQuery,
  rows: Type.Optional(
    oneOf(["calls", "findings", "items"], { description: "A row for each call (default), finding, or line of its score" }),
  ),
  sort: Type.Optional(oneOf(CALL_SORTS, { description: "Default -startedAt" })),
});

export const SearchExportQuery = strict({ ...exported, ...SearchTerms });
export const CoverageExportQuery = strict({ ...exported, ...CoverageRange });

const Text = Type.Optional(Type.String({ minLength: 1, maxLength: 64 }));
export const AuditExportQuery = strict({
  ...exported,
  by: Text,
  what: Text,
  object: Text,
  from: Type.Optional(RequestTime),
  to: Type.Optional(RequestTime),
});
