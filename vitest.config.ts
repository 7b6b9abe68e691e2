import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 120_000,
    // Two cores are the smallest machine the suite is promised for; each file gets its own process, so native code that crashes is named.
    pool: "forks",
    maxWorkers: 2,
  },
});
