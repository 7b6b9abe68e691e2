import { readFileSync } from "node:fs";
import { arch, cpus } from "node:os";

export interface Processor {
  readonly name: string;
  /** The instructions for which onnxruntime has exact and faster kernels of signed weights. */
  readonly instructions: readonly string[];
}

const FAST = ["avx512_vnni", "avx_vnni", "amx_int8"] as const;

/** This machine's processor; without /proc/cpuinfo its instructions are not known, and none are taken for granted. */
export function readProcessor(cpuinfo: string = readCpuinfo()): Processor {
  const flags = new Set(/^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]?.split(/\s+/u) ?? []);
  return { name: `${arch()} ${cpus()[0]?.model ?? "unknown"}`, instructions: FAST.filter((flag) => flags.has(flag)) };
}

function readCpuinfo(): string {
  try {
    return readFileSync("/proc/cpuinfo", "utf8");
  } catch {
    return "";
  }
}
