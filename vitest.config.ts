import { defineConfig } from "vitest/config";
import { ClosingLines } from "./test/support/closing-lines.ts";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/support/global-setup.ts"],
    reporters: ["default", new ClosingLines()],
    testTimeout: 30_000,
    hookTimeout: 120_000,
    // Two cores are the smallest machine the suite is promised for; each file gets its own process, so native code that crashes is named.
    pool: "forks",
    maxWorkers: 2,
  },
});
