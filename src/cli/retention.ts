import { derivedFiles } from "../api/audio/derived.ts";
import { loadConfig } from "../config.ts";
import type { Triage } from "../pipeline/types.ts";
import type { EraseDeps } from "../workers/erase-call.ts";
import { applyRetention, deleteCustomer } from "../workers/retention.ts";
import { openService, type Service } from "./service.ts";
import { untilStopped } from "./stop.ts";
import { EXIT, type Terminal } from "./terminal.ts";

interface CommonOptions {
  readonly tenant?: string;
  readonly data?: string;
}

export interface RetentionCommandOptions extends CommonOptions {
  readonly apply?: true;
  readonly queue?: Triage["queue"];
}

/** `callsift retention`: removes what is older than the settings allow, or without --apply says what that would be. */
export async function retentionCommand({ apply, queue, ...common }: RetentionCommandOptions, terminal: Terminal): Promise<number> {
  return await withService(common, terminal, async ({ models, files, derived }, tenant, signal) => {
    const { retention } = await models.settings.get();
    if (Object.values(retention).every((days) => days === null)) {
      terminal.stdout.write("nothing is ever removed: no retention is set (settings: recordingsDays, transcriptsDays, resultsDays)\n");
      return;
    }
    const report = await applyRetention({ tenant, retention, dryRun: !apply, signal, ...(queue && { queue }) }, { models, files, derived });
    const megabytes = (report.bytes / 1e6).toFixed(1);
    const removed = `${report.recordings} recordings (${megabytes} MB), words of ${report.transcripts} calls, ${report.calls} calls as a whole`;
    if (apply)
      await audit(models, tenant, "retention-applied", {
        calls: report.calls,
        recordings: report.recordings,
        transcripts: report.transcripts,
      });
    terminal.stdout.write(`${removed} ${apply ? "removed" : "would be removed; --apply removes them"}\n`);
  });
}

export interface ForgetOptions extends CommonOptions {
  readonly dryRun?: true;
}

/** `callsift forget NUMBER`: removes everything of one customer and prints the receipt as JSON. */
export async function forgetCommand(customerNumber: string, { dryRun, ...common }: ForgetOptions, terminal: Terminal): Promise<number> {
  return await withService(common, terminal, async ({ models, files, derived }, tenant) => {
    const receipt = await deleteCustomer({ tenant, customerNumber, dryRun: dryRun ?? false }, { models, files, derived });
    if (!dryRun) await audit(models, tenant, "customer-deleted", { calls: receipt.calls.length, recordings: receipt.recordings });
    terminal.stdout.write(`${JSON.stringify({ dryRun: dryRun ?? false, ...receipt }, null, 2)}\n`);
  });
}

type Models = Service["models"];

function audit(models: Models, tenant: string, what: string, details: Readonly<Record<string, number>>): Promise<void> {
  return models.audit.add({ tenant, by: "system", username: "command line", what, object: null, from: null, details });
}

async function withService(
  { tenant = "default", data }: CommonOptions,
  terminal: Terminal,
  use: (deps: EraseDeps & Pick<Service, "models">, tenant: string, signal: AbortSignal) => Promise<void>,
): Promise<number> {
  const loaded = loadConfig();
  const config = { ...loaded, dataDir: data ?? loaded.dataDir };
  using stop = untilStopped();
  await using service = await openService({ config, terminal, signal: stop.signal, mayJoin: true });
  const { models, files } = service;
  await use({ models, files, derived: derivedFiles(config) }, tenant, stop.signal);
  return stop.signal.aborted ? EXIT.interrupted : EXIT.done;
}
