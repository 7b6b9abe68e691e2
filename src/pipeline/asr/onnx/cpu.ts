import { readFileSync } from "node:fs";

let found: boolean | undefined;

/**
 * Whether this machine's CPU multiplies 8-bit numbers without saturation in between (VNNI or AMX), so that onnxruntime's kernels for signed weights
 * are right, and fast; false where that cannot be told.
 */
export function hasDotProducts(): boolean {
  found ??= flagsHaveDotProducts(cpuinfo());
  return found;
}

/** @param cpuinfo text of /proc/cpuinfo */
export function flagsHaveDotProducts(cpuinfo: string): boolean {
  const flags = /^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]?.split(" ") ?? [];
  return ["avx512_vnni", "avx_vnni", "amx_int8"].some((flag) => flags.includes(flag));
}

function cpuinfo(): string {
  try {
    return readFileSync("/proc/cpuinfo", "utf8");
  } catch {
    return "";
  }
}
