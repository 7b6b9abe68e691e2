/**
 * Owns a local database and writes to it as fast as it is answered; each acknowledgment is a line on standard output, written before anything else is
 * done, so that whoever reads it knows no less than a client would. It is there to be killed.
 *
 * Arguments: data folder, program, writers at once, first number.
 */
import { writeSync } from "node:fs";
import { MongoClient } from "mongodb";
import { openLocalDatabase } from "../../src/store/open.ts";

const [, , dataDir = "", program = "", writers = "8", first = "0"] = process.argv;
const say = (line: string): void => void writeSync(1, `${line}\n`);

const database = await openLocalDatabase({
  dataDir,
  programs: { mongodPath: program, searchPath: process.env.PATH ?? "" },
  cacheDir: dataDir,
  log: (line) => say(`log ${line}`),
});

const client = new MongoClient(database.uri, { maxPoolSize: Number(writers) });
const calls = client.db().collection<{ _id: number; version: number; text: string }>("calls");
const text = "您好，请问有什么可以帮您？".repeat(60);
let next = Number(first);

/** A call that comes in, then a review of it that is changed twice: each with the version before it in the filter. */
async function write(): Promise<void> {
  for (;;) {
    const id = next++;
    try {
      await calls.insertOne({ _id: id, version: 0, text });
      say(`ack ${id} 0`);
      for (const version of [1, 2]) {
        const { matchedCount } = await calls.updateOne({ _id: id, version: version - 1 }, { $set: { version } });
        say(`${matchedCount === 1 ? "ack" : "unmatched"} ${id} ${version}`);
        if (matchedCount !== 1) break;
      }
    } catch (error) {
      say(`error ${(error as Error).name}`);
    }
  }
}

await Promise.all(Array.from({ length: Number(writers) }, write));
