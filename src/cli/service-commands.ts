import { type Command, InvalidArgumentError, Option } from "commander";
import { USER_ROLES } from "../models/people.ts";
import type { Terminal } from "./terminal.ts";

const port = (text: string): number => {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= 65_535)) throw new InvalidArgumentError("expected a port from 0 to 65535 (0: any that is free).");
  return value;
};

const engineOption = () =>
  new Option("--engine <name>", "speech recognition").choices(["auto", "sherpa", "whisper", "openai", "import", "none"]).default("auto");

/** The commands of the service: what runs it, and who may use it. */
export function addServiceCommands(program: Command, terminal: Terminal, finish: (exitCode: number) => void): void {
  program
    .command("serve")
    .description("the whole service in one process: API and workers, with a database of its own where MONGODB_URI is unset")
    .option("--data <dir>", "data folder (default: CALLSIFT_DATA, else ./data)")
    .option("--port <n>", "port to listen on (default: CALLSIFT_PORT, else 8080)", port)
    .option("--host <address>", "address to listen on (default: CALLSIFT_HOST, else 127.0.0.1)")
    .addOption(engineOption())
    .option("--weights <name>", "installed speech weights to use (callsift models list)")
    .option("--sign-in-link", "print a link that signs the user admin in, once, within 15 minutes")
    .addHelpText(
      "after",
      "\nExamples:\n  callsift serve\n  callsift serve --data /srv/callsift --port 9000\n\nSIGTERM or Ctrl-C: what runs is finished or handed back within 30 s.",
    )
    .action(async (options) => {
      const { serveCommand } = await import("./serve.ts");
      finish(await serveCommand(options, terminal));
    });
  program
    .command("api")
    .description("the API alone, over MONGODB_URI and REDIS_URL; workers run elsewhere")
    .option("--data <dir>", "data folder: recordings, where no CALLSIFT_S3_URL is set (default: CALLSIFT_DATA, else ./data)")
    .option("--port <n>", "port to listen on (default: CALLSIFT_PORT, else 8080)", port)
    .option("--host <address>", "address to listen on (default: CALLSIFT_HOST, else 127.0.0.1)")
    .addHelpText("after", "\nExample:\n  MONGODB_URI=mongodb://db/callsift REDIS_URL=redis://queue callsift api --host 0.0.0.0")
    .action(async (options) => {
      const { apiCommand } = await import("./serve.ts");
      finish(await apiCommand(options, terminal));
    });
  program
    .command("worker")
    .description("works on calls, over MONGODB_URI and REDIS_URL; as many on as many machines as there is work for")
    .option("--data <dir>", "data folder: recordings, where no CALLSIFT_S3_URL is set (default: CALLSIFT_DATA, else ./data)")
    .addOption(engineOption())
    .option("--weights <name>", "installed speech weights to use (callsift models list)")
    .addHelpText("after", "\nExample:\n  MONGODB_URI=mongodb://db/callsift REDIS_URL=redis://queue callsift worker")
    .action(async (options) => {
      const { workerCommand } = await import("./serve.ts");
      finish(await workerCommand(options, terminal));
    });
  const user = program.command("user").description("who may sign in");
  user
    .command("add")
    .description("add a user; the password is read from standard input")
    .argument("<name>", "what they sign in with")
    .addOption(new Option("--role <role>", "what they may do").choices([...USER_ROLES]).makeOptionMandatory())
    .option("--full-name <text>", "their name (default: as they sign in)")
    .option("--team <team>", "of a leader: whose calls they see")
    .option("--agent-id <id>", "of an agent: whose calls they see")
    .option("--data <dir>", "data folder of the local database (default: CALLSIFT_DATA, else ./data)")
    .addHelpText("after", "\nExample:\n  callsift user add li.na --role inspector < password.txt")
    .action(async (name: string, options) => {
      const { userAddCommand } = await import("./user-add.ts");
      finish(await userAddCommand(name, options, terminal));
    });
}
