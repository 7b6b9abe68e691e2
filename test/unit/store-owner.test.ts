import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { claimFolder, ownerOf } from "../../src/store/owner.ts";
import { createPassword, readPassword } from "../../src/store/password.ts";
import { identifyProcess } from "../../src/store/process-identity.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "callsift-owner-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const owner = (fields: object): string => JSON.stringify({ pid: process.pid, startedAt: "?", host: "here", nonce: "n", ...fields });

describe("owner of a data folder", () => {
  it("is one, is named to the second, and is gone afterwards", async () => {
    const claim = await claimFolder(folder);
    expect(await ownerOf(folder)).toBe(process.pid);
    await expect(claimFolder(folder)).rejects.toMatchObject({
      reason: "in-use",
      message: expect.stringContaining(`process ${process.pid}`),
    });
    await claim[Symbol.asyncDispose]();
    expect(await ownerOf(folder)).toBeNull();
    expect(await readdir(folder)).toEqual([]);
    await (await claimFolder(folder))[Symbol.asyncDispose]();
  });

  it.each([
    ["of a process that is gone", owner({ pid: 2 ** 22 + 1 })],
    ["of an earlier process of the same number", owner({ startedAt: "another boot/1" })],
    ["that is cut", '{"pid":'],
    ["that is empty", ""],
    ["of no process", owner({ pid: -1 })],
  ])("takes over a claim %s", async (_name, text) => {
    await writeFile(join(folder, "owner.json"), text);
    expect(await ownerOf(folder)).toBeNull();
    await using _claim = await claimFolder(folder);
    expect(await ownerOf(folder)).toBe(process.pid);
  });

  it("of many that start at once over a dead one's claim, one wins", async () => {
    const script = `
      import { claimFolder } from ${JSON.stringify(fileURLToPath(new URL("../../src/store/owner.ts", import.meta.url)))};
      process.stdout.write("ready ");
      process.stdin.once("data", () => claimFolder(process.argv[1]).then(() => process.stdout.write("won"), (error) => process.stdout.write(error.reason ?? String(error))));
    `;
    for (let round = 0; round < 3; round++) {
      await writeFile(join(folder, "owner.json"), owner({ pid: 2 ** 22 + 1 }));
      const children = Array.from({ length: 6 }, () => {
        const child = spawn(process.execPath, ["--import", import.meta.resolve("tsx"), "--input-type=module", "-e", script, folder]);
        let told = "";
        const waiting: (() => void)[] = [];
        child.stdout.on("data", (chunk) => {
          told += chunk;
          for (const wake of waiting) wake();
        });
        const until = async (pattern: RegExp) => {
          while (!pattern.test(told)) await new Promise<void>((resolve) => waiting.push(resolve));
        };
        return { child, until, told: () => told };
      });
      await Promise.all(children.map(({ until }) => until(/ready/)));
      for (const { child } of children) child.stdin.write("go");
      await Promise.all(children.map(({ until }) => until(/ready .+/)));
      const answers = children.map(({ told }) => told().slice("ready ".length));
      // Nobody lets go before all have answered.
      for (const { child } of children) child.kill("SIGKILL");
      await Promise.all(children.map(({ child }) => new Promise((resolve) => child.once("close", resolve))));
      expect(answers.toSorted()).toEqual(["in-use", "in-use", "in-use", "in-use", "in-use", "won"]);
    }
  });
});

describe("processes", () => {
  it("tells itself, and nothing of one that is not there", async () => {
    const self = await identifyProcess(process.pid);
    expect(self?.command).toContain("node");
    expect(await identifyProcess(process.pid)).toEqual(self);
    for (const pid of [2 ** 22 + 1, 0, -1, 1.5, Number.NaN]) expect(await identifyProcess(pid)).toBeNull();
  });

  it("does not take one that has ended and is not yet waited for as alive", async () => {
    // The shell becomes a sleep that never waits for its child.
    const shell = spawn("sh", ["-c", "sh -c 'echo $$' & exec sleep 60"], { stdio: ["ignore", "pipe", "ignore"] });
    const pid = Number(await new Promise<string>((resolve) => shell.stdout.once("data", (chunk) => resolve(String(chunk)))));
    try {
      for (let tries = 0; tries < 200 && (await identifyProcess(pid)) !== null; tries++)
        await new Promise((resolve) => setTimeout(resolve, 20));
      expect(await identifyProcess(pid)).toBeNull();
    } finally {
      shell.kill("SIGKILL");
    }
  });
});

describe("password of a local database", () => {
  it("is long, different every time, and for its owner only", async () => {
    const path = join(folder, "password");
    expect(await readPassword(path)).toBeNull();
    const password = await createPassword(path);
    expect(password).toMatch(/^[\w-]{43}$/);
    expect(await readPassword(path)).toBe(password);
    expect(await createPassword(path)).not.toBe(password);
    expect((await readdir(folder)).length).toBe(1);
  });

  it("is closed to others where it was open, and made anew where it is none", async () => {
    const path = join(folder, "password");
    await writeFile(path, `${"x".repeat(43)}\n`, { mode: 0o644 });
    expect(await readPassword(path)).toBe("x".repeat(43));
    const { stat } = await import("node:fs/promises");
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    for (const text of ["", "short", "with a space in it, and long enough"]) {
      await writeFile(path, text);
      expect(await readPassword(path)).toBeNull();
    }
    expect(await readFile(path, "utf8")).toContain("long enough");
  });
});
