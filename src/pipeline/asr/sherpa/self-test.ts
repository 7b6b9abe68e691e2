import { type ChildProcess, type ForkOptions, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { CallsiftError, type ErrorCode } from "../../errors.ts";
import type { TrialOrder, TrialReport } from "./trial.ts";

export interface TrialOptions {
  readonly signal?: AbortSignal | undefined;
  /** ms. */
  readonly deadlineMs?: number | undefined;
}

/** What the child says, where it lives to say it. */
export type TrialAnswer = { readonly report: TrialReport } | { readonly code: ErrorCode; readonly message: string };

const DEADLINE_MS = 120_000;

/**
 * Tries weights in a child process, for sherpa-onnx ends or crashes the process that loads weights it dislikes.
 *
 * @throws CallsiftError `weights/foreign` where the child ended, crashed or hung over them; `asr/failed` where the machine ended it; `asr/not-available`, `aborted`
 */
export async function runTrial(order: TrialOrder, { signal, deadlineMs = DEADLINE_MS }: TrialOptions = {}): Promise<TrialReport> {
  const aborted = () => new CallsiftError("aborted", "stopped on request while weights were tried");
  if (signal?.aborted) throw aborted();
  const child = startChild();
  let said = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    said = `${said}${chunk.toString()}`.slice(-2_000);
  });
  return await new Promise<TrialReport>((resolve, reject) => {
    const timer = setTimeout(
      () => stop(new CallsiftError("weights/foreign", `the weights were not loaded and tried within ${deadlineMs} ms`)),
      deadlineMs,
    );
    const onAbort = () => stop(aborted());
    const settle = (end: () => void) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      end();
    };
    const stop = (error: CallsiftError) => {
      child.kill("SIGKILL");
      settle(() => reject(error));
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    child.on("message", (answer: TrialAnswer) => {
      settle(() => ("report" in answer ? resolve(answer.report) : reject(new CallsiftError(answer.code, answer.message))));
      child.disconnect();
    });
    child.on("error", (cause) =>
      settle(() => reject(new CallsiftError("asr/failed", "no process could be started to try the weights in", { cause }))),
    );
    child.on("exit", (code, killedBy) => {
      if (killedBy === "SIGKILL") {
        return settle(() =>
          reject(new CallsiftError("asr/failed", "the process that tried the weights was killed from outside, likely for want of memory")),
        );
      }
      const how = killedBy ? `was ended by ${killedBy}` : `ended with exit code ${code}`;
      settle(() => reject(new CallsiftError("weights/foreign", `the process that tried the weights ${how}${lastLine(said)}`)));
    });
    child.send(order);
  });
}

/** What the native code said last, without the place in its source. */
function lastLine(said: string): string {
  const line = said
    .split("\n")
    .filter((one) => one.trim() !== "")
    .at(-1);
  return line === undefined ? "" : `: ${line.replace(/^\S*\/\S+:\d+\s*/u, "").slice(0, 200)}`;
}

function startChild(): ChildProcess {
  const options: ForkOptions = { stdio: ["ignore", "ignore", "pipe", "ipc"], execArgv: ["--expose-gc"], serialization: "advanced" };
  if (!import.meta.url.endsWith(".ts")) return fork(fileURLToPath(new URL("./trial-child.js", import.meta.url)), options);
  const loader = ["--expose-gc", "--import", import.meta.resolve("tsx")];
  return fork(fileURLToPath(new URL("./trial-child.ts", import.meta.url)), { ...options, execArgv: loader });
}
