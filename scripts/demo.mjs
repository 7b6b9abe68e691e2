// `npm run demo`: makes the fixture calls, fetches speech weights and a database program (each once), starts the service on data/demo with the calls loaded, prints
// where it is, and the table when the calls are screened; then it goes on until Ctrl-C. `-- --once` ends when the table is printed. What cannot be had is named, and the
// demo goes on without: no weights, and the words come from the transcripts beside the recordings; no database, and the calls are only screened.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const WEIGHTS = "whisper-base";
const CALLS = "fixtures/calls";
const DATA = "data/demo";
const once = process.argv.includes("--once");
const callsift = (...args) => spawnSync(process.execPath, ["bin/callsift.js", ...args], { cwd: root, stdio: "inherit" }).status ?? 1;
process.chdir(root);

console.log("Making the fixture calls (once) …");
execFileSync(process.execPath, ["--import", "tsx", "fixtures/generate.ts"], { cwd: root, stdio: "inherit" });
console.log(`\nSpeech weights, ${WEIGHTS} (148 MB, once) …`);
const engine = callsift("models", "pull", WEIGHTS) === 0 ? ["--engine", "whisper", "--weights", WEIGHTS] : [];
if (engine.length === 0) console.log("The weights cannot be had here, so the words come from the transcripts beside the recordings.");
console.log("\nStarting the service …");
const service = await startService();
if (service) await showService(service);
else {
  console.log("Without a database the calls are only screened:\n");
  process.exitCode = callsift("screen", ...engine, CALLS);
}

/** The running service; null where there is no database program, which it has said itself. */
async function startService() {
  const port = once ? ["--port", "0"] : [];
  const child = spawn(process.execPath, ["bin/callsift.js", "serve", "--data", DATA, ...port, ...engine, "--sign-in-link"], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
    env: { CALLSIFT_LOG_LEVEL: "error", ...process.env },
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => child.kill("SIGTERM"));
  const lines = createInterface({ input: child.stdout });
  const ready = new Promise((resolve) => {
    const said = [];
    lines.on("line", (line) => {
      said.push(line);
      if (line.startsWith("callsift is ready")) resolve(said);
    });
  });
  const said = await Promise.race([ready, ended.then(() => null)]);
  return said && { child, ended, said };
}

async function showService({ child, ended, said }) {
  const { loadConfig } = await import("../dist/config.js");
  const { openService } = await import("../dist/cli/service.js");
  const { openTable } = await import("../dist/cli/table.js");
  const config = { ...loadConfig(), dataDir: DATA, logLevel: "error" };
  if (callsift("import", CALLS, "--data", DATA) !== 0) process.exitCode = 1;
  console.log(`\n${said.join("\n")}\n`);
  console.log(engine.length > 0 ? "The calls are being screened from sound; a minute or two.\n" : "The calls are being screened.\n");
  const service = await openService({ config, terminal: process, signal: new AbortController().signal, mayJoin: true });
  try {
    const table = openTable(process.stdout, config);
    const calls = await screened(service.models, child);
    console.log(table.head);
    for (const call of calls) console.log(table.row(await resultOf(service.models, call)));
    const failed = calls.filter(({ status }) => status === "failed").length;
    console.log(`\n${calls.length - failed} screened, ${failed} failed`);
    if (failed > 0) process.exitCode = 3;
  } finally {
    await service[Symbol.asyncDispose]();
  }
  if (once) child.kill("SIGTERM");
  else console.log("The service goes on; Ctrl-C stops it.");
  const code = await ended;
  if (code !== 0) process.exitCode = code ?? 1;
}

/** The calls by name, once nothing is left to do. */
async function screened({ calls }, child) {
  for (;;) {
    const found = [];
    for await (const call of calls.all({ tenant: "default" }, {}, "-startedAt")) found.push(call);
    if (child.exitCode !== null) throw new Error("the service has ended before the calls were screened");
    if (found.length > 0 && found.every(({ status }) => status === "scored" || status === "failed"))
      return found.sort((a, b) => a.name.localeCompare(b.name));
    await sleep(1000);
  }
}

async function resultOf({ screenings }, call) {
  const screening = call.recipe && call.policy ? await screenings.get(call.id, call.recipe, call.policy) : null;
  return screening ?? { schema: "callsift.screening/1", recording: { name: call.name }, status: "failed", error: call.error };
}
