import { type Command, InvalidArgumentError } from "commander";
import type { Terminal } from "./terminal.ts";

const port = (text: string): number => {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > 65_535) throw new InvalidArgumentError("expected a port from 1 to 65535.");
  return value;
};

const DATA = "data folder of the local database (default: CALLSIFT_DATA, else ./data)";

/** The commands of the local database. */
export function addStoreCommands(program: Command, terminal: Terminal, finish: (exitCode: number) => void): void {
  const store = program
    .command("store")
    .description("the local database: run it alone, fetch its program, export and import")
    .option("--data <dir>", DATA)
    .option("--port <n>", "port to listen on, on the loopback interface (default: that of last time, else any that is free)", port)
    .addHelpText(
      "after",
      "\nWithout a command it runs the database until Ctrl-C and prints its address, with the password in it, for other programs on this machine.\n\nExample:\n  callsift store --data /srv/callsift",
    )
    .action(async (options) => {
      const { storeCommand } = await import("./store.ts");
      finish(await storeCommand(options, terminal));
    });
  store
    .command("fetch")
    .description("fetch a database program into the user's cache: MongoDB's own build, else SecantusDB from the Python index")
    .option("--from <path>", "take what was carried in: MongoDB's archive (.tgz), a folder or .tar of SecantusDB's wheels, or a program")
    .option("--requirements", "print what SecantusDB needs, with hashes, for pip download -r on a machine with a network")
    .addHelpText(
      "after",
      "\nExamples:\n  callsift store fetch\n  callsift store fetch --from /media/usb/mongodb-linux-x86_64-debian12-8.0.17.tgz",
    )
    .action(async (options) => {
      const { storeFetchCommand } = await import("./store.ts");
      finish(await storeFetchCommand(options, terminal));
    });
  store
    .command("export")
    .description("write every document into a folder or an archive, as newline JSON with counts and hashes")
    .argument("<path>", "a new folder, or a file that ends with .tar.gz, .tgz or .tar")
    .option("--uri <address>", "database to read (default: MONGODB_URI, else the local one)")
    .option("--data <dir>", DATA)
    .addHelpText("after", "\nExample:\n  callsift store export backup-2026-11-26.tar.gz --data /srv/callsift")
    .action(async (path: string, _options, command: Command) => {
      const { storeExportCommand } = await import("./store.ts");
      finish(await storeExportCommand(path, command.optsWithGlobals(), terminal));
    });
  store
    .command("import")
    .description("bring an export into an empty database, and check it there")
    .argument("<path>", "a folder or an archive made by callsift store export")
    .option("--uri <address>", "database to write (default: MONGODB_URI, else the local one)")
    .option("--data <dir>", DATA)
    .option("--resume", "go on with an import that was cut")
    .addHelpText("after", "\nExample:\n  callsift store import backup-2026-11-26.tar.gz --uri mongodb://db.example/callsift")
    .action(async (path: string, _options, command: Command) => {
      const { storeImportCommand } = await import("./store.ts");
      finish(await storeImportCommand(path, command.optsWithGlobals(), terminal));
    });
}
