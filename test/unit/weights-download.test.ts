import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { downloadFile } from "../../src/weights/download.ts";
import type { Wanted } from "../../src/weights/part.ts";
import { type Misbehaviour, openMirror } from "../support/mirror.ts";

const body = randomBytes(200_000);
const sha256 = createHash("sha256").update(body).digest("hex");
const known: Wanted = { name: "model.bin", bytes: body.length, sha256 };
const unknown: Wanted = { name: "model.bin", bytes: null, sha256: null };
const patience = { answerMs: 20_000, stallMs: 20_000, pauseMs: 1 };

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "callsift-download-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const get = (url: string, wanted: Wanted = known, waits = patience) =>
  downloadFile(`${url}/w/model.bin`, wanted, { path: join(folder, "model.bin"), patience: waits });
const mirrorOf = (misbehave?: (nth: number) => Misbehaviour | null, file = body) =>
  openMirror({ "/w/model.bin": file }, (_asked, nth) => misbehave?.(nth) ?? null);
const partBytes = async () => (await stat(join(folder, "model.bin.part"))).size;

describe("downloadFile", () => {
  it.each([known, unknown])("fetches a file: %o", async (wanted) => {
    await using mirror = await mirrorOf();
    expect(await get(mirror.url, wanted)).toEqual({ bytes: body.length, sha256 });
    expect(await readFile(join(folder, "model.bin"))).toEqual(body);
    expect(await readdir(folder)).toEqual(["model.bin"]);
  });

  it("goes on after each cut, and asks for no byte twice", async () => {
    await using mirror = await mirrorOf(() => ({ cutAfter: body.length / 10 }));
    expect(await get(mirror.url)).toEqual({ bytes: body.length, sha256 });
    expect(mirror.asked).toHaveLength(10);
    expect(mirror.asked.reduce((sum, { sent }) => sum + sent, 0)).toBe(body.length);
    expect(mirror.asked.slice(1).every(({ ifRange }) => ifRange !== null)).toBe(true);
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8, 9])("cut at tenth %i and given up, the next call goes on from there", async (tenth) => {
    const cut = (body.length / 10) * tenth;
    {
      await using mirror = await mirrorOf((nth) => (nth === 0 ? { cutAfter: cut } : { status: 503 }));
      await expect(get(mirror.url)).rejects.toMatchObject({ code: "weights/unreachable", message: expect.stringContaining("503") });
      expect(await partBytes()).toBe(cut);
    }
    await using mirror = await mirrorOf();
    expect(await get(mirror.url)).toEqual({ bytes: body.length, sha256 });
    expect(mirror.asked).toEqual([expect.objectContaining({ range: `bytes=${cut}-`, sent: body.length - cut })]);
  });

  it("does not mix two origins where no hash is known", async () => {
    {
      await using mirror = await mirrorOf((nth) => (nth === 0 ? { cutAfter: 50_000 } : { status: 503 }), randomBytes(150_000));
      await expect(get(mirror.url, unknown)).rejects.toMatchObject({ code: "weights/unreachable" });
    }
    await using mirror = await mirrorOf();
    expect(await get(mirror.url, unknown)).toEqual({ bytes: body.length, sha256 });
    expect(mirror.asked).toEqual([expect.objectContaining({ range: null })]);
  });

  it("begins anew where the file has changed between two tries", async () => {
    const old = randomBytes(body.length);
    await using mirror = await mirrorOf((nth) => (nth === 0 ? { body: old, cutAfter: 70_000 } : null));
    expect(await get(mirror.url, unknown)).toEqual({ bytes: body.length, sha256 });
    expect(mirror.asked[1]).toMatchObject({ range: "bytes=70000-", sent: body.length });
  });

  it("begins anew where the part that lay there was another file's", async () => {
    await writeFile(join(folder, "model.bin.part"), randomBytes(120_000));
    await using mirror = await mirrorOf();
    expect(await get(mirror.url)).toEqual({ bytes: body.length, sha256 });
    expect(mirror.asked.map(({ range }) => range)).toEqual(["bytes=120000-", null]);
  });

  it.each<[string, Misbehaviour]>([
    ["that knows no ranges", { noRanges: true }],
    ["that sends another range", { wrongRange: true }],
    ["that names neither tag nor date", { noValidator: true }],
  ])("gets along with a server %s", async (_name, fault) => {
    await using mirror = await mirrorOf((nth) => ({ ...fault, ...(nth === 0 && { cutAfter: 60_000 }) }));
    expect(await get(mirror.url)).toEqual({ bytes: body.length, sha256 });
    expect(await readFile(join(folder, "model.bin"))).toEqual(body);
  });

  it("takes a part that is whole already, without asking", async () => {
    await writeFile(join(folder, "model.bin.part"), body);
    await using mirror = await mirrorOf();
    expect(await get(mirror.url)).toEqual({ bytes: body.length, sha256 });
    expect(mirror.asked).toEqual([]);
  });

  it("throws away a part that is longer than the file", async () => {
    await writeFile(join(folder, "model.bin.part"), randomBytes(body.length + 1));
    await using mirror = await mirrorOf();
    expect(await get(mirror.url)).toEqual({ bytes: body.length, sha256 });
    expect(mirror.asked).toEqual([expect.objectContaining({ range: null })]);
  });

  it("follows a redirect, with the range", async () => {
    await writeFile(join(folder, "model.bin.part"), body.subarray(0, 90_000));
    await using mirror = await openMirror({ "/cdn/x": body }, ({ path }) => (path === "/cdn/x" ? null : { redirect: "/cdn/x" }));
    expect(await get(mirror.url)).toEqual({ bytes: body.length, sha256 });
    expect(mirror.asked[1]).toMatchObject({ path: "/cdn/x", range: "bytes=90000-", sent: body.length - 90_000 });
  });

  const page = Buffer.from(`<!DOCTYPE html><html><body>Please sign in</body></html>${" ".repeat(body.length)}`);
  it.each<[string, Misbehaviour, Wanted, RegExp]>([
    ["a page, as long as the file", { body: page.subarray(0, body.length) }, known, /page of HTML/],
    ["a page, where nothing is known of the file", { body: page }, unknown, /page of HTML/],
    ["a page of no told length", { body: page, chunked: true }, known, /page of HTML/],
    ["another file of the same length", { body: randomBytes(body.length) }, known, /sha256/],
    ["a longer file", { body: randomBytes(body.length + 1) }, known, /200000 bytes, got 200001/],
    ["a shorter file", { body: body.subarray(1) }, known, /200000 bytes, got 199999/],
    ["more bytes than told, without end", { body: randomBytes(body.length * 2), chunked: true }, known, /200000 bytes, got more/],
  ])("refuses %s, and keeps nothing of it", async (_name, fault, wanted, message) => {
    await using mirror = await mirrorOf(() => fault);
    await expect(get(mirror.url, wanted)).rejects.toMatchObject({ code: "weights/damaged", message: expect.stringMatching(message) });
    expect(mirror.asked).toHaveLength(1);
    expect(await partBytes()).toBe(0);
  });

  it.each<[string, Misbehaviour, RegExp, number]>([
    ["404", { status: 404 }, /status 404/, 1],
    ["500", { status: 500 }, /status 500/, 1],
    ["401", { status: 401 }, /status 401/, 1],
    ["silence", { silent: true }, /no answer in time/, 1],
    ["a stall from the first byte on", { stallAfter: 0 }, /no byte for/, 3],
    ["a cut before the first byte, again and again", { cutAfter: 0 }, /broken off/, 3],
  ])("gives up a source that answers %s", async (_name, fault, message, requests) => {
    await using mirror = await mirrorOf(() => fault);
    const waits = { ...patience, ...(fault.silent && { answerMs: 300 }), ...(fault.stallAfter === 0 && { stallMs: 300 }) };
    await expect(get(mirror.url, known, waits)).rejects.toMatchObject({
      code: "weights/unreachable",
      message: expect.stringMatching(message),
    });
    expect(mirror.asked).toHaveLength(requests);
  });

  it("goes on after a stall", async () => {
    await using mirror = await mirrorOf((nth) => (nth === 0 ? { stallAfter: 30_000 } : null));
    expect(await get(mirror.url, known, { ...patience, stallMs: 300 })).toEqual({ bytes: body.length, sha256 });
    expect(mirror.asked[1]?.range).toBe("bytes=30000-");
  });

  it("gives up a source that nobody listens at", async () => {
    const mirror = await mirrorOf();
    await mirror[Symbol.asyncDispose]();
    await expect(get(mirror.url)).rejects.toMatchObject({ code: "weights/unreachable", message: expect.stringContaining("ECONNREFUSED") });
  });

  it("stops on request, and keeps what it has", async () => {
    await using mirror = await mirrorOf(() => ({ stallAfter: 40_000 }));
    const stop = new AbortController();
    const path = join(folder, "model.bin");
    const onBytes = (bytes: number) => bytes === 40_000 && stop.abort();
    await expect(downloadFile(`${mirror.url}/w/model.bin`, known, { path, patience, onBytes, signal: stop.signal })).rejects.toMatchObject({
      code: "aborted",
    });
    expect(await partBytes()).toBe(40_000);
  });

  it("sends a password as such, and tells it to nobody", async () => {
    await using mirror = await mirrorOf((nth) => (nth === 0 ? { cutAfter: 100 } : { status: 403 }));
    const url = mirror.url.replace("://", "://user:g%20eheim@");
    const error = await get(url).catch((thrown: Error) => thrown);
    expect(mirror.asked[0]?.authorization).toBe(`Basic ${Buffer.from("user:g eheim").toString("base64")}`);
    expect(String(error)).toMatch(/127\.0\.0\.1:\d+: status 403/);
    expect(String(error) + (await readFile(join(folder, "model.bin.part.json"), "utf8"))).not.toMatch(/eheim/);
  });
});
