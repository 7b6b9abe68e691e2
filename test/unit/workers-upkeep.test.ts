import { expect, it } from "vitest";
import { startUpkeep } from "../../src/workers/upkeep.ts";
import { until } from "../support/work.ts";

it("goes on after a time that did not work out, never twice at once, and ends when stopped", async () => {
  let runs = 0;
  let atOnce = 0;
  let most = 0;
  const troubles: unknown[] = [];
  const upkeep = startUpkeep({
    everyMs: 1,
    onTrouble: (error) => troubles.push(error),
    maintain: async () => {
      most = Math.max(most, ++atOnce);
      await new Promise((resolve) => setTimeout(resolve, 5));
      atOnce--;
      if (++runs === 1) throw new Error("the database is away");
    },
  });
  await until(async () => runs >= 3, "three times");
  await upkeep.stop();
  const ended = runs;
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect({ runs, most, troubles: troubles.length }).toEqual({ runs: ended, most: 1, troubles: 1 });
});
