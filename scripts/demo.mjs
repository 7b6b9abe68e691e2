// `npm run demo`: makes the fixture calls once, screens them and prints the table. `-- --once` is for scripts; until there is a
// web app to leave running, both end when the table is printed.
import { execFileSync, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const run = (...args) => spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" }).status ?? 1;

console.log("Making the fixture calls (once) …");
execFileSync(process.execPath, ["--import", "tsx", "fixtures/generate.ts"], { cwd: root, stdio: "inherit" });
console.log("Screening them. The words come from the transcripts beside the recordings.\n");
process.exitCode = run("bin/callsift.js", "screen", "fixtures/calls");
