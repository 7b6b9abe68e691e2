/** Opens the local database of a folder in a process of its own, prints its address and its server's number, and stays until it is killed. */
import { openLocalDatabase } from "../../src/store/open.ts";

const [, , dataDir = "", mongodPath = ""] = process.argv;
const database = await openLocalDatabase({
  dataDir,
  programs: { mongodPath, searchPath: process.env.PATH ?? "" },
  cacheDir: dataDir,
  cacheMegabytes: 64,
});
process.stdout.write(`${JSON.stringify({ uri: database.uri, pid: database.pid })}\n`);
process.once("SIGTERM", () => {
  void database[Symbol.asyncDispose]().then(() => process.exit(0));
});
setInterval(() => {}, 1000);
