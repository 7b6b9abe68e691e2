/**
 * An API process for bench/api.ts: `server.ts DATA_DIR MONGODB_URI`. Told by IPC what to do; the queue only takes notice.
 */
import { Writable } from "node:stream";
import { pino } from "pino";
import { createApp } from "../../src/api/app.ts";
import { createFirstAdmin } from "../../src/api/auth/first-admin.ts";
import { loadConfig } from "../../src/config.ts";
import { openModels } from "../../src/models/open.ts";
import { openDiskFiles } from "../../src/models/recording-disk.ts";
import { readBuiltins } from "../../src/pipeline/policies.ts";

const [dataDir = "", uri = ""] = process.argv.slice(2);
const config = loadConfig({ CALLSIFT_DATA: dataDir, CALLSIFT_ADMIN_PASSWORD: "password of the bench" });
const models = await openModels(uri);
await models.migrate();
await models.policies.seed(await readBuiltins());
await createFirstAdmin(models, config);
const depth = { waiting: 0, active: 0, delayed: 0, failed: 0, oldestMs: 0 };
const app = await createApp({
  models,
  files: openDiskFiles(dataDir, { minFreeBytes: config.minFreeBytes }),
  schedule: {
    enqueue: async () => {},
    depth: async () => ({ listen: depth, score: depth }),
    pause: async () => {},
    resume: async () => {},
    ping: async () => {},
    [Symbol.asyncDispose]: async () => {},
  },
  config,
  // Lines are made as in service, and thrown away.
  log: pino({ level: "info" }, new Writable({ write: (_chunk, _encoding, done) => done() })),
  rescore: async () => await Promise.reject(new Error("no re-score in this bench")),
  version: "0.0.0",
});
const address = await app.listen({ host: "127.0.0.1", port: 0 });
process.on("message", (question) => {
  if (question === "usage")
    process.send?.({
      cpuMs: (process.cpuUsage().user + process.cpuUsage().system) / 1000,
      residentMb: process.memoryUsage.rss() / 2 ** 20,
    });
  if (question === "stop") process.exit(0);
});
process.send?.({ address });
