import { createHash, randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openDiskFiles } from "../../src/models/recording-disk.ts";
import type { RecordingFiles } from "../../src/models/recording-files.ts";
import { openObjectFiles } from "../../src/models/recording-objects.ts";
import { MOTO_SERVER, openTestStorage, type TestStorage } from "../support/object-storage.ts";

interface Opened extends AsyncDisposable {
  readonly files: RecordingFiles;
  /** Folder in which nothing may be left behind. */
  readonly incoming: string;
}

const DRIVERS: readonly { name: string; skip: boolean; open: () => Promise<Opened> }[] = [
  { name: "a disk", skip: false, open: openDisk },
  { name: "S3 (moto_server)", skip: MOTO_SERVER === null, open: openObjects },
];

async function openDisk(): Promise<Opened> {
  const folder = await mkdtemp(join(tmpdir(), "callsift-recordings-"));
  return {
    files: openDiskFiles(folder),
    incoming: join(folder, "recordings", "incoming"),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

async function openObjects(): Promise<Opened> {
  const incoming = await mkdtemp(join(tmpdir(), "callsift-objects-"));
  const server: TestStorage = await openTestStorage();
  return {
    files: openObjectFiles(server.storage, { tempDir: incoming }),
    incoming,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      await rm(incoming, { recursive: true, force: true });
    },
  };
}

const MAX = { maxBytes: 1_000_000 };

describe.each(DRIVERS)("recordings on $name", ({ skip, open }) => {
  describe.skipIf(skip)("that are there", () => {
    let opened: Opened;
    let files: RecordingFiles;
    beforeAll(async () => {
      opened = await open();
      files = opened.files;
    });
    afterAll(async () => {
      await opened?.[Symbol.asyncDispose]();
    });

    const leftovers = async () => await readdir(opened.incoming).catch(() => []);

    it("give back the bytes: whole, in part, and as a file", async () => {
      const bytes = randomBytes(300_000);
      const put = await files.put("default", "a.wav", Readable.from([bytes.subarray(0, 7), bytes.subarray(7)]), MAX);
      expect(put).toEqual({ key: put.key, sha256: createHash("sha256").update(bytes).digest("hex"), bytes: bytes.length });
      expect(await files.size(put.key)).toBe(bytes.length);
      expect(await buffer(await files.read(put.key))).toEqual(bytes);
      expect(await buffer(await files.read(put.key, { start: 10, end: 99 }))).toEqual(bytes.subarray(10, 100));
      await using local = await files.local(put.key);
      expect(await readFile(local.path)).toEqual(bytes);
      expect((await leftovers()).filter((name) => !local.path.endsWith(name))).toEqual([]);
    });

    it("are there once for the same bytes, and apart for each tenant", async () => {
      const bytes = randomBytes(1000);
      const puts = await Promise.all(["a", "a", "b", "B", "../b"].map((tenant) => files.put(tenant, "x", Readable.from([bytes]), MAX)));
      const keys = puts.map(({ key }) => key);
      expect(keys[0]).toBe(keys[1]);
      expect(new Set(keys).size).toBe(4);
      expect(await files.remove(keys[0] ?? "")).toBe(true);
      expect(await buffer(await files.read(keys[2] ?? ""))).toEqual(bytes);
    });

    it("are gone once removed", async () => {
      const { key } = await files.put("default", "x", Readable.from([randomBytes(10)]), MAX);
      expect(await files.remove(key)).toBe(true);
      expect(await files.remove(key)).toBe(false);
      await expect(files.size(key)).rejects.toMatchObject({ code: "recording/gone" });
      await expect(files.read(key)).rejects.toMatchObject({ code: "recording/gone" });
      await expect(files.local(key)).rejects.toMatchObject({ code: "recording/gone" });
    });

    it("leave nothing behind when they are too large", async () => {
      const source = Readable.from([Buffer.alloc(600_000), Buffer.alloc(600_000)]);
      await expect(files.put("default", "x", source, MAX)).rejects.toMatchObject({ code: "request/too-large" });
      expect(source.destroyed).toBe(true);
      expect(await leftovers()).toEqual([]);
    });

    it("take bytes up to the limit itself", async () => {
      expect((await files.put("default", "x", Readable.from([Buffer.alloc(1_000_000, 1)]), MAX)).bytes).toBe(1_000_000);
    });

    it("take a recording without bytes", async () => {
      const { key } = await files.put("default", "x", Readable.from([]), MAX);
      expect(await files.size(key)).toBe(0);
    });

    it("leave nothing behind when they break off", async () => {
      const source = new PassThrough();
      const put = files.put("default", "x", source, MAX);
      source.write(Buffer.alloc(1000));
      source.destroy();
      await expect(put).rejects.toMatchObject({ code: "aborted" });
      const failing = Readable.from(
        (async function* () {
          yield await Promise.resolve(Buffer.alloc(10));
          throw new TypeError("the source is broken");
        })(),
      );
      await expect(files.put("default", "x", failing, MAX)).rejects.toThrow("the source is broken");
      expect(await leftovers()).toEqual([]);
    });

    it("leave nothing behind when they are stopped", async () => {
      const stop = new AbortController();
      const source = new PassThrough();
      const put = files.put("default", "x", source, { ...MAX, signal: stop.signal });
      source.write(Buffer.alloc(1000));
      stop.abort();
      await expect(put).rejects.toMatchObject({ code: "aborted" });
      expect(source.destroyed).toBe(true);
      expect(await leftovers()).toEqual([]);
    });

    it.each(["", "../../etc/passwd", "default/../../x", "/etc/passwd", "default/aa", `default/aa/${"a".repeat(64)}/..`, "a\0b", "default"])(
      "have no key %j",
      async (key) => {
        await expect(files.size(key)).rejects.toMatchObject({ code: "recording/gone" });
        await expect(files.read(key)).rejects.toMatchObject({ code: "recording/gone" });
        await expect(files.local(key)).rejects.toMatchObject({ code: "recording/gone" });
        await expect(
          files.remove(key).then(
            (was) => (was ? "removed" : "none"),
            ({ code }) => code,
          ),
        ).resolves.toMatch(/none|recording\/gone/);
      },
    );
  });
});

describe("recordings on a disk", () => {
  it("are refused where too little room is left", async () => {
    await using opened = await openDisk();
    const full = openDiskFiles(join(opened.incoming, "..", ".."), { minFreeBytes: Number.MAX_SAFE_INTEGER });
    await expect(full.put("default", "x", Readable.from([Buffer.alloc(1)]), MAX)).rejects.toMatchObject({ code: "output/no-space" });
  });

  it("sweep away what a killed process left, not what is being written", async () => {
    await using opened = await openDisk();
    await mkdir(opened.incoming, { recursive: true });
    const [stray, fresh] = [join(opened.incoming, "stray.part"), join(opened.incoming, "fresh.part")];
    await writeFile(stray, "x");
    await writeFile(fresh, "x");
    const longAgo = new Date(Date.now() - 48 * 3_600_000);
    await utimes(stray, longAgo, longAgo);
    await opened.files.put("default", "x", Readable.from([Buffer.alloc(1)]), MAX);
    await expect(stat(stray)).rejects.toMatchObject({ code: "ENOENT" });
    expect((await stat(fresh)).size).toBe(1);
  });
});
