/**
 * Writes the OpenAPI document of the API and the types of its client: `npx tsx scripts/build-client.ts`. The generator of the types wants a TypeScript of its own, which npx fetches for it;
 * what it writes is committed, and a test tells when it is no longer current.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describeRoutes } from "../src/api/describe.ts";

const path = (name: string): string => fileURLToPath(new URL(`../${name}`, import.meta.url));

// The version of the package is no part of the shape: else each release would change these files.
const text = `${JSON.stringify(await describeRoutes("0.0.0"), null, 2)}\n`;
const document = path("docs/reference/openapi.json");
const types = path("src/api/client/paths.gen.ts");
writeFileSync(document, text);
execFileSync("npx", ["-y", "-p", "openapi-typescript@7.13.0", "-p", "typescript@5.9.3", "openapi-typescript", document, "-o", types], {
  stdio: "inherit",
});
const digest = createHash("sha256").update(text).digest("hex");
writeFileSync(
  types,
  `// Of docs/reference/openapi.json, sha256 ${digest}; made by scripts/build-client.ts.\n${readFileSync(types, "utf8")}`,
);
