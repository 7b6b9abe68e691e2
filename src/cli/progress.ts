import cliProgress from "cli-progress";
import type { Terminal } from "./terminal.ts";

/** A progress line on stderr: calls, hours of sound, speed and time left. Does nothing where stderr is no terminal. */
export interface Progress {
  /** Sound of a call heard so far. */
  heard(call: number, doneMs: number): void;
  finished(call: number, durationMs: number): void;
  /** Runs `print` with the bar out of its way: both may be on one screen. */
  around(print: () => void): void;
  close(): void;
}

const SILENT: Progress = { heard() {}, finished() {}, around: (print) => print(), close() {} };

/** Starts the line. `sharesScreen`: results are printed to the same terminal in between. */
export function createProgress({ stderr }: Pick<Terminal, "stderr">, calls: number, sharesScreen: boolean): Progress {
  if (!stderr.isTTY) return SILENT;
  const bar = new cliProgress.SingleBar({
    stream: stderr,
    format: "{bar} {value}/{total} calls  {hours} h of sound  {speed} × real time  {left} left",
    barsize: 16,
    hideCursor: true,
    clearOnComplete: true,
    linewrap: false,
    fps: 5,
  });
  const heardMs = new Map<number, number>();
  let finishedMs = 0;
  let finishedCalls = 0;
  const startedAt = performance.now();
  const payload = (): Record<string, string> => {
    const totalMs = finishedMs + [...heardMs.values()].reduce((sum, ms) => sum + ms, 0);
    const elapsedMs = performance.now() - startedAt;
    // By calls, not by sound: how long the waiting ones are is not known before they are opened.
    const leftS = finishedCalls > 0 ? ((elapsedMs / finishedCalls) * (calls - finishedCalls)) / 1000 : Number.NaN;
    return {
      hours: (totalMs / 3_600_000).toFixed(2),
      speed: elapsedMs > 0 ? (totalMs / elapsedMs).toFixed(0) : "0",
      left: Number.isNaN(leftS) ? "–" : clock(leftS),
    };
  };
  bar.start(calls, 0, payload());
  return {
    heard(call, doneMs) {
      heardMs.set(call, doneMs);
      bar.update(finishedCalls, payload());
    },
    finished(call, durationMs) {
      heardMs.delete(call);
      finishedMs += durationMs;
      finishedCalls++;
      bar.update(finishedCalls, payload());
    },
    around(print) {
      if (sharesScreen) stderr.write("\r\u001B[2K");
      print();
    },
    close: () => bar.stop(),
  };
}

/** Seconds as `m:ss` or `h:mm:ss`. */
export function clock(seconds: number): string {
  const whole = Math.round(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value: number): string => String(value).padStart(2, "0");
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
