import { loadConfig } from "../config.ts";
import type { RescoreReport } from "../models/rescore.ts";
import { createRescore } from "../workers/rescore.ts";
import { openService } from "./service.ts";
import { untilStopped } from "./stop.ts";
import { EXIT, type Terminal } from "./terminal.ts";

export interface RescoreOptions {
  readonly dryRun?: true;
  readonly rules?: readonly string[];
  readonly form?: string;
  readonly json?: true;
  readonly tenant?: string;
  readonly data?: string;
}

const TELL_EVERY = 1_000;

/** `callsift rescore`: judges stored calls by the rules and the form in force, or says what would change. */
export async function rescoreCommand(options: RescoreOptions, terminal: Terminal): Promise<number> {
  const config = loadConfig();
  using stop = untilStopped();
  await using service = await openService({
    config: { ...config, dataDir: options.data ?? config.dataDir },
    terminal,
    signal: stop.signal,
    mayJoin: true,
  });
  let toldOf = 0;
  const rescore = createRescore({
    models: service.models,
    onProgress(calls) {
      if (!terminal.stderr.isTTY || calls - toldOf < TELL_EVERY) return;
      toldOf = calls;
      terminal.stderr.write(`\r\u001B[2K${calls} calls`);
    },
  });
  const { rules, form, dryRun = false, tenant = "default" } = options;
  const report = await rescore({ tenant, by: "system", dryRun, ...(rules && { rules }), ...(form !== undefined && { form }) }, stop.signal);
  if (terminal.stderr.isTTY) terminal.stderr.write("\r\u001B[2K");
  terminal.stdout.write(options.json ? `${JSON.stringify(report)}\n` : `${textOf(report).join("\n")}\n`);
  return EXIT.done;
}

function textOf({ dryRun, calls, changed, reviewed, skipped, rules, scores, bands, examples }: RescoreReport): string[] {
  return [
    `${calls} calls judged again, ${changed} ${dryRun ? "would change" : "changed"}${reviewed > 0 ? ` (of ${reviewed} the review is done: their final score stays)` : ""}${skipped > 0 ? `, ${skipped} passed over: their words are gone` : ""}`,
    `scores: ${scores.raised} higher, ${scores.lowered} lower, mean ${scores.meanBefore ?? "–"} → ${scores.meanAfter ?? "–"}`,
    ...rules.map(({ rule, before, after, gained, lost }) => `rule ${rule}: ${before} → ${after} calls (+${gained} −${lost})`),
    ...bands.map(({ from, to, calls: moved }) => `band ${from} → ${to}: ${moved} calls`),
    ...examples.slice(0, 10).map(({ callId, scoreBefore, scoreAfter }) => `e.g. ${callId}: ${scoreBefore} → ${scoreAfter}`),
  ];
}
