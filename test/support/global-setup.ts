import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** What several test files need and would otherwise make at the same time: the compiled command. `npm ci` has built it; a checkout in work may not have. */
export function setup(): void {
  if (!existsSync(`${root}dist/cli.js`)) execFileSync("npm", ["run", "build"], { cwd: root, stdio: "inherit" });
}
