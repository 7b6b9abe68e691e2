import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { ListEnds } from "../../src/models/calls-ends.ts";
import { Joined } from "../../src/models/joined.ts";

describe("equal reads at once", () => {
  it("are answered by two, the second begun after all who share it have asked", async () => {
    const joined = new Joined<number>();
    let written = 0;
    let reads = 0;
    const read = async () => {
      reads++;
      const seen = written;
      await sleep(5);
      return seen;
    };
    const first = joined.read("list", read);
    written = 1;
    const later = Array.from({ length: 50 }, () => joined.read("list", read));
    expect(await first).toBe(0);
    expect(new Set(await Promise.all(later))).toEqual(new Set([1]));
    expect(reads).toBe(2);
  });

  it("are apart from others, and from those that come afterwards", async () => {
    const joined = new Joined<string>();
    const answers = await Promise.all([joined.read("a", async () => "a"), joined.read("b", async () => "b")]);
    expect(answers).toEqual(["a", "b"]);
    expect(await joined.read("a", async () => "new")).toBe("new");
  });

  it("that fail are told to all who share them, and are tried anew by the next", async () => {
    const joined = new Joined<number>();
    const fail = async () => await Promise.reject(new Error("away"));
    const all = [joined.read("a", fail), joined.read("a", fail), joined.read("a", fail)];
    expect((await Promise.allSettled(all)).map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
    expect(await joined.read("a", async () => 1)).toBe(1);
  });
});

describe("ends of lists", () => {
  it("are kept by page, the oldest of too many forgotten", () => {
    const ends = new ListEnds();
    for (let i = 0; i < 2001; i++) ends.set(String(i), `end ${i}`);
    expect(ends.get("0")).toBeUndefined();
    expect(ends.get("2000")).toBe("end 2000");
    ends.delete("2000");
    expect(ends.get("2000")).toBeUndefined();
  });
});
