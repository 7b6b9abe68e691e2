import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";

/** One line of a bench's table: what, measured, the bar it is held against (if any). */
export interface Row {
  readonly what: string;
  readonly measured: string;
  readonly bar: string;
  /** null where no bar is set. */
  readonly met: boolean | null;
}

/** Prints one table and writes the same as JSON, with the machine: figures without it mean nothing. */
export function report(name: string, rows: readonly Row[], details: unknown): void {
  const folder = fileURLToPath(new URL("./results/", import.meta.url));
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}${name}.json`, `${JSON.stringify({ name, machine: machine(), rows, details }, null, 1)}\n`);
  const widths = (["what", "measured", "bar"] as const).map((key) => Math.max(key.length, ...rows.map((row) => row[key].length)));
  const line = (cells: readonly string[]): string => cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  ");
  console.log(machine());
  console.log(line(["what", "measured", "bar", ""]));
  for (const { what, measured, bar, met } of rows) console.log(line([what, measured, bar, met === null ? "" : met ? "met" : "MISSED"]));
}

/** Processor, its vector extensions that matter here, cores, Node. */
export function machine(): string {
  const all = cpus();
  let flags = "";
  try {
    const info = readFileSync("/proc/cpuinfo", "utf8");
    flags = ["avx2", "avx512f", "avx512_vnni", "amx_tile"].filter((flag) => new RegExp(`\\b${flag}\\b`).test(info)).join(" ");
  } catch {
    // Not Linux: the model's name has to do.
  }
  return `${all[0]?.model ?? "unknown"} × ${all.length} (${flags}), Node ${process.versions.node}`;
}

/** The middle of the values. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[half] as number) : ((sorted[half - 1] as number) + (sorted[half] as number)) / 2;
}
