import { type Command, InvalidArgumentError, Option } from "commander";
import type { Terminal } from "./terminal.ts";

const rate = (text: string): number => {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : 0;
  if (value <= 0 || value > 100_000) throw new InvalidArgumentError("expected calls a second, more than 0 and at most 100000.");
  return value;
};

const ids = (text: string): string[] => text.split(",").map((id) => id.trim());

const DATA = "data folder (default: CALLSIFT_DATA, else ./data); of a service that runs, too";

/** The commands that work on stored calls. */
export function addWorkCommands(program: Command, terminal: Terminal, finish: (exitCode: number) => void): void {
  program
    .command("import")
    .description("store all recordings below a folder; workers screen them when nothing more urgent waits")
    .argument("<folder>", "folder of recordings; they stay where they are")
    .option("--meta <file.csv>", "metadata of the calls, a row each, with a `file` column")
    .option(
      "--pattern <pattern>",
      "what names say, e.g. {startedAt:yyyyMMddHHmmss}_{agentId}_{customerNumber}.wav (default: CALLSIFT_NAME_PATTERN)",
    )
    .option("--preview", "only show what names would say, and which say nothing")
    .option("--rate <n>", "calls a second at most (default: as fast as they can be read)", rate)
    .option("--tenant <name>", "whose calls they are")
    .option("--data <dir>", DATA)
    .addHelpText(
      "after",
      `
Examples:
  callsift import --preview --pattern "{startedAt:yyyyMMddHHmmss}_{agentId}.wav" /archive
  callsift import --meta calls.csv --rate 20 /archive

It can be stopped at any moment; the same command goes on from there, and nothing is stored twice.
Exit code: 0 all stored, 3 some were not (each is named), 130 stopped.`,
    )
    .action(async (folder: string, options) => {
      const { importCommand } = await import("./import.ts");
      finish(await importCommand(folder, options, terminal));
    });
  program
    .command("rescore")
    .description("judge stored calls by the rules and the form in force, without listening again")
    .option("--dry-run", "only say what would change")
    .option("--rules <ids>", "bring only these rules to their version in force, with commas between", ids)
    .option("--form <id>", "form instead of the active one")
    .option("--json", "print the report as JSON")
    .option("--tenant <name>", "whose calls")
    .option("--data <dir>", DATA)
    .addHelpText("after", "\nExamples:\n  callsift rescore --dry-run\n  callsift rescore --rules forbidden-phrase,insult")
    .action(async (options) => {
      const { rescoreCommand } = await import("./rescore.ts");
      finish(await rescoreCommand(options, terminal));
    });
  program
    .command("retention")
    .description("say what is older than the settings allow, and with --apply remove it")
    .option("--apply", "remove it")
    .addOption(new Option("--dry-run", "remove nothing, as without --apply").conflicts("apply"))
    .addOption(new Option("--queue <queue>", "only calls of this outcome").choices(["review", "pass", "unusable"]))
    .option("--tenant <name>", "whose calls")
    .option("--data <dir>", DATA)
    .addHelpText("after", "\nExamples:\n  callsift retention\n  callsift retention --apply --queue pass")
    .action(async (options) => {
      const { retentionCommand } = await import("./retention.ts");
      finish(await retentionCommand(options, terminal));
    });
  program
    .command("forget")
    .description("remove everything of one customer, and print what, where and how much as JSON")
    .argument("<number>", "the customer's number as it is in the metadata")
    .option("--dry-run", "only say what there is")
    .option("--tenant <name>", "whose calls")
    .option("--data <dir>", DATA)
    .addHelpText("after", "\nExample:\n  callsift forget 13800138000 > receipt.json")
    .action(async (customerNumber: string, options) => {
      const { forgetCommand } = await import("./retention.ts");
      finish(await forgetCommand(customerNumber, options, terminal));
    });
}
