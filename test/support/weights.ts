import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** The folder of Whisper base's weights on this machine; null where it has none: tests that need them are skipped by name. */
export function whisperBase(): string | null {
  const folder =
    process.env.CALLSIFT_TEST_WHISPER ??
    join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "callsift", "weights", "whisper-base");
  return existsSync(join(folder, "model.bin")) ? folder : null;
}
