import { spawn } from "node:child_process";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { LocalDatabaseError, throwIfAborted } from "./error.ts";
import { withoutAddresses } from "./fetch-mongod.ts";
import { onPath } from "./programs.ts";
import { PYTHON_MINORS, requirements, SECANTUS_VERSION } from "./secantus-requirements.ts";

/** How SecantusDB is fetched. */
export interface SecantusInstall {
  /** Becomes a private virtual environment; it may be moved afterwards. */
  readonly folder: string;
  /** Where Python is looked for. */
  readonly searchPath: string;
  /** A folder of wheels that was carried in; nothing is asked of the network then. */
  readonly wheels?: string | undefined;
  readonly onProgress: (line: string) => void;
  readonly signal: AbortSignal | undefined;
}

/**
 * Installs SecantusDB with pip, from whichever index the user's own settings name, into a virtual environment; pip holds every package to its sha256.
 *
 * @returns the program's path inside the folder
 * @throws LocalDatabaseError `no-program` without a Python that it runs on, `unreachable`, `damaged`, `aborted`
 */
export async function installSecantus(options: SecantusInstall): Promise<string> {
  const { folder, wheels, onProgress } = options;
  const python = await findPython(options);
  onProgress(`SecantusDB ${SECANTUS_VERSION}: making a private Python environment`);
  const pip = await makeEnvironment(python, options);
  const file = join(folder, "requirements.txt");
  await writeFile(file, requirements());
  const args = [
    "install",
    "--no-input",
    "--disable-pip-version-check",
    "--require-hashes",
    "--only-binary=:all:",
    "--timeout=10",
    "--retries=2",
  ];
  if (wheels !== undefined) args.push("--no-index", `--find-links=${wheels}`);
  await runPip(pip, [...args, "--requirement", file], options);
  return await writeLauncher(folder);
}

const PROGRAM = "secantusd-py";

/** pip's own launcher has the environment's present path in it; this one finds Python beside itself, with nothing of the PATH. */
async function writeLauncher(folder: string): Promise<string> {
  const path = join(folder, "bin", PROGRAM);
  await writeFile(path, `#!/bin/sh\nexec "\${0%/*}/python" -c 'import sys; from secantus.cli import main; sys.exit(main())' "$@"\n`);
  await chmod(path, 0o755);
  return join("bin", PROGRAM);
}

async function findPython(options: SecantusInstall): Promise<string> {
  const names = ["python3", ...PYTHON_MINORS.toReversed().map((minor) => `python3.${minor}`)];
  const seen: string[] = [];
  for (const name of names) {
    const path = await onPath(name, options.searchPath);
    if (path === null) continue;
    const { output } = await run(path, ["-c", "import sys; print(*sys.version_info[:2])"], options);
    const [major, minor] = output.trim().split(" ").map(Number);
    if (major === 3 && minor !== undefined && PYTHON_MINORS.includes(minor)) return path;
    seen.push(`${name} ${major}.${minor}`);
  }
  const expected = `SecantusDB ${SECANTUS_VERSION}: expected Python 3.${PYTHON_MINORS[0]} to 3.${PYTHON_MINORS.at(-1)}`;
  throw new LocalDatabaseError("no-program", `${expected}, got ${seen.join(", ") || "none"}`);
}

/** @returns the command that runs pip for the new environment */
async function makeEnvironment(python: string, options: SecantusInstall): Promise<readonly [string, ...string[]]> {
  const { folder } = options;
  const whole = await run(python, ["-m", "venv", folder], options);
  throwIfAborted(options.signal);
  if (whole.code === 0) return [join(folder, "bin", "python"), "-m", "pip"];
  // Debian and Ubuntu keep what venv needs for pip in a package of its own; the system's pip can install into an environment without.
  await mkdir(folder, { recursive: true });
  const bare = await run(python, ["-m", "venv", "--clear", "--without-pip", folder], options);
  const outer = await run(python, ["-m", "pip", "--version"], options);
  if (bare.code === 0 && outer.code === 0) return [python, "-m", "pip", "--python", join(folder, "bin", "python")];
  const reason = whole.output.trim().split("\n").at(-1) ?? "";
  throw new LocalDatabaseError(
    "no-program",
    `SecantusDB: expected a Python that makes virtual environments (Debian: python3-venv), got: ${reason}`,
  );
}

async function runPip(
  [program, ...before]: readonly [string, ...string[]],
  args: readonly string[],
  options: SecantusInstall,
): Promise<void> {
  const { code, output } = await run(program, [...before, ...args], options, (line) => {
    const told = /^(Collecting|Installing) ([^ ]+)/.exec(line.trim());
    if (told?.[1] === "Collecting") options.onProgress(`SecantusDB ${SECANTUS_VERSION}: fetching ${told[2]}`);
    else if (told !== null) options.onProgress(`SecantusDB ${SECANTUS_VERSION}: installing`);
  });
  throwIfAborted(options.signal);
  if (code === 0) return;
  if (/DO NOT MATCH THE HASHES/i.test(output))
    throw new LocalDatabaseError("damaged", `SecantusDB ${SECANTUS_VERSION}: expected packages of known sha256, got others from pip`);
  const last =
    output
      .split("\n")
      .filter((line) => /^error:/i.test(line))
      .at(-1) ??
    output.trim().split("\n").at(-1) ??
    "";
  throw new LocalDatabaseError("unreachable", `SecantusDB ${SECANTUS_VERSION}: pip: ${withoutAddresses(last)}`);
}

interface Ran {
  readonly code: number | null;
  readonly output: string;
}

const LONGEST_MS = 15 * 60_000;

async function run(
  program: string,
  args: readonly string[],
  { signal }: Pick<SecantusInstall, "signal">,
  onLine: (line: string) => void = () => {},
): Promise<Ran> {
  throwIfAborted(signal);
  const child = spawn(program, [...args], { stdio: ["ignore", "pipe", "pipe"], timeout: LONGEST_MS, ...(signal && { signal }) });
  const lines: string[] = [];
  for (const input of [child.stdout, child.stderr])
    createInterface({ input }).on("line", (line) => {
      lines.push(line);
      onLine(line);
    });
  return await new Promise((resolve, reject) => {
    child.once("close", (code) => resolve({ code, output: lines.join("\n") }));
    child.once("error", (cause) => reject(signal?.aborted ? new LocalDatabaseError("aborted", "stopped on request", { cause }) : cause));
  });
}
