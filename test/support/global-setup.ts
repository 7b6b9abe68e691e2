import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** What several test files need and would otherwise make at the same time: the compiled command, of the sources as they are now, and the fixture calls. */
export function setup(): void {
  const built = `${root}dist/cli.js`;
  const newest = Math.max(...readdirSync(`${root}src`, { recursive: true }).map((path) => statSync(`${root}src/${path}`).mtimeMs));
  if (!existsSync(built) || statSync(built).mtimeMs < newest)
    execFileSync("npm", ["run", "--silent", "build"], { cwd: root, stdio: "inherit" });
  execFileSync(process.execPath, ["--import", "tsx", "fixtures/generate.ts"], { cwd: root, stdio: "inherit" });
}
