// Loaded with --import into the process that is measured: writes its peak memory (KiB) to the file that BENCH_RSS_FILE names.
import { writeFileSync } from "node:fs";
import { isMainThread } from "node:worker_threads";

if (isMainThread) process.on("exit", () => writeFileSync(process.env.BENCH_RSS_FILE, String(process.resourceUsage().maxRSS)));
