import { CallsiftError } from "../pipeline/errors.ts";
import { readRules } from "../pipeline/policies.ts";
import { checkRules } from "../pipeline/rules/check.ts";
import { EXIT, type Terminal } from "./terminal.ts";

/** `callsift rules check`: validates every file and runs its examples; one line per fault. Exit 0 when all hold, else 2. */
export async function rulesCheckCommand(files: readonly string[], { stdout, stderr }: Terminal): Promise<number> {
  let wrong = 0;
  for (const file of files) {
    try {
      const { rules, results } = checkRules(await readRules(file), file);
      const failed = results.filter(({ ok }) => !ok);
      for (const { rule, kind, index, expected, came } of failed) {
        stderr.write(`rules/example-failed: ${file}: ${rule}: examples.${kind}[${index}]: expected ${expected}, got ${came}\n`);
      }
      wrong += failed.length;
      const without = rules.rules.filter(({ examples }) => !examples?.hit?.length || !examples.miss?.length).map(({ id }) => id);
      const hint = without.length > 0 ? `; no must-hit or must-not-hit examples: ${without.join(", ")}` : "";
      stdout.write(`${file}: ${rules.rules.length} rules, ${results.length - failed.length} of ${results.length} examples right${hint}\n`);
    } catch (error) {
      if (!(error instanceof CallsiftError)) throw error;
      stderr.write(`${error.code}: ${error.message}\n`);
      wrong++;
    }
  }
  return wrong > 0 ? EXIT.usage : EXIT.done;
}
