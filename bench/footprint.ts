// Start to first result, and memory, of the built command as a whole process.
//   npm run build && npx tsx bench/footprint.ts
import { spawnSync } from "node:child_process";
import {
  closeSync,
  copyFileSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { wav } from "../test/support/audio-files.ts";
import { median, report } from "./report.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), "callsift-bench-"));

/** One run: wall milliseconds and peak MiB. */
function run(args: readonly string[]): { ms: number; mib: number } {
  const rssFile = join(scratch, "rss");
  const startedAt = performance.now();
  const { status, stderr } = spawnSync(
    process.execPath,
    ["--import", join(root, "bench/report-memory.mjs"), join(root, "bin/callsift.js"), ...args],
    {
      env: { ...process.env, BENCH_RSS_FILE: rssFile },
      encoding: "utf8",
      maxBuffer: 1 << 30,
    },
  );
  if (status !== 0) throw new Error(`${args.join(" ")}: exit ${status}: ${stderr}`);
  return { ms: performance.now() - startedAt, mib: Number(readFileSync(rssFile, "utf8")) / 1024 };
}

/** A stereo µ-law WAV of the given length made of speech: the fixtures' spoken lines in turn, a second apart, sides alternating. Answers a transcript of it. */
function speechCall(path: string, seconds: number): string {
  const said: { channel: number; startMs: number; endMs: number }[] = [];
  const lines = join(root, "fixtures/lines");
  const clips = readdirSync(lines)
    .filter((name) => name.endsWith(".wav"))
    .sort()
    .map((name) => {
      const file = readFileSync(join(lines, name));
      return file.subarray(file.indexOf("data") + 8);
    });
  const minute = Buffer.alloc(60 * 16_000, 0xff);
  for (let at = 4000, i = 0; ; i++) {
    const clip = clips[i % clips.length] as Buffer;
    if (at + clip.length >= 60 * 8000) break;
    for (let k = 0; k < clip.length; k++) minute[(at + k) * 2 + (i % 2)] = clip[k] as number;
    said.push({ channel: i % 2, startMs: at / 8, endMs: Math.floor((at + clip.length) / 8) });
    at += clip.length + 8000;
  }
  const dataBytes = seconds * 16_000;
  const header = wav({ tag: 7, channels: 2, bits: 8, data: Buffer.alloc(0), dataSize: dataBytes });
  const file = openSync(path, "w");
  ftruncateSync(file, header.length + dataBytes);
  writeSync(file, header, 0, header.length, 0);
  for (let s = 0; s < seconds; s += 60) writeSync(file, minute, 0, Math.min(60, seconds - s) * 16_000, header.length + s * 16_000);
  closeSync(file);
  const utterances = Array.from({ length: seconds / 60 }, (_, minute) =>
    said.map(({ channel, startMs, endMs }) => ({
      channel,
      startMs: Math.round(startMs) + minute * 60_000,
      endMs: endMs + minute * 60_000,
      text: "您好，请问有什么可以帮您？请稍等，我帮您查询一下订单的状态。",
    })),
  ).flat();
  return JSON.stringify({ language: "zh", utterances });
}

try {
  const minute = join(scratch, "minute.wav");
  speechCall(minute, 60);
  const starts = Array.from({ length: 9 }, () => run(["screen", "--json", minute]).ms).slice(1);

  const ten = join(scratch, "ten");
  mkdirSync(ten);
  const fiveMinutes = join(ten, "0.wav");
  const transcript = speechCall(fiveMinutes, 300);
  for (let i = 0; i < 10; i++) {
    if (i > 0) copyFileSync(fiveMinutes, join(ten, `${i}.wav`));
    writeFileSync(join(ten, `${i}.transcript.json`), transcript);
  }
  const calls = run(["screen", "--json", "--concurrency", "10", ten]);

  const long = join(scratch, "six-hours.wav");
  speechCall(long, 6 * 3600);
  const sixHours = run(["screen", "--json", long]);

  const startMs = median(starts);
  report(
    "footprint",
    [
      {
        what: "start to result of screen, one 60 s stereo call",
        measured: `${startMs.toFixed(0)} ms (median of ${starts.length})`,
        bar: "≤ 700 ms",
        met: startMs <= 700,
      },
      { what: "peak memory, 10 calls at once", measured: `${calls.mib.toFixed(0)} MiB`, bar: "≤ 450 MB", met: calls.mib * 1.048576 <= 450 },
      {
        what: "peak memory, a 6-hour stereo call",
        measured: `${sixHours.mib.toFixed(0)} MiB in ${(sixHours.ms / 1000).toFixed(1)} s`,
        bar: "≤ 600 MB",
        met: sixHours.mib * 1.048576 <= 600,
      },
    ],
    { startsMs: starts.map(Math.round), calls, sixHours },
  );
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
