import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { archiveKind, unpackArchive } from "../../src/weights/unpack.ts";
import { tarOf, zipOf } from "../support/archives.ts";

/** `tar -cj` of m/model.int8.onnx ("weights\n" 400 times) and m/tokens.txt ("a 0\nb 1\n"). */
const BZ2 = Buffer.from(
  "QlpoOTFBWSZTWWxRLh8ABGj/hMqQAEBAAf1AAACEAHbvnsIAAIAIMAC7QYZGmmmRhMjBNAYEpTIAAAaAGgBUpCYUxA0aHqNHqPI9Ur/OtOC2xTGhFN0QeJgXslFxvURLAbQpa0REARwdGijFnGEHJCRxogq9QIMylAdou3etjPFSzPktcssnOhWxz27BCfm2wQmoQmoQn7hZjXW67Dtnxy0MDR5Nl4QmNV7rRbo76hCcKvOSQT2w38UT/F3JFOFCQbFEuHw=",
  "base64",
);

let top = "";
let folder = "";
beforeEach(async () => {
  top = await mkdtemp(join(tmpdir(), "callsift-unpack-"));
  folder = join(top, "in", "here");
});
afterEach(async () => {
  await rm(top, { recursive: true, force: true });
});

async function unpack(archive: Buffer, options: Partial<Parameters<typeof unpackArchive>[2]> = {}): Promise<string[]> {
  const path = join(top, "archive");
  await writeFile(path, archive);
  return await unpackArchive(path, folder, { maxBytes: 10_000_000, ...options });
}
/** Everything that lies anywhere below the test's folder, the archive itself apart. */
const everything = async () =>
  (await readdir(top, { recursive: true })).filter((path) => path !== "archive" && path !== "in" && path !== "in/here").sort();

describe("unpackArchive", () => {
  const files = [
    ["m/model.onnx", Buffer.alloc(300_000, "x")],
    ["m/tokens.txt", Buffer.from("a 0\n")],
    ["m/empty.txt", Buffer.alloc(0)],
  ] as const;
  const tar = tarOf([[{ name: "m/", type: "directory" }], ...files.map(([name, content]) => [{ name }, content] as const)]);
  it.each<[string, () => Promise<Buffer>]>([
    ["tar", () => tar],
    ["tar.gz", async () => gzipSync(await tar)],
    ["zip", async () => zipOf([{ name: "m/", content: "" }, ...files.map(([name, content]) => ({ name, content, deflate: true }))])],
    ["zip", async () => zipOf(files.map(([name, content]) => ({ name, content, mode: 0o100644 })))],
  ])("unpacks a %s", async (kind, make) => {
    expect(await unpack(await make())).toEqual(files.map(([name]) => name));
    expect(await archiveKind(join(top, "archive"))).toBe(kind);
    for (const [name, content] of files) expect(await readFile(join(folder, name))).toEqual(content);
  });

  it("unpacks a tar.bz2, and only what is asked for", async () => {
    const last = (path: string) => (path.endsWith(".txt") ? null : (path.split("/").at(-1) ?? null));
    expect(await unpack(BZ2, { place: last })).toEqual(["model.int8.onnx"]);
    expect(await readFile(join(folder, "model.int8.onnx"), "utf8")).toBe("weights\n".repeat(400));
    expect(await everything()).toEqual(["in/here/model.int8.onnx"]);
  });

  const good = [{ name: "m/tokens.txt" }, "a 0\n"] as const;
  const outside = ["../evil", "m/../../evil", "/evil", "//evil", "m//evil", "C:/evil", "m\\..\\evil", "..", `${"d/".repeat(40)}evil`];
  it.each(outside)("refuses a tar with the path %j", async (name) => {
    await expect(unpack(await tarOf([good, [{ name }, "evil"]]))).rejects.toMatchObject({ code: "weights/unsafe-archive" });
    expect(await everything()).toEqual(["in/here/m", "in/here/m/tokens.txt"]);
  });
  it.each(outside)("refuses a zip with the path %j", async (name) => {
    // Backslashes are slashes to yauzl, for old .NET programs wrote such.
    await expect(unpack(zipOf([{ name, content: "evil" }]))).rejects.toMatchObject({ code: "weights/unsafe-archive" });
    expect(await everything()).toEqual([]);
  });
  it("refuses a folder outside, though it holds nothing", async () => {
    const archive = await tarOf([[{ name: "../evil/", type: "directory" }]]);
    await expect(unpack(archive)).rejects.toMatchObject({ code: "weights/unsafe-archive" });
    await expect(unpack(zipOf([{ name: "../evil/", content: "" }]))).rejects.toMatchObject({ code: "weights/unsafe-archive" });
    expect(await everything()).toEqual([]);
  });

  it.each(["symlink", "link", "character-device", "block-device", "fifo"] as const)("refuses a tar with a %s", async (type) => {
    const archive = await tarOf([[{ name: "m", type, linkname: "/etc" }], [{ name: "m/evil" }, "evil"]]);
    await expect(unpack(archive)).rejects.toMatchObject({ code: "weights/unsafe-archive", message: expect.stringContaining(type) });
    expect(await everything()).toEqual([]);
  });
  it.each([0o120777, 0o020666, 0o060666, 0o010666, 0o140777])("refuses a zip with a thing of mode %o", async (mode) => {
    await expect(unpack(zipOf([{ name: "m", content: "/etc", mode }]))).rejects.toMatchObject({ code: "weights/unsafe-archive" });
    expect(await everything()).toEqual([]);
  });
  it("refuses the same file twice", async () => {
    await expect(unpack(await tarOf([good, good]))).rejects.toMatchObject({ code: "weights/unsafe-archive" });
    const twice = { name: "./tokens.txt", content: "b" };
    await expect(unpack(zipOf([{ ...twice, name: "tokens.txt" }, twice]))).rejects.toMatchObject({ code: "weights/unsafe-archive" });
  });
  it("never writes through what is there", async () => {
    await unpack(await tarOf([good]));
    await expect(unpack(await tarOf([[{ name: "m/tokens.txt" }, "evil"]]))).rejects.toThrow();
    expect(await readFile(join(folder, "m/tokens.txt"), "utf8")).toBe("a 0\n");
  });

  const zeros = Buffer.alloc(40_000_000);
  it.each<[string, () => Promise<Buffer>]>([
    ["gzip", async () => gzipSync(await tarOf([[{ name: "m/model.onnx" }, zeros]]))],
    ["zip", async () => zipOf([{ name: "m/model.onnx", content: zeros, deflate: true }])],
    ["zip that lies about its size", async () => zipOf([{ name: "m/model.onnx", content: zeros, deflate: true, toldBytes: 10 }])],
    [
      "zip of many",
      async () => zipOf(Array.from({ length: 20 }, (_, i) => ({ name: `m/${i}`, content: zeros.subarray(0, 1e6), deflate: true }))),
    ],
    [
      "tar of endless names",
      async () => gzipSync(await tarOf(Array.from({ length: 1_001 }, (_, i) => [{ name: `m/${i}`, size: 0 }, Buffer.alloc(0)] as const))),
    ],
  ])("stops at a bomb: %s", async (_name, make) => {
    await expect(unpack(await make())).rejects.toMatchObject({ code: expect.stringMatching(/^weights\/(unsafe-archive|damaged)$/) });
    let written = 0;
    for (const path of await everything()) written += (await stat(join(top, path)).catch(() => ({ size: 0 }))).size;
    expect(written).toBeLessThan(21_000_000);
  });
  it("counts what is passed over, too", async () => {
    const archive = gzipSync(await tarOf([[{ name: "m/other" }, zeros]]));
    await expect(unpack(archive, { place: () => null })).rejects.toMatchObject({ code: "weights/unsafe-archive" });
  });
  it("refuses an encrypted zip", async () => {
    await expect(unpack(zipOf([{ name: "m/a", content: "x".repeat(13), toldBytes: 1, encrypted: true }]))).rejects.toMatchObject({
      code: "weights/unsafe-archive",
    });
  });

  it("names an archive that is cut as damaged, wherever it is cut", async () => {
    const whole = [await tar, gzipSync(await tar), BZ2, zipOf(files.map(([name, content]) => ({ name, content, deflate: true })))];
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...whole), fc.double({ min: 0.02, max: 0.98, noNaN: true }), async (archive, share) => {
        // A tar ends with blocks of zeros, which may be missing.
        const end = Math.floor(Math.min(archive.length - 1100, archive.length * share)) || Math.floor(archive.length * share);
        await rm(folder, { recursive: true, force: true });
        await expect(unpack(archive.subarray(0, Math.max(4, end)))).rejects.toMatchObject({
          code: expect.stringMatching(/^weights\/(damaged|foreign)$/),
        });
      }),
      { numRuns: 40 },
    );
  });
  it("names a damaged one as damaged", async () => {
    for (const archive of [gzipSync(await tar), Buffer.from(BZ2)]) {
      archive.fill(0x55, archive.length >> 1, (archive.length >> 1) + 20);
      await rm(folder, { recursive: true, force: true });
      await expect(unpack(archive)).rejects.toMatchObject({ code: expect.stringMatching(/^weights\/(damaged|unsafe-archive)$/) });
    }
  });
  it.each(["", "x", "<!DOCTYPE html>", "a 0\nb 1\n"])("refuses what is no archive: %j", async (text) => {
    await expect(unpack(Buffer.from(text))).rejects.toMatchObject({ code: "weights/foreign" });
  });
  it("stops on request", async () => {
    await expect(unpack(await tar, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "aborted" });
    await expect(unpack(BZ2, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "aborted" });
  });
});
