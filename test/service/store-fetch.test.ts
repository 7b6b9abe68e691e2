import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type FetchOptions, fetchProgram } from "../../src/store/fetch.ts";
import { MONGOD_VERSION } from "../../src/store/mongod-archives.ts";
import { findProgram } from "../../src/store/programs.ts";
import { SECANTUS_VERSION } from "../../src/store/secantus-requirements.ts";

let folder = "";
let server: Server | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "callsift-fetch-"));
});
afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server ? server.close(resolve) : resolve(null)));
  server = undefined;
  await rm(folder, { recursive: true, force: true });
});

const cacheDir = (): string => join(folder, "cache");
const programs = (): Promise<string[]> => readdir(join(cacheDir(), "programs"));
/** Stands in for MongoDB's server: fetching is tested, not the server. */
const MONGOD = "#!/bin/sh\necho 'db version v8.0.17'\n";

async function archive(files: Readonly<Record<string, string>>): Promise<Buffer> {
  const tar = pack();
  for (const [name, text] of Object.entries(files)) tar.entry({ name }, text);
  tar.finalize();
  return gzipSync(await buffer(tar));
}

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

/** Something of every name that may be asked for, so that the test runs on every system. */
const ARCHIVE = "mongodb-for-tests.tgz";

async function mirror(answer: RequestListener): Promise<Record<string, string>> {
  server = createServer(answer);
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { MONGOMS_DOWNLOAD_MIRROR: `http://127.0.0.1:${port}`, MONGOMS_USE_HTTP: "1", MONGOMS_ARCHIVE_NAME: ARCHIVE };
}

const options = (mongod: FetchOptions["mongod"], more: Partial<FetchOptions> = {}): FetchOptions => ({
  cacheDir: cacheDir(),
  searchPath: process.env.PATH ?? "",
  kind: "mongod",
  mongod,
  ...more,
});

function hasOpenssl(): boolean {
  try {
    return execFileSync("openssl", ["version"]).length > 0;
  } catch {
    return false;
  }
}

describe("MongoDB's own build", () => {
  it("is fetched once, held to its hash, and found again", async () => {
    const bytes = await archive({ "mongodb/bin/mongod": MONGOD, "mongodb/README": "x" });
    const asked: string[] = [];
    const env = await mirror((request, response) => {
      asked.push(request.url ?? "");
      response.setHeader("content-length", bytes.length).end(bytes);
    });
    const told: string[] = [];
    const want = options({ archives: { [ARCHIVE]: sha256(bytes) }, env }, { onProgress: (line) => told.push(line) });
    const program = await fetchProgram(want);
    expect(program).toMatchObject({ kind: "mongod", from: "fetched" });
    expect(await readFile(program.path, "utf8")).toBe(MONGOD);
    expect(await programs()).toEqual([`mongod-${MONGOD_VERSION.linux}`]);
    expect(asked).toHaveLength(1);
    expect(told.join("\n")).toMatch(/of \d+ MB/);
    expect(await fetchProgram(want)).toEqual(program);
    expect(asked).toHaveLength(1);
    expect(await findProgram({ mongodPath: null, searchPath: "" }, cacheDir())).toEqual(program);
  });

  it("is not taken where its hash is another, and nothing of it stays", async () => {
    const bytes = await archive({ "bin/mongod": MONGOD });
    const env = await mirror((_request, response) => void response.setHeader("content-length", bytes.length).end(bytes));
    await expect(fetchProgram(options({ archives: { [ARCHIVE]: "0".repeat(64) }, env }))).rejects.toMatchObject({ reason: "damaged" });
    expect(await programs()).toEqual([]);
  });

  it("is not asked for where no hash of it is known", async () => {
    let asked = 0;
    const env = await mirror((_request, response) => {
      asked++;
      response.end();
    });
    await expect(fetchProgram(options({ archives: {}, env }))).rejects.toMatchObject({ reason: "no-program" });
    expect(asked).toBe(0);
  });

  it.skipIf(!hasOpenssl())("is not taken from a server whose certificate nobody vouches for", async () => {
    const files = ["key.pem", "cert.pem"].map((name) => join(folder, name)) as [string, string];
    const subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
    execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", files[0], "-out", files[1], ...subject], {
      stdio: "ignore",
    });
    const [key, cert] = await Promise.all(files.map((file) => readFile(file)));
    let asked = 0;
    server = createTlsServer({ key, cert }, (_request, response) => {
      asked++;
      response.end();
    });
    await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const env = { MONGOMS_DOWNLOAD_MIRROR: `https://127.0.0.1:${port}`, MONGOMS_ARCHIVE_NAME: ARCHIVE };
    await expect(fetchProgram(options({ archives: { [ARCHIVE]: "0".repeat(64) }, env }))).rejects.toMatchObject({
      reason: "unreachable",
      message: expect.stringMatching(/self.signed/),
    });
    expect(asked).toBe(0);
  });

  it("is given up within seconds where its host does not answer", async () => {
    const env = await mirror(() => {});
    await expect(fetchProgram(options({ archives: { [ARCHIVE]: "0".repeat(64) }, env }))).rejects.toMatchObject({
      reason: "unreachable",
      message: expect.stringMatching(/no answer/),
    });
  });

  it("goes on where it was cut", async () => {
    const bytes = await archive({ "bin/mongod": `${MONGOD}# ${"x".repeat(100_000)}${Math.random()}`.repeat(3) });
    const ranges: (string | undefined)[] = [];
    const env = await mirror((request, response) => {
      const { range } = request.headers;
      ranges.push(range);
      const from = Number(/bytes=(\d+)-/.exec(range ?? "")?.[1] ?? 0);
      const rest = bytes.subarray(from);
      response.writeHead(range ? 206 : 200, {
        "content-length": rest.length,
        ...(range && { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` }),
      });
      if (ranges.length > 1) response.end(rest);
      else response.write(rest.subarray(0, rest.length >> 1), () => setTimeout(() => response.destroy(), 200));
    });
    const program = await fetchProgram(options({ archives: { [ARCHIVE]: sha256(bytes) }, env }));
    expect(program.kind).toBe("mongod");
    expect(ranges.length).toBe(2);
    expect(ranges[1]).toMatch(/^bytes=\d+-/);
  });

  it("stops on request", async () => {
    const stop = new AbortController();
    const env = await mirror(() => stop.abort());
    await expect(fetchProgram(options({ archives: { [ARCHIVE]: "0".repeat(64) }, env }, { signal: stop.signal }))).rejects.toMatchObject({
      reason: "aborted",
    });
  });
});

describe("what is carried in", () => {
  const from = (path: string): FetchOptions => ({ cacheDir: cacheDir(), searchPath: process.env.PATH ?? "", from: path });

  it("MongoDB's archive, of any version", async () => {
    const path = join(folder, "carried.tgz");
    await writeFile(
      path,
      await archive({ "m/bin/mongod": "#!/bin/sh\necho 'db version v7.1.2'\n", "m/bin/mongos": "x", "../mongod.txt": "x" }),
    );
    const program = await fetchProgram(from(path));
    expect(program).toMatchObject({ kind: "mongod", from: "fetched" });
    expect(await programs()).toEqual(["mongod-7.1.2"]);
    expect(await fetchProgram(from(path))).toEqual(program);
  });

  it("a program as it is", async () => {
    const path = join(folder, "secantusd-rs");
    await writeFile(path, "#!/bin/sh\necho 1\n");
    expect(await fetchProgram(from(path))).toMatchObject({ kind: "secantusd-rs", path: expect.stringMatching(/secantusd-rs$/) });
  });

  it.each([
    ["nothing", null, "no-program"],
    ["a program that does not run here", Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 0]), "no-program"],
    ["a cut archive", Buffer.from([0x1f, 0x8b, 8, 0, 0]), "damaged"],
    ["no archive", Buffer.from("x".repeat(2000)), "damaged"],
  ])("%s is refused, and nothing of it stays", async (_name, bytes, reason) => {
    const path = join(folder, reason === "damaged" ? "file.tgz" : "mongod");
    if (bytes) await writeFile(path, bytes);
    await expect(fetchProgram(from(path))).rejects.toMatchObject({ reason });
    expect(await programs().catch(() => [])).toEqual([]);
  });

  it("an archive with neither in it, and one with a mongod that fails", async () => {
    const path = join(folder, "file.tar.gz");
    for (const files of [{ "a.txt": "x" }, { "bin/mongod": "#!/bin/sh\nexit 1\n" }]) {
      await writeFile(path, await archive(files));
      await expect(fetchProgram(from(path))).rejects.toMatchObject({ reason: "no-program" });
    }
  });

  it("a folder without the wheels that are needed", async () => {
    await mkdir(join(folder, "wheels"));
    await expect(fetchProgram(from(join(folder, "wheels")))).rejects.toMatchObject({ message: expect.stringContaining(SECANTUS_VERSION) });
    expect(await programs()).toEqual([]);
  });
});

describe("SecantusDB without a Python that it runs on", () => {
  it.each([
    ["none", null],
    ["too old", "#!/bin/sh\necho 3 8\n"],
    [
      "one that makes no environments",
      "#!/bin/sh\ncase \"$*\" in *version_info*) echo 3 11;; *) echo 'no module named venv' >&2; exit 1;; esac\n",
    ],
  ])("%s: says what is needed, and what else can be done", async (_name, script) => {
    const bin = join(folder, "bin");
    await mkdir(bin);
    if (script) {
      await writeFile(join(bin, "python3"), script);
      await chmod(join(bin, "python3"), 0o755);
    }
    const failure = await fetchProgram({ cacheDir: cacheDir(), searchPath: bin, kind: "secantusd-py" }).catch((error: Error) => error);
    expect(failure).toMatchObject({ reason: "no-program" });
    expect(String(failure)).toMatch(/MONGODB_URI/);
    expect(await programs()).toEqual([]);
  });
});

it("what a killed process has left half made is swept away", async () => {
  for (const name of [`tmp-${2 ** 22 + 1}-aaaa`, `tmp-${process.pid}-bbbb`, "mongod-1.0.0"])
    await mkdir(join(cacheDir(), "programs", name), { recursive: true });
  await expect(fetchProgram({ cacheDir: cacheDir(), searchPath: "", from: join(folder, "nothing") })).rejects.toThrow();
  expect((await programs()).sort()).toEqual(["mongod-1.0.0", `tmp-${process.pid}-bbbb`]);
});
