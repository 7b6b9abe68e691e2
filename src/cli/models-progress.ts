import cliProgress from "cli-progress";
import type { PullProgress } from "../weights/fetch-source.ts";
import { megabytes } from "../weights/space.ts";
import type { Terminal } from "./terminal.ts";

/** Shows how far a pull is, on stderr. */
export interface PullDisplay {
  at(progress: PullProgress): void;
  /** Runs `print` with the bar out of its way. */
  around(print: () => void): void;
  close(): void;
}

/** Where stderr is no terminal, a line so often. */
const LINE_EVERY_MS = 10_000;

const PHASES = { download: "fetching", unpack: "unpacking" } as const satisfies Record<PullProgress["phase"], string>;

/** A bar on a terminal, else a line now and then for logs. */
export function createPullProgress({ stderr }: Pick<Terminal, "stderr">): PullDisplay {
  return stderr.isTTY ? createBar(stderr) : createLines(stderr);
}

function createBar(stderr: NodeJS.WriteStream): PullDisplay {
  const bar = new cliProgress.SingleBar({
    stream: stderr,
    format: "{phase} {bar} {done} of {size} from {source}  {speed}",
    barsize: 24,
    hideCursor: true,
    clearOnComplete: true,
    linewrap: false,
    fps: 5,
  });
  const pace = createPace();
  let isShown = false;
  return {
    at({ phase, source, doneBytes, totalBytes }) {
      const payload = {
        phase: PHASES[phase],
        done: megabytes(doneBytes),
        size: megabytes(totalBytes),
        source,
        speed: pace(phase + source, doneBytes),
      };
      if (!isShown) bar.start(totalBytes, doneBytes, payload);
      isShown = true;
      bar.setTotal(totalBytes);
      bar.update(doneBytes, payload);
    },
    around(print) {
      if (isShown) stderr.write("\r\u001B[2K");
      print();
    },
    close() {
      if (isShown) bar.stop();
      isShown = false;
    },
  };
}

function createLines(stderr: NodeJS.WriteStream): PullDisplay {
  const pace = createPace();
  let lastAt = 0;
  let lastOf = "";
  return {
    at({ phase, source, doneBytes, totalBytes }) {
      const speed = pace(phase + source, doneBytes);
      const now = performance.now();
      if (phase + source === lastOf && now - lastAt < LINE_EVERY_MS) return;
      lastAt = now;
      lastOf = phase + source;
      stderr.write(`${PHASES[phase]}: ${megabytes(doneBytes)} of ${megabytes(totalBytes)} from ${source}${speed && `, ${speed}`}\n`);
    },
    around: (print) => print(),
    close() {},
  };
}

/** Bytes a second since what is at hand began; what an earlier try had fetched does not count. */
function createPace(): (what: string, doneBytes: number) => string {
  let current = "";
  let startedAt = 0;
  let startBytes = 0;
  return (what, doneBytes) => {
    const now = performance.now();
    if (what !== current || doneBytes < startBytes) {
      current = what;
      startedAt = now;
      startBytes = doneBytes;
    }
    const seconds = (now - startedAt) / 1000;
    return seconds > 0.5 ? `${megabytes((doneBytes - startBytes) / seconds)}/s` : "";
  };
}
