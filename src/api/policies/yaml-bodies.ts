import { CallsiftError } from "../../pipeline/errors.ts";
import { parseData } from "../../pipeline/rules/data-file.ts";
import type { ApiServer } from "../server.ts";

/** Types that files of rules and forms are sent with. */
export const DATA_TYPES = ["application/json", "application/yaml", "application/x-yaml", "text/yaml"] as const;

/** Rules and forms come as they lie in files: JSON, or YAML without tags, merge keys and alias bombs. */
export function parseYamlBodies(app: ApiServer, code: "rules/invalid" | "form/invalid"): void {
  app.addContentTypeParser(DATA_TYPES.slice(1), { parseAs: "buffer" }, async (_request: unknown, body: Buffer) => {
    let text: string;
    try {
      text = new TextDecoder("utf-8", { fatal: true }).decode(body);
    } catch (cause) {
      throw new CallsiftError("request/invalid", "body: expected YAML in UTF-8, got other bytes", { cause });
    }
    return parseData(text, "body", code);
  });
}
