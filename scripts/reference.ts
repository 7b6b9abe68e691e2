import type { Command } from "commander";
import { createProgram } from "../src/cli.ts";
import { SETTINGS } from "../src/config.ts";
import { ERRORS } from "../src/pipeline/errors.ts";
import { OPERATORS } from "../src/pipeline/operators/index.ts";

/** The pages of docs/reference that are written from the code; a test holds the committed ones equal. */
export function referencePages(): Record<string, string> {
  return { "errors.md": errorsPage(), "config.md": configPage(), "cli.md": cliPage(), "operators.md": operatorsPage() };
}

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => "---"), ...rows]
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`)
    .join("\n");

function errorsPage(): string {
  const rows = Object.entries(ERRORS).map(([code, { healable, meaning }]) => [`\`${code}\``, meaning, healable ? "yes" : "no"]);
  return `# Error codes

Every failure that callsift names. In results: \`error.code\`; on a terminal: the word before the colon.

${table(["code", "meaning", "may succeed when tried again unchanged"], rows)}
`;
}

/** Defaults that differ by machine. */
const OF_THE_MACHINE: Readonly<Record<string, string>> = { CALLSIFT_CONCURRENCY: "the cores", CALLSIFT_TIME_ZONE: "the machine's" };

function defaultOf(fallback: unknown): string {
  if (fallback === null || (Array.isArray(fallback) && fallback.length === 0)) return "–";
  return typeof fallback === "boolean" ? `\`${fallback ? "yes" : "no"}\`` : `\`${fallback}\``;
}

function configPage(): string {
  const rows = Object.entries(SETTINGS).map(([name, { fallback, expected, meaning }]) => [
    `\`${name}\``,
    expected,
    OF_THE_MACHINE[name] ?? defaultOf(fallback),
    meaning,
  ]);
  return `# Settings

Environment variables. All faults in them are reported at once at start; \`callsift doctor\` prints what is in force.

${table(["name", "expected", "default", "meaning"], rows)}

Also read: \`PATH\` (where ffmpeg is looked for), \`NO_COLOR\`, and \`LC_ALL\`, \`LC_MESSAGES\`, \`LANG\` (findings are told in Chinese where these begin with \`zh\`).
`;
}

/** A command that only holds others has no page; one that also does something itself has. */
function withItsOwn(command: Command): readonly Command[] {
  const isGroup = command.commands.length > 0 && command.options.length === 0;
  return [...(isGroup ? [] : [command]), ...command.commands];
}

function cliPage(): string {
  const program = createProgram();
  const pages = [program, ...program.commands.flatMap(withItsOwn)].map((command) => {
    let text = "";
    command.configureOutput({ writeOut: (part) => (text += part), getOutHelpWidth: () => 100, getOutHasColors: () => false });
    command.outputHelp();
    const names = [];
    for (let at: typeof command | null = command; at; at = at.parent) names.unshift(at.name());
    return `## ${names.join(" ")}\n\n\`\`\`text\n${text.trim()}\n\`\`\`\n`;
  });
  return `# Commands\n\n${pages.join("\n")}`;
}

interface OptionSchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
}

function operatorsPage(): string {
  const sections = Object.values(OPERATORS).map(({ id, description, options }) => {
    const rows = Object.entries(options.properties as Record<string, OptionSchema>).map(
      ([name, { description: told, default: standard }]) => [
        `\`${name}\``,
        told ?? "",
        standard === undefined ? (options.required?.includes(name) ? "required" : "–") : `\`${shorten(JSON.stringify(standard))}\``,
      ],
    );
    return `## ${id}\n\n${description.en}\n\n${description.zh}\n\n${rows.length > 0 ? table(["option", "meaning", "default"], rows) : "No options."}\n`;
  });
  return `# Operators\n\nWhat a rule can be built of. Times in options name their unit.\n\n${sections.join("\n")}`;
}

function shorten(text: string): string {
  return text.length > 120 ? `${text.slice(0, 117)}…` : text;
}
