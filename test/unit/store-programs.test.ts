import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MONGOD_ARCHIVES, MONGOD_VERSION } from "../../src/store/mongod-archives.ts";
import { findProgram } from "../../src/store/programs.ts";
import { requirements } from "../../src/store/secantus-requirements.ts";
import { serverArguments } from "../../src/store/server-arguments.ts";
import { databaseUri } from "../../src/store/server-client.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "callsift-programs-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function program(...parts: string[]): Promise<string> {
  const path = join(folder, ...parts);
  await mkdir(join(path, ".."), { recursive: true });
  await writeFile(path, "#!/bin/sh\n");
  await chmod(path, 0o755);
  return path;
}

async function fetched(name: string, kind: string, file: string): Promise<string> {
  const path = await program("cache", "programs", name, file);
  await writeFile(join(folder, "cache", "programs", name, "installed.json"), JSON.stringify({ kind, program: file }));
  return path;
}

const cache = (): string => join(folder, "cache");

describe("finding a database program", () => {
  it("takes the one named by hand, then mongod, then secantusd-rs, then what was fetched", async () => {
    const none = { mongodPath: null, searchPath: "" };
    expect(await findProgram(none, cache())).toBeNull();
    const python = await fetched("secantusdb-1.0", "secantusd-py", "secantusd-py");
    expect(await findProgram(none, cache())).toEqual({ kind: "secantusd-py", path: python, from: "fetched" });
    const old = await fetched("mongod-8.0.1", "mongod", "mongod");
    expect(await findProgram(none, cache())).toMatchObject({ path: old });
    const rust = await program("bin", "secantusd-rs");
    const sources = { mongodPath: null, searchPath: ["", "relative", join(folder, "nowhere"), join(folder, "bin")].join(delimiter) };
    expect(await findProgram(sources, cache())).toEqual({ kind: "secantusd-rs", path: rust, from: "PATH" });
    const mongod = await program("bin", "mongod");
    expect(await findProgram(sources, cache())).toEqual({ kind: "mongod", path: mongod, from: "PATH" });
    const mine = await program("mine", "secantusd-rs-0.5");
    expect(await findProgram({ ...sources, mongodPath: mine }, cache())).toEqual({
      kind: "secantusd-rs",
      path: mine,
      from: "CALLSIFT_MONGOD",
    });
  });

  it("looks for the kind alone that made the files", async () => {
    const mongod = await program("bin", "mongod");
    const sources = { mongodPath: null, searchPath: join(folder, "bin") };
    expect(await findProgram(sources, cache(), "secantusd-rs")).toBeNull();
    expect(await findProgram(sources, cache(), "mongod")).toMatchObject({ path: mongod });
    await expect(findProgram({ ...sources, mongodPath: mongod }, cache(), "secantusd-py")).rejects.toMatchObject({ reason: "no-program" });
  });

  it("refuses a name that is no program", async () => {
    await writeFile(join(folder, "text"), "");
    for (const mongodPath of [join(folder, "text"), join(folder, "nothing"), folder])
      await expect(findProgram({ mongodPath, searchPath: "" }, cache())).rejects.toMatchObject({ reason: "no-program" });
  });

  it("passes over what was fetched by half, and folders with nonsense in them", async () => {
    await program("cache", "programs", "mongod-9.0.0", "mongod");
    await fetched("mongod-7", "something else", "mongod");
    await mkdir(join(folder, "cache", "programs", "mongod-6"), { recursive: true });
    await writeFile(join(folder, "cache", "programs", "mongod-6", "installed.json"), "{");
    await writeFile(join(folder, "cache", "programs", "file"), "");
    expect(await findProgram({ mongodPath: null, searchPath: "" }, cache())).toBeNull();
  });
});

describe("what is fetched", () => {
  it("has a hash for every package, and a version", () => {
    const lines = requirements().trim().split("\n");
    expect(lines.length).toBeGreaterThan(5);
    for (const line of lines) expect(line).toMatch(/^[a-z0-9-]+==\S+( --hash=sha256:[0-9a-f]{64})+$/);
  });

  it("has a hash for every archive, each of the version that is asked for", () => {
    for (const [name, sha256] of Object.entries(MONGOD_ARCHIVES)) {
      expect(name).toContain(`-${name.includes("macos") ? MONGOD_VERSION.darwin : MONGOD_VERSION.linux}.tgz`);
      expect(sha256).toMatch(/^[0-9a-f]{64}$/);
    }
    expect(new Set(Object.values(MONGOD_ARCHIVES)).size).toBe(Object.keys(MONGOD_ARCHIVES).length);
  });
});

describe("how a server is started", () => {
  const options = { folder: "/data/database", port: 27_018, cacheMegabytes: 256 } as const;

  it.each(["mongod", "secantusd-rs", "secantusd-py"] as const)("%s: on the loopback interface, with sign-in, files of its own", (kind) => {
    const args = serverArguments({ ...options, kind, signIn: true }).join(" ");
    expect(args).toMatch(/127\.0\.0\.1/);
    expect(args).toMatch(/--port 27018/);
    expect(args).toContain(`/data/database/${kind}`);
    expect(args).toMatch(kind === "mongod" ? /--keyFile/ : /--auth/);
    expect(serverArguments({ ...options, kind, signIn: false }).join(" ")).not.toMatch(/--keyFile|--auth/);
  });

  it("SecantusDB syncs every commit, and reads no settings of the user's", () => {
    for (const kind of ["secantusd-rs", "secantusd-py"] as const)
      expect(serverArguments({ ...options, kind, signIn: true })).toEqual(
        expect.arrayContaining(["--sync-on-commit", "--config", "/data/database/secantusd.toml", "256M"]),
      );
  });

  it("the address has sign-in, the set's name, majority and journal", () => {
    const uri = new URL(databaseUri("mongod", 27_018, "a/b@c"));
    expect(uri.username).toBe("callsift");
    expect(decodeURIComponent(uri.password)).toBe("a/b@c");
    expect(uri.pathname).toBe("/callsift");
    expect(Object.fromEntries(uri.searchParams)).toMatchObject({
      authSource: "admin",
      replicaSet: "callsift",
      w: "majority",
      journal: "true",
    });
  });
});
