import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { addServiceCommands } from "./cli/service-commands.ts";
import { addStoreCommands } from "./cli/store-commands.ts";
import { EXIT, type Terminal } from "./cli/terminal.ts";
import { addWorkCommands } from "./cli/work-commands.ts";
import { toCallsiftError } from "./pipeline/errors.ts";
import { VERSION } from "./version.ts";

const positiveInteger = (text: string): number => {
  const value = /^\d+$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > 256) throw new InvalidArgumentError("expected a whole number from 1 to 256.");
  return value;
};

/** The commands with their options; `finish` takes the exit code of the one that ran. */
export function createProgram(terminal: Terminal = process, finish: (exitCode: number) => void = () => {}): Command {
  const program = new Command("callsift")
    .description("Screens every call of a call centre and hands inspectors evidence to confirm.")
    .version(VERSION)
    .exitOverride()
    .configureOutput({ writeOut: (text) => terminal.stdout.write(text), writeErr: (text) => terminal.stderr.write(text) });

  program
    .command("screen")
    .description("screen recordings in this process, without a database")
    .argument("<path...>", "recordings, or folders of recordings")
    .option("--json", "print one JSON object a line (callsift.screening/1), in input order")
    .option("--details", "print each finding with its place, words and reason under the table row")
    .addOption(
      new Option("--engine <name>", "speech recognition")
        .choices(["auto", "sherpa", "whisper", "openai", "import", "none"])
        .default("auto"),
    )
    .option("--weights <name>", "installed speech weights to use (callsift models list)")
    .addOption(new Option("--language <language>", "language of the calls").choices(["zh", "en", "auto"]))
    .addOption(new Option("--agent-channel <channel>", "which channel is the agent").choices(["0", "1", "auto"]).default("auto"))
    .option("--form <form>", "id of a built-in scoring form, or a file")
    .option("--rules <file...>", "rule files; a rule replaces the built-in one of the same id")
    .option("--meta <file.csv>", "metadata of the calls, a row each, with a `file` column")
    .option("--raw <coding:hz:channels>", "read the recordings as headerless samples, e.g. mulaw:8000:1")
    .option("--concurrency <n>", "calls worked on at once (default: the cores)", positiveInteger)
    .option("--out <dir>", "also write one JSON file per recording into this folder")
    .addHelpText(
      "after",
      `
Examples:
  callsift screen calls/                          a folder, as a table
  callsift screen --details call.wav              one call with all its evidence
  callsift screen --json calls/ > results.jsonl   for other programs
  callsift screen --meta calls.csv --out results/ calls/
  callsift screen --raw alaw:8000:1 dump.bin      a recording without a header

Beside call.wav, call.transcript.json (or .vtt, .srt) gives its words and call.meta.json what is known of it.
Exit code: 0 all screened, 3 some failed, 2 bad usage, 130 interrupted.`,
    )
    .action(async (paths: string[], options) => {
      const { screenCommand } = await import("./cli/screen.ts");
      finish(await screenCommand(paths, options, terminal));
    });

  const rules = program.command("rules").description("work with rule files");
  rules
    .command("check")
    .description("validate rule files and run their must-hit and must-not-hit examples")
    .argument("<file...>", "rule files, YAML or JSON")
    .addHelpText("after", "\nExamples:\n  callsift rules check rules/bank.yaml\n  callsift rules check rules/*.yaml")
    .action(async (files: string[]) => {
      const { rulesCheckCommand } = await import("./cli/rules-check.ts");
      finish(await rulesCheckCommand(files, terminal));
    });

  addServiceCommands(program, terminal, finish);
  addWorkCommands(program, terminal, finish);

  const models = program.command("models").description("speech weights: fetch, add by hand, check, remove");
  models
    .command("list")
    .description("what is installed and what can be had, with sizes and licences")
    .option("--json", "print it as JSON")
    .action(async (options) => {
      const { modelsListCommand } = await import("./cli/models.ts");
      finish(await modelsListCommand(options, terminal));
    });
  models
    .command("pull")
    .description("fetch weights of the catalogue; goes on where an earlier try was cut")
    .argument("<name>", "name in the catalogue (callsift models list)")
    .addHelpText(
      "after",
      "\nExamples:\n  callsift models pull sense-voice-small\n  CALLSIFT_MODELS_URL=https://mirror.example/weights callsift models pull whisper-base",
    )
    .action(async (name: string) => {
      const { modelsPullCommand } = await import("./cli/models.ts");
      finish(await modelsPullCommand(name, terminal));
    });
  models
    .command("add")
    .description("add weights that were carried in by hand")
    .argument("<path...>", "a folder, an archive (.tar.bz2, .tar.gz, .tar, .zip), or the files one by one")
    .option("--name <name>", "what to call them (default: as in the catalogue, else as the folder)")
    .addHelpText("after", "\nExample:\n  callsift models add /media/usb/sherpa-onnx-sense-voice-zh-en-ja-ko-yue-int8-2024-07-17.tar.bz2")
    .action(async (paths: string[], options) => {
      const { modelsAddCommand } = await import("./cli/models.ts");
      finish(await modelsAddCommand(paths, options, terminal));
    });
  models
    .command("verify")
    .description("check hashes and structure, and load them in a process of its own")
    .argument("[name]", "default: all that are installed")
    .option("--json", "print it as JSON")
    .addHelpText("after", "\nExit code: 0 all right, 3 something is wrong.")
    .action(async (name: string | undefined, options) => {
      const { modelsVerifyCommand } = await import("./cli/models.ts");
      finish(await modelsVerifyCommand(name, options, terminal));
    });
  models
    .command("remove")
    .description("remove installed weights")
    .argument("<name>", "name of installed weights")
    .action(async (name: string) => {
      const { modelsRemoveCommand } = await import("./cli/models.ts");
      finish(await modelsRemoveCommand(name, terminal));
    });

  addStoreCommands(program, terminal, finish);

  program
    .command("doctor")
    .description("check ffmpeg, speech, the database, the queue, disk and settings, and say what to do")
    .option("--json", "print the findings as JSON")
    .addHelpText("after", "\nExample:\n  callsift doctor")
    .action(async (options) => {
      const { doctorCommand } = await import("./cli/doctor.ts");
      finish(await doctorCommand(options, terminal));
    });

  return program;
}

/**
 * Runs the command line.
 *
 * @param argv - The arguments after the program's name.
 * @returns The exit code of contracts.md §1.
 */
export async function run(argv: readonly string[], terminal: Terminal = process): Promise<number> {
  let exitCode: number = EXIT.done;
  try {
    const program = createProgram(terminal, (code) => {
      exitCode = code;
    });
    await program.parseAsync(argv, { from: "user" });
    return exitCode;
  } catch (error) {
    // Commander has already printed its message; help and version end with code 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    const failure = toCallsiftError(error);
    terminal.stderr.write(`callsift: ${failure.code}: ${failure.message}\n`);
    if (failure.code !== "internal/bug") return EXIT.usage;
    terminal.stderr.write(`${failure.cause instanceof Error ? failure.cause.stack : String(failure.cause)}\n`);
    return EXIT.bug;
  }
}
