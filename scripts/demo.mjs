// `npm run demo`: makes the fixture calls and fetches speech weights, both once, screens the calls from sound and prints the table. Where the weights
// cannot be had, the words come from the transcripts beside the recordings. `-- --once` is for scripts; until there is a web app to leave running, both
// end when the table is printed.
import { execFileSync, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const WEIGHTS = "whisper-base";
const callsift = (...args) => spawnSync(process.execPath, ["bin/callsift.js", ...args], { cwd: root, stdio: "inherit" }).status ?? 1;

console.log("Making the fixture calls (once) …");
execFileSync(process.execPath, ["--import", "tsx", "fixtures/generate.ts"], { cwd: root, stdio: "inherit" });
console.log(`\nSpeech weights, ${WEIGHTS} (148 MB, once) …`);
const fromSound = callsift("models", "pull", WEIGHTS) === 0;
console.log(
  fromSound
    ? "\nScreening them from sound; a minute or two. Whisper base is what every machine can have; `callsift models list` shows what hears Mandarin better.\n"
    : "\nThe weights cannot be had here, so the words come from the transcripts beside the recordings.\n",
);
process.exitCode = callsift("screen", ...(fromSound ? ["--engine", "whisper", "--weights", WEIGHTS] : []), "fixtures/calls");
